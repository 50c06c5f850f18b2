//! Streams in their own order, whatever the subject: for commands that go over everything once.

use async_nats::{HeaderMap, header::NATS_TIME_STAMP};
use bytes::Bytes;
use natter_schemas::{
    event::Timestamp,
    id::{Partition, Seq},
};

use super::{
    BATCH, BATCH_BYTES, LogError, LogReader,
    direct::{self, Found, Query},
    leader::Patience,
};
use crate::{
    subject,
    topology::{PARKED, log_stream},
};

/// A message as a stream holds it.
#[derive(Debug, Clone)]
pub struct Kept {
    pub seq: Seq,
    pub subject: String,
    pub headers: HeaderMap,
    pub payload: Bytes,
}

impl Kept {
    /// When the server stored it.
    pub fn at(&self) -> Option<Timestamp> {
        let text = self.headers.get(NATS_TIME_STAMP)?.as_str();
        serde_json::from_value(text.into()).ok()
    }
}

impl From<Found> for Kept {
    fn from(Found { seq, subject, headers, payload }: Found) -> Self {
        Self { seq, subject, headers, payload }
    }
}

impl LogReader {
    /// The next events of a partition from `from` on, ascending: at most 500 and about 4 MiB. None: the log ends
    /// before `from`.
    pub async fn in_order(&self, p: Partition, from: Seq) -> Result<Vec<Kept>, LogError> {
        self.next_of(&log_stream(p), &subject::conv_all(p), from).await
    }

    /// The next parked events from number `from` on, in the same portions. `subjects` is of `subject::parked_by`.
    pub async fn parked_in_order(&self, subjects: &str, from: Seq) -> Result<Vec<Kept>, LogError> {
        self.next_of(PARKED, subjects, from).await
    }

    pub async fn parked_at(&self, number: Seq) -> Result<Option<Kept>, LogError> {
        let query = Query { seq: Some(number), ..Query::default() };
        let answer = direct::get(&self.js, PARKED, &query).await?;
        Ok(answer.found.into_iter().next().map(Kept::from).filter(|kept| kept.seq == number))
    }

    /// A copy that is behind has no holes, only an earlier end: what it has may be taken, but its end is not
    /// believed before the leader's.
    async fn next_of(&self, stream: &str, subjects: &str, from: Seq) -> Result<Vec<Kept>, LogError> {
        let patience = Patience::new();
        let from = from.max(1);
        let query = Query {
            seq: Some(from),
            next_by_subj: Some(subjects),
            batch: Some(BATCH),
            max_bytes: Some(BATCH_BYTES),
            ..Query::default()
        };
        loop {
            let found = direct::get(&self.js, stream, &query).await?.found;
            if !found.is_empty() {
                return Ok(found.into_iter().map(Kept::from).collect());
            }
            let end = self.last_on_leader(stream, subjects).await?.map_or(0, |last| last.seq);
            if end < from {
                return Ok(Vec::new());
            }
            patience.pause().await?;
        }
    }
}
