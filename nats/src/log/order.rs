//! Streams in their own order, whatever the subject: for commands that go over everything once.

use async_nats::{HeaderMap, header::NATS_TIME_STAMP};
use bytes::Bytes;
use natter_schemas::{
    event::Timestamp,
    id::{Partition, Seq},
};

use super::{
    BATCH, BATCH_BYTES, LogError, LogReader,
    direct::{self, DirectMessage, Query},
    leader::FollowerWait,
};
use crate::{
    subject,
    topology::{PARKED, log_stream},
};

/// A message as a stream holds it.
#[derive(Debug, Clone)]
pub struct StoredMessage {
    /// In the stream.
    pub seq: Seq,
    /// As published.
    pub subject: String,
    /// With those the server adds.
    pub headers: HeaderMap,
    /// Its bytes, as published.
    pub payload: Bytes,
}

impl StoredMessage {
    /// When the server stored it.
    pub fn at(&self) -> Option<Timestamp> {
        let text = self.headers.get(NATS_TIME_STAMP)?.as_str();
        serde_json::from_value(text.into()).ok()
    }
}

impl From<DirectMessage> for StoredMessage {
    fn from(DirectMessage { seq, subject, headers, payload }: DirectMessage) -> Self {
        Self { seq, subject, headers, payload }
    }
}

impl LogReader {
    /// The next events of a partition from `from` on, ascending: at most 500 and about 4 MiB. None: the log ends
    /// before `from`.
    pub async fn in_order(&self, p: Partition, from: Seq) -> Result<Vec<StoredMessage>, LogError> {
        self.next_of(&log_stream(p), &subject::conv_all(p), from).await
    }

    /// The next parked events from number `from` on, in the same portions. `subjects` is of `subject::parked_by`.
    pub async fn parked_in_order(&self, subjects: &str, from: Seq) -> Result<Vec<StoredMessage>, LogError> {
        self.next_of(PARKED, subjects, from).await
    }

    /// The event at a seq, with what the server keeps beside it; `None`: the log does not have it, or not any more.
    pub async fn stored_at(&self, p: Partition, seq: Seq) -> Result<Option<StoredMessage>, LogError> {
        self.message_at(&log_stream(p), seq).await
    }

    /// The parked event of this number.
    pub async fn parked_at(&self, number: Seq) -> Result<Option<StoredMessage>, LogError> {
        self.message_at(PARKED, number).await
    }

    async fn message_at(&self, stream: &str, seq: Seq) -> Result<Option<StoredMessage>, LogError> {
        let query = Query { seq: Some(seq), ..Query::default() };
        let found = direct::get(&self.js, stream, &query).await?.messages.into_iter().next();
        Ok(found.map(StoredMessage::from).filter(|message| message.seq == seq))
    }

    /// A copy that is behind has no holes, only an earlier end: what it has may be taken, but its end is not
    /// believed before the leader's.
    async fn next_of(&self, stream: &str, subjects: &str, from: Seq) -> Result<Vec<StoredMessage>, LogError> {
        let wait = FollowerWait::new();
        let from = from.max(1);
        let query = Query {
            seq: Some(from),
            next_by_subj: Some(subjects),
            batch: Some(BATCH),
            max_bytes: Some(BATCH_BYTES),
            ..Query::default()
        };
        loop {
            let messages = direct::get(&self.js, stream, &query).await?.messages;
            if !messages.is_empty() {
                return Ok(messages.into_iter().map(StoredMessage::from).collect());
            }
            let end = self.last_on_leader(stream, subjects).await?.map_or(0, |last| last.seq);
            if end < from {
                return Ok(Vec::new());
            }
            wait.pause().await?;
        }
    }
}
