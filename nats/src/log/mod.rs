//! Stored events read back. By conversation and position: Direct Get (ADR-31), which any copy of a stream
//! answers and which makes no consumer. By partition: where the log and its persister are.

mod passing; // asked again while a server cannot answer yet
mod direct; // one Direct Get request and its answers
mod leader; // how far an answer must reach where there are several copies
mod order; // streams in their own order, for commands that go over everything
mod mirror; // where the log and its mirror are, how much is parked
mod decisions; // whether a worker made them
mod reads; // read marks of a user, to be erased

pub use decisions::{Claim, Decisions};
pub use mirror::Extent;
pub use order::StoredMessage;

use std::{collections::HashMap, time::Duration};

use async_nats::jetstream::{self, Context, response::Response};
use bytes::Bytes;
use futures_util::future::try_join_all;
use natter_schemas::{
    codec::{self, CodecError},
    decision::Proof,
    event::LogEntry,
    id::{ConversationId, Partition, Seq},
};
use serde::de::DeserializeOwned;
use serde_json::{Value, json};

use crate::{
    header, subject,
    topology::{PERSIST, log_stream},
};
use direct::{DirectMessage, Query};
use leader::{FollowerWait, Leader};

/// This many are asked for one after another before a batch is. With a batch the server also counts what is left,
/// which takes it a walk over a block of the log, in the way of whoever publishes; most readers want a few events.
/// Near the log's end there is little to count.
const SINGLES: usize = 8;
/// Events asked for at once. The server stops earlier, at `BATCH_BYTES`; the reader then goes on.
const BATCH: usize = 500;
/// The server's answer waits in this connection's buffers: well below its limit of 64 MiB.
const BATCH_BYTES: usize = 4 * 1024 * 1024;
/// Subjects in one question; the server takes 1,024.
const SUBJECTS: usize = 1_000;
/// Of a question about a stream or consumer.
const INFO: Duration = Duration::from_secs(3);

/// Why the log was not read.
#[derive(Debug, thiserror::Error)]
pub enum LogError {
    /// May succeed when repeated.
    #[error("the log does not answer: {0}")]
    Unavailable(String),
    /// The server says that it cannot answer yet; it is asked again for some seconds, and is `Unavailable` then.
    #[error("the log does not answer yet: {0}")]
    NotYet(String),
    /// A defect here, or a log of another version.
    #[error("the log refuses: {0}")]
    Rejected(String),
}

impl LogError {
    /// Of an error that JetStream answers with. Not provisioned or just being made again (404), too busy (429), no
    /// leader or shutting down (503): each passes, and the question was not wrong.
    fn from_answer(error: &jetstream::Error) -> Self {
        match error.code() {
            503 => Self::NotYet(error.to_string()),
            404 | 429 => Self::Unavailable(error.to_string()),
            _ => Self::Rejected(error.to_string()),
        }
    }
}

/// An event as it lies in the log.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RawEvent {
    /// Its position in the partition's log.
    pub seq: Seq,
    /// Its bytes, as published.
    pub payload: Bytes,
    proof: Option<Proof>,
    /// It is a decision, and no worker made it.
    is_forged: bool,
}

/// Why an event of the log is none.
#[derive(Debug, thiserror::Error)]
pub enum Unusable {
    /// Of no version known here, or no event at all.
    #[error(transparent)]
    Unreadable(#[from] CodecError),
    /// Who is a member is decided by workers.
    #[error("no worker decided it")]
    Forged,
}

impl RawEvent {
    /// As if it was read from the log.
    pub const fn new(seq: Seq, payload: Bytes) -> Self {
        Self { seq, payload, proof: None, is_forged: false }
    }

    /// The event.
    ///
    /// # Errors
    /// Its bytes are no event of a version known here, or it does not count.
    pub fn decode(&self) -> Result<LogEntry, Unusable> {
        if self.is_forged {
            return Err(Unusable::Forged);
        }
        Ok(LogEntry { seq: self.seq, event: codec::decode(&self.payload)? })
    }
}

impl From<DirectMessage> for RawEvent {
    fn from(found: DirectMessage) -> Self {
        let proof = header::proof(Some(&found.headers));
        Self { proof, ..Self::new(found.seq, found.payload) }
    }
}

/// A conversation's log from some position to its end, or to as many events as were wanted.
#[derive(Debug, Default)]
pub struct End {
    /// Ascending by seq.
    pub events: Vec<RawEvent>,
    /// Newest seq of the conversation, also if it lies below the position; `None`: the log has nothing of it.
    pub newest: Option<Seq>,
    /// More events follow the last one.
    pub cut: bool,
}

/// How much of a conversation's log is read at once: whichever is reached first.
#[derive(Debug, Clone, Copy)]
pub struct Portion {
    /// Events.
    pub events: usize,
    /// Bytes of their payloads; at most twice as many are read.
    pub bytes: usize,
}

/// The newest event of a conversation.
struct Newest {
    seq: Seq,
    /// Only where it was read by Direct Get: a leader gives the seq alone.
    event: Option<RawEvent>,
}

/// Reads the log of every partition, by Direct Get.
#[derive(Clone)]
pub struct LogReader {
    js: Context,
    partitions: u16,
    leader: Leader,
    decisions: Option<Decisions>,
}

/// How far `persist` is in a partition.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Progress {
    /// Everything up to here is in the store.
    pub floor: Seq,
    /// The log's last seq, read after `floor`.
    pub last: Seq,
}

