//! Where events go that a job can never use: stream `PARKED`, payload untouched, with the reason and where it
//! came from in headers.

use std::time::Duration;

use natter_nats::{
    async_nats::jetstream::{self, context::PublishError, message::PublishMessage},
    header, subject,
};
use natter_schemas::id::Partition;

use crate::consume::Delivery;

/// The server's answer; past it the event is tried again with the same id.
const WITHIN: Duration = Duration::from_secs(5);

#[derive(Debug, thiserror::Error)]
pub enum ParkError {
    #[error("not stored: {0}")]
    Publish(#[from] PublishError),
    #[error("no answer within {WITHIN:?}")]
    TimedOut,
}

#[derive(Clone)]
pub struct ParkPublisher {
    js: jetstream::Context,
}

impl ParkPublisher {
    pub const fn new(js: jetstream::Context) -> Self {
        Self { js }
    }

    /// Stores a copy; the same event of the same job is stored once.
    pub async fn park(
        &self,
        job: &str,
        p: Partition,
        event: &Delivery,
        reason: &str,
    ) -> Result<(), ParkError> {
        let message = PublishMessage::build()
            .payload(event.payload.clone())
            .header(header::PARKED_REASON, one_line(reason).as_str())
            .header(header::PARKED_SUBJECT, event.subject.as_str())
            .header(header::PARKED_SEQ, event.seq.to_string().as_str())
            .message_id(format!("{job}:{p}:{}", event.seq));
        let message = match event.proof {
            Some(proof) => message.header(header::DECISION, proof.to_string().as_str()),
            None => message,
        };
        let stored = async { self.js.send_publish(subject::parked(job, p), message).await?.await };
        tokio::time::timeout(WITHIN, stored).await.map_err(|_| ParkError::TimedOut)??;
        Ok(())
    }
}

/// A header is one line.
fn one_line(text: &str) -> String {
    text.chars().map(|c| if c.is_control() { ' ' } else { c }).collect()
}
