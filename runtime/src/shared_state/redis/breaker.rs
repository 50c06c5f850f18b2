//! While Redis does not respond, one caller from time to time waits for it; the others are refused at once.

use std::{
    sync::atomic::{AtomicBool, Ordering},
    time::Duration,
};

use parking_lot::Mutex;
use tokio::time::Instant;

/// From a failure to the next attempt: of a stall, one caller in half a second pays the time-out.
const PROBE_INTERVAL: Duration = Duration::from_millis(500);

/// Closed while Redis responds: every call passes.
pub struct Breaker {
    open: AtomicBool,
    /// When the next call may pass while open.
    probe_at: Mutex<Instant>,
}

impl Breaker {
    pub fn new() -> Self {
        Self { open: AtomicBool::new(false), probe_at: Mutex::new(Instant::now()) }
    }

    pub fn is_open(&self) -> bool {
        self.open.load(Ordering::Relaxed)
    }

    /// Whether a call may pass now. While open, the one that may is the probe; it ends within `timeout`, and until then
    /// no other is let through.
    pub fn lets_pass(&self, timeout: Duration) -> bool {
        if !self.is_open() {
            return true;
        }
        let now = Instant::now();
        let mut probe_at = self.probe_at.lock();
        if *probe_at > now {
            return false;
        }
        *probe_at = now + timeout + PROBE_INTERVAL;
        true
    }

    /// A call got an answer. Returns whether this closed the breaker.
    pub fn succeeded(&self) -> bool {
        // Read first: a write for every call would move the line between cores.
        self.is_open() && self.open.swap(false, Ordering::Relaxed)
    }

    /// A call got none. Returns whether this opened the breaker.
    pub fn failed(&self) -> bool {
        *self.probe_at.lock() = Instant::now() + PROBE_INTERVAL;
        !self.open.swap(true, Ordering::Relaxed)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const TIMEOUT: Duration = Duration::from_millis(100);

    #[tokio::test(start_paused = true)]
    async fn one_call_an_interval_passes_until_one_succeeds() {
        let breaker = Breaker::new();
        assert!(breaker.lets_pass(TIMEOUT) && breaker.lets_pass(TIMEOUT));
        assert!(breaker.failed() && !breaker.failed());
        for _ in 0..3 {
            assert!(!breaker.lets_pass(TIMEOUT));
            tokio::time::advance(PROBE_INTERVAL).await;
            assert!(breaker.lets_pass(TIMEOUT));
            assert!(!breaker.lets_pass(TIMEOUT), "one probe at a time");
            tokio::time::advance(TIMEOUT).await;
            assert!(!breaker.failed());
        }
        tokio::time::advance(PROBE_INTERVAL).await;
        assert!(breaker.lets_pass(TIMEOUT));
        assert!(breaker.succeeded() && !breaker.succeeded());
        assert!(breaker.lets_pass(TIMEOUT) && breaker.lets_pass(TIMEOUT));
    }

    #[tokio::test(start_paused = true)]
    async fn a_probe_whose_caller_left_is_followed_by_another() {
        let breaker = Breaker::new();
        breaker.failed();
        tokio::time::advance(PROBE_INTERVAL).await;
        assert!(breaker.lets_pass(TIMEOUT));
        tokio::time::advance(TIMEOUT + PROBE_INTERVAL).await;
        assert!(breaker.lets_pass(TIMEOUT));
    }
}