impl LogReader {
    /// `partitions` are the deployment's.
    pub fn new(mut js: Context, partitions: u16) -> Self {
        js.set_timeout(INFO);
        Self { js, partitions, leader: Leader::default(), decisions: None }
    }

    /// Events of a conversation from `from` on, ascending, at most `limit`: all that were acked before the
    /// question. The next seq may be anywhere above the last one: a partition numbers all its conversations
    /// together.
    pub async fn from(&self, c: ConversationId, from: Seq, limit: usize) -> Result<Vec<RawEvent>, LogError> {
        let all = Portion { events: limit, bytes: usize::MAX };
        Ok(self.end(c, from, all, false).await?.events)
    }

    /// The same, and where the conversation ends. `near`: few events of other conversations lie above `from`.
    pub async fn end(
        &self,
        c: ConversationId,
        from: Seq,
        portion: Portion,
        near: bool,
    ) -> Result<End, LogError> {
        let p = Partition::of(c, self.partitions);
        let (stream, subject) = (log_stream(p), subject::conv(p, c));
        // Asked first, so that no further question is needed to know whether more follows the last one.
        let Some(mut newest) = self.newest(&stream, &subject).await? else { return Ok(End::default()) };
        let singles = if near { 0 } else { SINGLES };
        let wait = FollowerWait::new();
        let (mut events, mut bytes) = (Vec::<RawEvent>::new(), 0);
        let mut next = from.max(1);
        while events.len() < portion.events && bytes < portion.bytes && next <= newest.seq {
            if let Some(event) = newest.event.take_if(|event| event.seq == next) {
                next += 1;
                events.push(event);
                break;
            }
            let batch = (events.len() >= singles).then(|| (portion.events - events.len()).min(BATCH));
            let query = Query {
                seq: Some(next),
                next_by_subj: Some(&subject),
                batch,
                max_bytes: batch.map(|_| BATCH_BYTES.min(portion.bytes)),
                ..Query::default()
            };
            let found = direct::get(&self.js, &stream, &query).await?.messages;
            let went_on = !found.is_empty();
            bytes += found.iter().map(|found| found.payload.len()).sum::<usize>();
            events.extend(found.into_iter().map(RawEvent::from));
            next = events.last().map_or(next, |last| last.seq + 1);
            if !went_on {
                // This copy ends before the leader does, or what was the newest is gone.
                wait.pause().await?;
                let Some(now) = self.newest(&stream, &subject).await? else { break };
                newest = now;
            }
        }
        self.judge(p, &mut events).await?;
        let last = events.last().map_or(newest.seq, |last| last.seq.max(newest.seq));
        Ok(End { events, newest: Some(last), cut: next <= last })
    }

    /// The newest seq of each conversation; one without events in the log is missing from the answer.
    pub async fn heads(&self, cs: &[ConversationId]) -> Result<HashMap<ConversationId, Seq>, LogError> {
        let mut subjects: HashMap<Partition, Vec<String>> = HashMap::new();
        for c in cs {
            let p = Partition::of(*c, self.partitions);
            subjects.entry(p).or_default().push(subject::conv(p, *c));
        }
        let asked = subjects.into_iter().flat_map(|(p, all)| {
            let parts: Vec<Vec<String>> = all.chunks(SUBJECTS).map(<[String]>::to_vec).collect();
            parts.into_iter().map(move |part| self.heads_in(p, part))
        });
        Ok(try_join_all(asked).await?.into_iter().flatten().collect())
    }

    /// The leader's newest event is asked for along with the others: a copy that has it has all before it.
    async fn heads_in(
        &self,
        p: Partition,
        mut subjects: Vec<String>,
    ) -> Result<HashMap<ConversationId, Seq>, LogError> {
        let stream = log_stream(p);
        let reach = self.last_on_leader(&stream, &subject::conv_all(p)).await?;
        let extra = reach.as_ref().map(|last| last.subject.clone()).filter(|s| !subjects.contains(s));
        subjects.extend(extra.clone());
        let wait = FollowerWait::new();
        loop {
            let mut heads = self.last_of(&stream, &subjects).await?;
            if reach.as_ref().is_none_or(|last| heads.get(&last.subject).is_some_and(|seq| *seq >= last.seq))
            {
                if let Some(extra) = &extra {
                    heads.remove(extra);
                }
                let by_id = |(s, seq): (String, Seq)| Some((subject::parse_conversation(&s)?.1, seq));
                return Ok(heads.into_iter().filter_map(by_id).collect());
            }
            wait.pause().await?;
        }
    }

