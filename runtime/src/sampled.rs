//! What may happen thousands of times a second is logged now and then, with how often it happened since.

use std::time::Duration;

use parking_lot::Mutex;
use tokio::time::Instant;

/// Decides which of many occurrences get a line.
#[derive(Debug)]
pub struct Sampled {
    every: Duration,
    /// Lines in this time.
    most: u32,
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    /// When the time began that lines are counted in.
    begun: Option<Instant>,
    /// Lines since then.
    lines: u32,
    /// Counted since the last line.
    unlogged: u64,
}

impl Sampled {
    /// The first at once, then at most one in this time.
    pub fn once_a(every: Duration) -> Self {
        Self { every, most: 1, state: Mutex::default() }
    }

    /// So many a second at most; none with 0.
    pub fn a_second(most: u32) -> Self {
        Self { every: Duration::from_secs(1), most, state: Mutex::default() }
    }

    /// Counts an occurrence; returns how many a line logged now stands for, `None` if the last line is too recent.
    pub fn due(&self) -> Option<u64> {
        if self.most == 0 {
            return None;
        }
        self.state.lock().due(Instant::now(), self.every, self.most)
    }
}

impl State {
    fn due(&mut self, now: Instant, every: Duration, most: u32) -> Option<u64> {
        self.unlogged += 1;
        if self.begun.is_none_or(|begun| now >= begun + every) {
            (self.begun, self.lines) = (Some(now), 0);
        }
        if self.lines >= most {
            return None;
        }
        self.lines += 1;
        Some(std::mem::take(&mut self.unlogged))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_is_logged_at_once_and_the_rest_now_and_then_with_their_count() {
        let (mut state, start) = (State::default(), Instant::now());
        let mut due = |seconds| state.due(start + Duration::from_secs(seconds), Duration::from_mins(1), 1);
        assert_eq!(due(0), Some(1));
        assert_eq!(due(1), None);
        assert_eq!(due(59), None);
        assert_eq!(due(60), Some(3));
        assert_eq!(due(61), None);
    }

    #[test]
    fn beyond_the_lines_of_a_second_one_stands_for_many() {
        let (mut state, start) = (State::default(), Instant::now());
        let mut due = |ms| state.due(start + Duration::from_millis(ms), Duration::from_secs(1), 2);
        assert_eq!((0..5).map(&mut due).collect::<Vec<_>>(), [Some(1), Some(1), None, None, None]);
        assert_eq!((1000..1003).map(&mut due).collect::<Vec<_>>(), [Some(4), Some(1), None]);
        assert_eq!(Sampled::a_second(0).due(), None);
    }
}
