//! An event becomes stored, exactly once. Arrives: a subject, an id, bytes. Leaves: the seq the log gave it.
//!
//! Where the log syncs at every commit ([`Publisher::grouping`]), a few events of a partition are published one by
//! one, side by side; those that wait behind them go together, in one atomic batch that costs the log one fsync. So
//! a quiet log answers at once and a busy one keeps up. Where it does not, a batch has nothing to save: the server
//! stages each in files of its own, which costs more than to store every event by itself.
//!
//! A publish whose answer is missing may have been stored, so it is repeated with the same id until the server
//! answers: the stream knows the ids of the last five minutes and gives the first seq back.

mod group; // who goes now, who waits for whom
mod line; // those who go: to the log and back, a packet for all of a moment
mod batch; // those who waited, in one commit

use std::{sync::Arc, time::Duration};

use async_nats::{
    Client, StatusCode,
    jetstream::{ErrorCode, publish::PublishAck, response::Response},
};
use bytes::Bytes;
use natter_schemas::{backoff::Backoff, id::Seq, limits};
use tokio::{
    sync::Semaphore,
    time::{Instant, sleep, timeout_at},
};
use tracing::{debug, warn};

use group::{Groups, Place, Turn};
use line::{Line, Silence};

/// Between attempts: a leader change is over within a second or takes several.
const BACKOFF_MIN: Duration = Duration::from_millis(50);
const BACKOFF_MAX: Duration = Duration::from_secs(1);

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Stored {
    pub seq: Seq,
    /// It was there before this publish, or before a repeated attempt of it.
    pub duplicate: bool,
    pub attempts: u32,
}

#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum PublishError {
    #[error("no answer in time: it may or may not be stored")]
    TimedOut,
    #[error("the log is full: not stored")]
    Full,
    #[error("refused: {0}")]
    RpcError(String),
}

/// Publishes over one connection, so many at a time.
#[derive(Clone)]
pub struct Publisher {
    line: Line,
    slots: Arc<Semaphore>,
    /// `None`: each event goes by itself.
    groups: Option<Groups>,
}

/// What one attempt says.
enum Attempt {
    Stored {
        seq: Seq,
        duplicate: bool,
    },
    Failed(PublishError),
    /// Nobody knows whether it is stored.
    Unknown(String),
}

impl Publisher {
    /// Each event by itself.
    pub fn new(client: Client) -> Self {
        let slots = Arc::new(Semaphore::new(limits::PUBLISHES_IN_FLIGHT));
        Self { line: Line::start(client), slots, groups: None }
    }

    /// For a log that syncs at every commit: events that wait go together.
    pub fn grouping(client: Client) -> Self {
        Self { groups: Some(Groups::new(client.clone())), ..Self::new(client) }
    }

    /// Returns once the event is stored to the deployment's durability. `id` is one of the system's own ids:
    /// no text of a client may become a header.
    ///
    /// Two publishes to one subject keep their order only if the first is awaited before the second starts.
    pub async fn publish(&self, subject: String, id: &str, payload: Bytes) -> Result<Stored, PublishError> {
        let started = Instant::now();
        let turn = match &self.groups {
            Some(groups) => groups.enter(&subject, id, &payload).await,
            None => Turn::Go(None),
        };
        let stored = match turn {
            Turn::Stored(seq) => Ok(Stored { seq, duplicate: false, attempts: 1 }),
            // Held while it is on its way; whoever waits behind it goes when it is dropped.
            Turn::Go(place) => self.publish_alone(&subject, id, payload, (started, place)).await,
        };
        if stored.is_ok() {
            metrics::histogram!("natter_publish_ack_seconds").record(started.elapsed().as_secs_f64());
        }
        stored
    }

