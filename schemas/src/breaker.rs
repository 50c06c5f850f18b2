//! While a service does not respond, one caller from time to time waits for it; the others are refused at once.

use std::{
    sync::atomic::{AtomicBool, Ordering},
    time::{Duration, Instant},
};

use parking_lot::Mutex;

/// From a failure to the next attempt: of a stall, one caller in half a second pays the time-out.
const PROBE_INTERVAL: Duration = Duration::from_millis(500);

/// Closed while the service responds: every call passes.
#[derive(Debug, Default)]
pub struct Breaker {
    open: AtomicBool,
    /// When the next call may pass while open.
    probe_at: Mutex<Option<Instant>>,
}

impl Breaker {
    /// One that is closed.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Whether calls are refused but for the probe.
    pub fn is_open(&self) -> bool {
        self.open.load(Ordering::Relaxed)
    }

    /// Whether a call may pass at `now`. While open, the one that may is the probe; it ends within `timeout`, and until then
    /// no other is let through.
    pub fn lets_pass(&self, now: Instant, timeout: Duration) -> bool {
        if !self.is_open() {
            return true;
        }
        let mut probe_at = self.probe_at.lock();
        if probe_at.is_some_and(|at| at > now) {
            return false;
        }
        *probe_at = Some(now + timeout + PROBE_INTERVAL);
        true
    }

    /// A call got an answer. Returns whether this closed the breaker.
    pub fn succeeded(&self) -> bool {
        // Read first: a write for every call would move the line between cores.
        self.is_open() && self.open.swap(false, Ordering::Relaxed)
    }

    /// A call got none by `now`. Returns whether this opened the breaker.
    pub fn failed(&self, now: Instant) -> bool {
        *self.probe_at.lock() = Some(now + PROBE_INTERVAL);
        !self.open.swap(true, Ordering::Relaxed)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const TIMEOUT: Duration = Duration::from_millis(100);

    #[test]
    fn one_call_an_interval_passes_until_one_succeeds() {
        let (breaker, mut now) = (Breaker::new(), Instant::now());
        assert!(breaker.lets_pass(now, TIMEOUT) && breaker.lets_pass(now, TIMEOUT));
        assert!(breaker.failed(now) && !breaker.failed(now));
        for _ in 0..3 {
            assert!(!breaker.lets_pass(now, TIMEOUT));
            now += PROBE_INTERVAL;
            assert!(breaker.lets_pass(now, TIMEOUT));
            assert!(!breaker.lets_pass(now, TIMEOUT), "one probe at a time");
            now += TIMEOUT;
            assert!(!breaker.failed(now));
        }
        now += PROBE_INTERVAL;
        assert!(breaker.lets_pass(now, TIMEOUT));
        assert!(breaker.succeeded() && !breaker.succeeded());
        assert!(breaker.lets_pass(now, TIMEOUT) && breaker.lets_pass(now, TIMEOUT));
    }

    #[test]
    fn a_probe_whose_caller_left_is_followed_by_another() {
        let (breaker, mut now) = (Breaker::new(), Instant::now());
        breaker.failed(now);
        now += PROBE_INTERVAL;
        assert!(breaker.lets_pass(now, TIMEOUT));
        now += TIMEOUT + PROBE_INTERVAL;
        assert!(breaker.lets_pass(now, TIMEOUT));
    }
}
