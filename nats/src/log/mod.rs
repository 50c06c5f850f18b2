//! Stored events read back. By conversation and position: Direct Get (ADR-31), which any copy of a stream
//! answers and which makes no consumer. By partition: where the log and its persister are.

mod direct; // one Direct Get request and its answers

use std::{collections::HashMap, time::Duration};

use async_nats::jetstream::{self, Context, response::Response};
use bytes::Bytes;
use futures_util::future::try_join_all;
use schemas::{
    codec::{self, CodecError},
    event::Logged,
    id::{ConversationId, Partition, Seq},
};
use serde::de::DeserializeOwned;
use serde_json::json;

use crate::{
    subject,
    topology::{PERSIST, log_stream},
};
use direct::{Found, Query};

/// Events asked for at once. The server stops earlier, at `BATCH_BYTES`; the reader then goes on.
const BATCH: usize = 500;
/// The server's answer waits in this connection's buffers: well below its limit of 64 MiB.
const BATCH_BYTES: usize = 4 * 1024 * 1024;
/// Subjects in one question; the server takes 1,024.
const SUBJECTS: usize = 1_000;
/// Of a question about a stream or consumer.
const INFO: Duration = Duration::from_secs(3);

#[derive(Debug, thiserror::Error)]
pub enum LogError {
    #[error("the log does not answer: {0}")]
    Unavailable(String),
    #[error("the log refuses: {0}")]
    Refused(String),
}

/// An event as it lies in the log.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RawEvent {
    pub seq: Seq,
    pub payload: Bytes,
}

impl RawEvent {
    pub fn decode(&self) -> Result<Logged, CodecError> {
        Ok(Logged { seq: self.seq, event: codec::decode(&self.payload)? })
    }
}

impl From<Found> for RawEvent {
    fn from(found: Found) -> Self {
        Self { seq: found.seq, payload: found.payload }
    }
}

#[derive(Clone)]
pub struct LogReader {
    js: Context,
    partitions: u16,
}

impl LogReader {
    pub fn new(mut js: Context, partitions: u16) -> Self {
        js.set_timeout(INFO);
        Self { js, partitions }
    }

    /// Events of a conversation from `from` on, ascending, at most `limit`. The next seq may be anywhere
    /// above the last one: a partition numbers all its conversations together.
    pub async fn from(&self, c: ConversationId, from: Seq, limit: usize) -> Result<Vec<RawEvent>, LogError> {
        let p = Partition::of(c, self.partitions);
        let (stream, subject) = (log_stream(p), subject::conv(p, c));
        let mut events: Vec<RawEvent> = Vec::new();
        let mut next = from.max(1);
        while events.len() < limit {
            let query = Query {
                seq: Some(next),
                next_by_subj: Some(&subject),
                batch: Some((limit - events.len()).min(BATCH)),
                max_bytes: Some(BATCH_BYTES),
                ..Query::default()
            };
            let answer = direct::get(&self.js, &stream, &query).await?;
            events.extend(answer.found.into_iter().map(RawEvent::from));
            match events.last() {
                Some(last) if answer.pending > 0 && last.seq >= next => next = last.seq + 1,
                _ => break,
            }
        }
        Ok(events)
    }

    /// The newest seq of each conversation; one without events in the log is missing from the answer.
    pub async fn heads(&self, cs: &[ConversationId]) -> Result<HashMap<ConversationId, Seq>, LogError> {
        let mut subjects: HashMap<Partition, Vec<String>> = HashMap::new();
        for c in cs {
            let p = Partition::of(*c, self.partitions);
            subjects.entry(p).or_default().push(subject::conv(p, *c));
        }
        let asked = subjects
            .iter()
            .flat_map(|(p, all)| all.chunks(SUBJECTS).map(|some| self.last_of(log_stream(*p), some)));
        Ok(try_join_all(asked).await?.into_iter().flatten().collect())
    }

    async fn last_of(
        &self,
        stream: String,
        subjects: &[String],
    ) -> Result<Vec<(ConversationId, Seq)>, LogError> {
        let mut heads = Vec::with_capacity(subjects.len());
        let (mut next, mut up_to) = (None, None);
        loop {
            let query = Query {
                seq: next,
                multi_last: Some(subjects),
                up_to_seq: up_to,
                batch: Some(subjects.len()),
                max_bytes: Some(BATCH_BYTES),
                ..Query::default()
            };
            let answer = direct::get(&self.js, &stream, &query).await?;
            let last = answer.found.last().map(|found| found.seq);
            heads.extend(
                answer.found.iter().filter_map(|f| Some((subject::parse_conversation(&f.subject)?.1, f.seq))),
            );
            match last {
                // Cut off by size: the rest as of the same moment.
                Some(last) if answer.pending > 0 => {
                    next = Some(last + 1);
                    up_to = answer.up_to.or(up_to);
                }
                _ => return Ok(heads),
            }
        }
    }

    pub async fn event_at(&self, p: Partition, seq: Seq) -> Result<Option<RawEvent>, LogError> {
        let query = Query { seq: Some(seq), ..Query::default() };
        let answer = direct::get(&self.js, &log_stream(p), &query).await?;
        // Without a subject the server answers exactly this seq or nothing.
        Ok(answer.found.into_iter().next().map(RawEvent::from).filter(|event| event.seq == seq))
    }

    /// The last seq ever given out in each partition.
    pub async fn last_seqs(&self) -> Result<Vec<Seq>, LogError> {
        Ok(self.states().await?.into_iter().map(|state| state.last_sequence).collect())
    }

    /// By partition, the seq up to which everything is in the store: the ack floor of `persist`. Asks the
    /// server about streams and consumers, which costs it: to be polled, never to serve a request.
    pub async fn floors(&self) -> Result<Vec<Seq>, LogError> {
        let consumers = try_join_all(Partition::all(self.partitions).map(|p| self.persister(p))).await?;
        // Asked second: what the log has forgotten by now, the consumer can only have passed. A new or
        // rebuilt log starts above 1 while its consumer still says 0.
        let states = self.states().await?;
        let floors = consumers.iter().zip(&states);
        Ok(floors
            .map(|(consumer, log)| {
                consumer.ack_floor.stream_sequence.max(log.first_sequence.saturating_sub(1))
            })
            .collect())
    }

    async fn persister(&self, p: Partition) -> Result<jetstream::consumer::Info, LogError> {
        self.info(format!("CONSUMER.INFO.{}.{PERSIST}", log_stream(p))).await
    }

    async fn states(&self) -> Result<Vec<jetstream::stream::State>, LogError> {
        let infos = Partition::all(self.partitions)
            .map(|p| self.info::<jetstream::stream::Info>(format!("STREAM.INFO.{}", log_stream(p))));
        Ok(try_join_all(infos).await?.into_iter().map(|info| info.state).collect())
    }

    async fn info<T: DeserializeOwned>(&self, question: String) -> Result<T, LogError> {
        match self.js.request(question, &json!({})).await {
            Ok(Response::Ok(info)) => Ok(info),
            Ok(Response::Err { error }) => Err(LogError::Refused(error.to_string())),
            Err(error) => Err(LogError::Unavailable(error.to_string())),
        }
    }
}
