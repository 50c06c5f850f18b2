//! An event becomes stored, exactly once. Arrives: a subject, an id, bytes. Leaves: the seq the log gave it.
//!
//! Where the log syncs at every commit ([`Publisher::grouping`]), a few events of a partition are published one by
//! one, side by side; those that wait behind them go together, in one atomic batch that costs the log one fsync. So
//! a quiet log answers at once and a busy one keeps up. Where it does not, a batch has nothing to save: the server
//! stages each in files of its own, which costs more than to store every event by itself.
//!
//! A publish whose answer is missing may have been stored, so it is repeated with the same id until the server
//! answers, after a broken connection as soon as there is a new one: the stream knows the ids of the last five minutes and gives the first seq back.

mod conditional; // events that are stored only behind a certain one
mod commit_group; // which event is published now, which is queued
mod ack_router; // single events to the log, and its acks back
mod batch; // queued events, in one commit
mod health; // whether the log takes them
mod failing; // streams that do not
mod ends; // how far it is known to reach
mod majority; // whether a stream has lost most of its servers to disks
mod servers; // which servers run
mod ask; // one question to them

use std::{sync::Arc, time::Duration};

use async_nats::{
    Client, StatusCode,
    jetstream::{ErrorCode, publish::PublishAck, response::Response},
};
use bytes::Bytes;
use natter_schemas::{backoff::Backoff, decision::Proof, id::Seq, limits};
use tokio::{
    sync::Semaphore,
    time::{Instant, sleep, timeout_at},
};
use tracing::{debug, warn};

use crate::header;
use ack_router::{AckRouter, NoAck, SingleEvent};
use commit_group::{Admission, CommitGroups, Permit};
pub use conditional::NewEvent;
pub use health::LogHealth;

/// Between attempts: a leader change is over within a second or takes several.
const BACKOFF_MIN: Duration = Duration::from_millis(50);
const BACKOFF_MAX: Duration = Duration::from_secs(1);

/// What the log did with an event.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Stored {
    /// The position of the stored one.
    pub seq: Seq,
    /// It was there before this publish, or before a repeated attempt of it.
    pub duplicate: bool,
    /// Including the one that was answered. More than one: an earlier one may have stored it.
    pub attempts: u32,
}

/// Why an event is not known to be stored.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum PublishError {
    /// After [`limits::PUBLISH`]. Publishing the same id again finds out.
    #[error("no answer in time: it may or may not be stored")]
    TimedOut,
    /// By its bytes, its messages or the disk.
    #[error("the log is full: not stored")]
    Full,
    /// The server keeps a write error, or most servers of a cluster do. What was written before may include the event.
    #[error("the log cannot write: the disks of its servers are full or failing")]
    NotWritten,
    /// The log gave out a seq that it had given out before. What it stores now would be taken for other events.
    #[error("the log was rolled back: nothing is stored until it has been restored or made again")]
    RolledBack,
    /// Not stored: the conversation's last event is another than the expected one.
    #[error("the conversation has moved on: not stored")]
    Moved,
    /// Not stored, and repeating does not help.
    #[error("refused: {0}")]
    Rejected(String),
}

/// Publishes over one connection, so many at a time.
#[derive(Clone)]
pub struct Publisher {
    client: Client,
    acks: AckRouter,
    slots: Arc<Semaphore>,
    /// `None`: each event is published by itself.
    groups: Option<CommitGroups>,
    health: LogHealth,
}

/// What came of one attempt.
enum Attempt {
    Stored {
        seq: Seq,
        duplicate: bool,
    },
    Failed(PublishError),
    /// It may or may not be stored.
    Unknown(String),
}

impl Publisher {
    /// Each event by itself.
    pub fn new(client: Client) -> Self {
        let slots = Arc::new(Semaphore::new(limits::PUBLISHES_IN_FLIGHT));
        let health = LogHealth::new(client.clone());
        Self { acks: AckRouter::start(client.clone()), client, slots, groups: None, health }
    }

    /// For a log that syncs at every commit: events that wait go together.
    pub fn grouping(client: Client) -> Self {
        let single = Self::new(client.clone());
        Self { groups: Some(CommitGroups::new(client, single.health.clone())), ..single }
    }

