//! Messages that this process cannot decode, most likely sent by a newer version: each is counted, and one line a
//! minute is logged, because a peer that sends one sends thousands.

use std::{fmt::Display, time::Duration};

use parking_lot::Mutex;
use tokio::time::Instant;
use tracing::warn;

const LOG_EVERY: Duration = Duration::from_mins(1);

/// Counts and logs unreadable messages of one kind.
pub struct Unreadable {
    kind: &'static str,
    log: Mutex<Log>,
}

#[derive(Default)]
struct Log {
    last: Option<Instant>,
    /// Counted since the last line.
    unlogged: u64,
}

impl Unreadable {
    pub fn new(kind: &'static str) -> Self {
        Self { kind, log: Mutex::default() }
    }

    /// One message was skipped: where it came from, and why.
    pub fn report(&self, subject: &str, reason: impl Display) {
        metrics::counter!("natter_unreadable_messages_total", "kind" => self.kind).increment(1);
        let due = self.log.lock().due(Instant::now());
        if let Some(count) = due {
            warn!(kind = self.kind, subject, %reason, count, "messages cannot be decoded and were skipped");
        }
    }
}

impl Log {
    /// How many messages a line logged now stands for; `None` if the last line is too recent.
    fn due(&mut self, now: Instant) -> Option<u64> {
        self.unlogged += 1;
        if self.last.is_some_and(|last| now < last + LOG_EVERY) {
            return None;
        }
        self.last = Some(now);
        Some(std::mem::take(&mut self.unlogged))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_is_logged_at_once_and_the_rest_once_a_minute_with_their_count() {
        let (mut log, start) = (Log::default(), Instant::now());
        let at = |seconds| start + Duration::from_secs(seconds);
        assert_eq!(log.due(at(0)), Some(1));
        assert_eq!(log.due(at(1)), None);
        assert_eq!(log.due(at(59)), None);
        assert_eq!(log.due(at(60)), Some(3));
        assert_eq!(log.due(at(61)), None);
    }
}
