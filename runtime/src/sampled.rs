//! What may happen thousands of times a second is logged now and then, with how often it happened since.

use std::time::Duration;

use parking_lot::Mutex;
use tokio::time::Instant;

/// Decides which of many occurrences get a line.
#[derive(Debug)]
pub struct Sampled {
    every: Duration,
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    last: Option<Instant>,
    /// Counted since the last line.
    unlogged: u64,
}

impl Sampled {
    /// The first at once, then at most one in this time.
    pub fn once_a(every: Duration) -> Self {
        Self { every, state: Mutex::default() }
    }

    /// Counts an occurrence; returns how many a line logged now stands for, `None` if the last line is too recent.
    pub fn due(&self) -> Option<u64> {
        self.state.lock().due(Instant::now(), self.every)
    }
}

impl State {
    fn due(&mut self, now: Instant, every: Duration) -> Option<u64> {
        self.unlogged += 1;
        if self.last.is_some_and(|last| now < last + every) {
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
    fn the_first_is_logged_at_once_and_the_rest_now_and_then_with_their_count() {
        let (mut state, start) = (State::default(), Instant::now());
        let mut due = |seconds| state.due(start + Duration::from_secs(seconds), Duration::from_mins(1));
        assert_eq!(due(0), Some(1));
        assert_eq!(due(1), None);
        assert_eq!(due(59), None);
        assert_eq!(due(60), Some(3));
        assert_eq!(due(61), None);
    }
}