    /// Of the streams that were published to.
    pub const fn health(&self) -> &LogHealth {
        &self.health
    }

    /// Returns once the event is stored to the deployment's durability. `id` is one of the system's own ids:
    /// no text of a client may become a header.
    ///
    /// Two publishes to one subject keep their order only if the first is awaited before the second starts.
    pub async fn publish(&self, subject: String, id: &str, payload: Bytes) -> Result<Stored, PublishError> {
        self.publish_with(subject, id, payload, None).await
    }

    /// The same for an event that a worker decided, with the proof of it.
    pub async fn publish_with(
        &self,
        subject: String,
        id: &str,
        payload: Bytes,
        proof: Option<Proof>,
    ) -> Result<Stored, PublishError> {
        let (started, end) = (Instant::now(), self.health.end(&subject));
        let admission = match &self.groups {
            // Groups are of what edges publish.
            Some(groups) if proof.is_none() => groups.admit(&subject, id, &payload).await,
            _ => Admission::Single(None),
        };
        let stored = match admission {
            Admission::Stored(seq) => Ok(Stored { seq, duplicate: false, attempts: 1 }),
            // The permit is held meanwhile; dropping it admits the next event.
            Admission::Single(permit) => {
                let (subject, id, origin) = (subject.clone(), id.to_owned(), header::kept_trace_context());
                let event = SingleEvent { subject, id, payload, after: None, proof, origin };
                self.publish_single(event, (started, permit)).await
            }
        };
        let stored = self.health.settle(&subject, end, stored);
        if stored.is_ok() {
            metrics::histogram!("natter_publish_ack_seconds").record(started.elapsed().as_secs_f64());
        }
        stored
    }

    async fn publish_single(
        &self,
        event: SingleEvent,
        (started, permit): (Instant, Option<Permit>),
    ) -> Result<Stored, PublishError> {
        let deadline = started + limits::PUBLISH;
        let Ok(Ok(_slot)) = timeout_at(deadline, self.slots.acquire()).await else {
            return Err(PublishError::TimedOut);
        };
        let attempts = permit.as_ref().map_or(0, Permit::attempts);
        tokio::select! {
            biased;
            stored = self.publish_until(deadline, &event, attempts) => stored,
            () = self.health.stalled(&event.subject) => {
                let error = PublishError::NotWritten;
                warn!(subject = %event.subject, event = %event.id, %error, "event not published");
                Err(error)
            }
        }
    }

    async fn publish_until(
        &self,
        deadline: Instant,
        event: &SingleEvent,
        mut attempts: u32,
    ) -> Result<Stored, PublishError> {
        let (subject, id) = (&event.subject, &event.id);
        let mut backoff = Backoff::new(BACKOFF_MIN, BACKOFF_MAX);
        loop {
            attempts += 1;
            self.health.admit(subject)?;
            match self.attempt(event.clone()).await {
                Attempt::Stored { seq, duplicate } => return Ok(Stored { seq, duplicate, attempts }),
                // Whoever decides on the subject's end expects it now and then.
                Attempt::Failed(PublishError::Moved) => return Err(PublishError::Moved),
                Attempt::Failed(error) => {
                    warn!(%subject, event = %id, attempts, %error, "event not published");
                    return Err(error);
                }
                Attempt::Unknown(reason) => {
                    let wait = backoff.next_delay();
                    if Instant::now() + wait >= deadline {
                        warn!(%subject, event = %id, attempts, reason, "publish not acknowledged in time; given up, and the event may or may not be stored");
                        return Err(PublishError::TimedOut);
                    }
                    debug!(%subject, event = %id, attempts, reason, "publish not acknowledged in time; retrying with the same event id");
                    metrics::counter!("natter_publish_retries_total").increment(1);
                    sleep(wait).await;
                }
            }
        }
    }