    async fn last_of(&self, stream: &str, subjects: &[String]) -> Result<HashMap<String, Seq>, LogError> {
        let mut heads = HashMap::with_capacity(subjects.len());
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
            let answer = direct::get(&self.js, stream, &query).await?;
            let last = answer.messages.last().map(|found| found.seq);
            heads.extend(answer.messages.into_iter().map(|found| (found.subject, found.seq)));
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

    async fn newest(&self, stream: &str, subject: &str) -> Result<Option<Newest>, LogError> {
        if self.leader.has_followers(&self.js).await? {
            let last = leader::last(&self.js, stream, subject).await?;
            return Ok(last.map(|last| Newest { seq: last.seq, event: None }));
        }
        let query = Query { last_by_subj: Some(subject), ..Query::default() };
        let found = direct::get(&self.js, stream, &query).await?.messages.pop();
        Ok(found.map(RawEvent::from).map(|event| Newest { seq: event.seq, event: Some(event) }))
    }

    /// `None` where there is one copy, which then is the leader, or nothing at all.
    async fn last_on_leader(&self, stream: &str, subject: &str) -> Result<Option<leader::Last>, LogError> {
        if self.leader.has_followers(&self.js).await? {
            leader::last(&self.js, stream, subject).await
        } else {
            Ok(None)
        }
    }

    /// The event at a seq; `None`: the log does not have it, or not any more.
    pub async fn event_at(&self, p: Partition, seq: Seq) -> Result<Option<RawEvent>, LogError> {
        let query = Query { seq: Some(seq), ..Query::default() };
        let answer = direct::get(&self.js, &log_stream(p), &query).await?;
        // Without a subject the server answers exactly this seq or nothing.
        let mut found =
            answer.messages.into_iter().next().map(RawEvent::from).filter(|event| event.seq == seq);
        self.judge(p, found.as_mut_slice()).await?;
        Ok(found)
    }

    /// The last seq ever given out in each partition.
    pub async fn last_seqs(&self) -> Result<Vec<Seq>, LogError> {
        Ok(self.states().await?.into_iter().map(|state| state.last_sequence).collect())
    }

    /// By partition, the seq up to which everything is in the store: the ack floor of `persist`. Asks the
    /// server about streams and consumers, which costs it: to be polled, never to serve a request.
    pub async fn floors(&self) -> Result<Vec<Seq>, LogError> {
        Ok(self.progress().await?.into_iter().map(|progress| progress.floor).collect())
    }

    /// The same, and where each log ended then.
    pub async fn progress(&self) -> Result<Vec<Progress>, LogError> {
        let consumers = try_join_all(Partition::all(self.partitions).map(|p| self.persister(p))).await?;
        // Asked second: what the log has forgotten by now, the consumer can only have passed. A new or
        // rebuilt log starts above 1 while its consumer still reports 0.
        let states = self.states().await?;
        let floors = consumers.iter().zip(&states);
        Ok(floors
            .map(|(consumer, log)| Progress {
                floor: consumer.ack_floor.stream_sequence.max(log.first_sequence.saturating_sub(1)),
                last: log.last_sequence,
            })
            .collect())
    }

    async fn persister(&self, p: Partition) -> Result<jetstream::consumer::Info, LogError> {
        info(&self.js, format!("CONSUMER.INFO.{}.{PERSIST}", log_stream(p)), &json!({})).await
    }

    async fn states(&self) -> Result<Vec<jetstream::stream::State>, LogError> {
        try_join_all(Partition::all(self.partitions).map(|p| async move { self.state(p).await })).await
    }

    async fn state(&self, p: Partition) -> Result<jetstream::stream::State, LogError> {
        let question = format!("STREAM.INFO.{}", log_stream(p));
        Ok(info::<jetstream::stream::Info>(&self.js, question, &json!({})).await?.state)
    }
}

pub(crate) async fn info<T: DeserializeOwned>(
    js: &Context,
    question: String,
    body: &Value,
) -> Result<T, LogError> {
    passing::outlast(|| async {
        match js.request(question.clone(), body).await {
            Ok(Response::Ok(info)) => Ok(info),
            Ok(Response::Err { error }) => Err(LogError::from_answer(&error)),
            Err(error) => Err(LogError::Unavailable(error.to_string())),
        }
    })
    .await
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn answers_of_a_server_without_a_leader_may_succeed_when_repeated() {
        let error = |code: u16, number: u16| {
            let json = json!({ "code": code, "err_code": number, "description": "x" });
            LogError::from_answer(&serde_json::from_value(json).unwrap())
        };
        assert!(matches!(error(503, 10008), LogError::NotYet(_)));
        for (code, number) in [(404, 10059), (429, 10167)] {
            assert!(matches!(error(code, number), LogError::Unavailable(_)), "{number}");
        }
        assert!(matches!(error(400, 10003), LogError::Rejected(_)));
    }
}