    async fn publish_alone(
        &self,
        subject: &str,
        id: &str,
        payload: Bytes,
        (started, place): (Instant, Option<Place>),
    ) -> Result<Stored, PublishError> {
        let deadline = started + limits::PUBLISH;
        let Ok(Ok(_slot)) = timeout_at(deadline, self.slots.acquire()).await else {
            return Err(PublishError::TimedOut);
        };
        let mut attempts = place.as_ref().map_or(0, Place::attempts);
        let mut backoff = Backoff::new(BACKOFF_MIN, BACKOFF_MAX);
        loop {
            attempts += 1;
            match self.attempt(subject, id, payload.clone()).await {
                Attempt::Stored { seq, duplicate } => return Ok(Stored { seq, duplicate, attempts }),
                Attempt::Failed(error) => {
                    warn!(%subject, %id, attempts, %error, "publish failed");
                    return Err(error);
                }
                Attempt::Unknown(reason) => {
                    let wait = backoff.next_delay();
                    if Instant::now() + wait >= deadline {
                        warn!(%subject, %id, attempts, reason, "publish gave up, its outcome is unknown");
                        return Err(PublishError::TimedOut);
                    }
                    debug!(%subject, %id, attempts, reason, "publish is tried again with the same id");
                    metrics::counter!("natter_publish_retries_total").increment(1);
                    sleep(wait).await;
                }
            }
        }
    }

    async fn attempt(&self, subject: &str, id: &str, payload: Bytes) -> Attempt {
        match self.line.ask(subject, id, payload).await {
            Ok(answer) if answer.status == Some(StatusCode::NO_RESPONDERS) => {
                Attempt::Unknown("no stream takes it".to_owned())
            }
            Ok(answer) => read_answer(&answer.payload),
            Err(Silence::RpcError(reason)) => Attempt::Failed(PublishError::RpcError(reason)),
            Err(Silence::Unknown(reason)) => Attempt::Unknown(reason),
        }
    }
}

fn read_answer(payload: &[u8]) -> Attempt {
    let error = match serde_json::from_slice::<Response<PublishAck>>(payload) {
        Ok(Response::Ok(ack)) => return Attempt::Stored { seq: ack.sequence, duplicate: ack.duplicate },
        Ok(Response::Err { error }) => error,
        Err(error) => return Attempt::Unknown(format!("an answer that is not one: {error}")),
    };
    let text = error.to_string();
    match error.error_code() {
        // The same id is being stored by an earlier attempt that has not finished.
        ErrorCode::STREAM_DUPLICATE_MESSAGE_CONFLICT => Attempt::Unknown(text),
        ErrorCode::INSUFFICIENT_RESOURCES
        | ErrorCode::STORAGE_RESOURCES_EXCEEDED
        | ErrorCode::ACCOUNT_RESOURCES_EXCEEDED => Attempt::Failed(PublishError::Full),
        // One number for everything a store can say; only these mean that there is no room.
        ErrorCode::STREAM_STORE_FAILED if text.contains("maximum") || text.contains("no space left") => {
            Attempt::Failed(PublishError::Full)
        }
        // No leader, shutting down, too busy: each passes.
        _ if matches!(error.code(), 429 | 503) => Attempt::Unknown(text),
        _ => Attempt::Failed(PublishError::RpcError(text)),
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
    fn a_full_log_is_told_from_a_passing_failure() {
        for full in [
            answer(503, 10077, "maximum bytes exceeded"),
            answer(503, 10077, "maximum messages exceeded"),
            answer(503, 10023, "insufficient resources"),
            answer(500, 10047, "insufficient storage resources available"),
        ] {
            assert!(matches!(full, Attempt::Failed(PublishError::Full)));
        }
        for passing in [
            answer(503, 10077, "store is closed"),
            answer(503, 10008, "JetStream system temporarily unavailable"),
            answer(409, 10158, "duplicate message id is in process"),
            answer(429, 10167, "too many requests"),
            read_answer(b"?"),
        ] {
            assert!(matches!(passing, Attempt::Unknown(_)));
        }
        let refused = answer(400, 10054, "message size exceeds maximum allowed");
        assert!(matches!(refused, Attempt::Failed(PublishError::RpcError(_))));
    }
}
