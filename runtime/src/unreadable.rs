//! Messages that this process cannot decode, most likely sent by a newer version: each is counted, and one line a
//! minute is logged, because a peer that sends one sends thousands.

use std::{fmt::Display, time::Duration};

use tracing::warn;

use crate::sampled::Sampled;

const LOG_EVERY: Duration = Duration::from_mins(1);

/// Counts and logs unreadable messages of one kind.
pub struct Unreadable {
    kind: &'static str,
    log: Sampled,
}

impl Unreadable {
    pub fn new(kind: &'static str) -> Self {
        Self { kind, log: Sampled::once_a(LOG_EVERY) }
    }

    /// One message was skipped: where it came from, and why.
    pub fn report(&self, subject: &str, reason: impl Display) {
        metrics::counter!("natter_unreadable_messages_total", "kind" => self.kind).increment(1);
        if let Some(count) = self.log.due() {
            warn!(kind = self.kind, subject, %reason, count, "messages cannot be decoded and were skipped");
        }
    }
}