    async fn attempt(&self, event: SingleEvent) -> Attempt {
        let subject = event.subject.clone();
        let answer = tokio::select! {
            biased;
            answer = self.acks.publish(event) => answer,
            () = self.health.dropped(&subject) => return Attempt::Failed(PublishError::NotWritten),
        };
        match answer {
            Ok(answer) if answer.status == Some(StatusCode::NO_RESPONDERS) => {
                Attempt::Unknown("no stream takes it".to_owned())
            }
            Ok(answer) => read_answer(&answer.payload),
            Err(NoAck::Rejected(reason)) => Attempt::Failed(PublishError::Rejected(reason)),
            Err(NoAck::Unknown(reason)) => Attempt::Unknown(reason),
        }
    }
}

fn read_answer(payload: &[u8]) -> Attempt {
    let error = match serde_json::from_slice::<Response<PublishAck>>(payload) {
        Ok(Response::Ok(ack)) => return Attempt::Stored { seq: ack.sequence, duplicate: ack.duplicate },
        Ok(Response::Err { error }) => error,
        Err(error) => return Attempt::Unknown(format!("an answer that cannot be read: {error}")),
    };
    let text = error.to_string();
    match error.error_code() {
        // The same id is being stored by an earlier attempt that has not finished.
        ErrorCode::STREAM_DUPLICATE_MESSAGE_CONFLICT
        // An earlier attempt stored the batch, its rest was lost on the way, or too many others wait for theirs.
        | ErrorCode::ATOMIC_PUBLISH_CONTAINS_DUPLICATE_MESSAGE
        | ErrorCode::ATOMIC_PUBLISH_INCOMPLETE_BATCH
        | ErrorCode::ATOMIC_PUBLISH_TOO_MANY_INFLIGHT => Attempt::Unknown(text),
        ErrorCode::STREAM_WRONG_LAST_SEQUENCE | ErrorCode::STREAM_WRONG_LAST_SEQUENCE_CONSTANT => {
            Attempt::Failed(PublishError::Moved)
        }
        ErrorCode::INSUFFICIENT_RESOURCES
        | ErrorCode::STORAGE_RESOURCES_EXCEEDED
        | ErrorCode::ACCOUNT_RESOURCES_EXCEEDED => Attempt::Failed(PublishError::Full),
        // One number for everything a store can say; only these mean that there is no room.
        ErrorCode::STREAM_STORE_FAILED if text.contains("maximum") || text.contains("no space left") => {
            Attempt::Failed(PublishError::Full)
        }
        // No leader, shutting down, too busy: each passes.
        _ if matches!(error.code(), 429 | 503) => Attempt::Unknown(text),
        _ => Attempt::Failed(PublishError::Rejected(text)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn answer(code: u16, number: u16, text: &str) -> Attempt {
        let json = format!(r#"{{"error":{{"code":{code},"err_code":{number},"description":"{text}"}}}}"#);
        read_answer(json.as_bytes())
    }

    #[test]
    fn a_full_log_is_distinguished_from_a_transient_failure() {
        for full in [
            answer(503, 10077, "maximum bytes exceeded"),
            answer(503, 10077, "maximum messages exceeded"),
            answer(503, 10023, "insufficient resources"),
            answer(500, 10047, "insufficient storage resources available"),
        ] {
            assert!(matches!(full, Attempt::Failed(PublishError::Full)));
        }
        for transient in [
            answer(503, 10077, "store is closed"),
            answer(503, 10008, "JetStream system temporarily unavailable"),
            answer(409, 10158, "duplicate message id is in process"),
            answer(429, 10167, "too many requests"),
            answer(400, 10176, "atomic publish batch is incomplete"),
            answer(400, 10201, "atomic publish batch contains duplicate message id"),
            answer(429, 10210, "atomic publish too many inflight"),
            read_answer(b"?"),
        ] {
            assert!(matches!(transient, Attempt::Unknown(_)));
        }
        for moved in [answer(400, 10071, "wrong last sequence: 7"), answer(400, 10164, "wrong last sequence")]
        {
            assert!(matches!(moved, Attempt::Failed(PublishError::Moved)));
        }
        let refused = answer(400, 10054, "message size exceeds maximum allowed");
        assert!(matches!(refused, Attempt::Failed(PublishError::Rejected(_))));
    }
}
