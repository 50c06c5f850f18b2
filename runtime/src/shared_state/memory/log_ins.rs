//! Attempts to log in, by account, and by account and network where the account knows the network.

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use moka::future::Cache;
use natter_schemas::limits;
use parking_lot::Mutex;

use crate::shared_state::LogInOutcome;

/// Of each: 100,000 × about 200 B = 20 MB. Whoever fills them waits for as many answers.
const ENTRIES: u64 = 100_000;

#[derive(Debug, Default)]
struct Attempts {
    count: u32,
    last: Option<Instant>,
    /// When the next attempt may come.
    due: Option<Instant>,
}

impl Attempts {
    /// Counts an attempt, or returns how long to wait for it.
    fn attempt(&mut self, now: Instant) -> Option<Duration> {
        if let Some(wait) = self.due.and_then(|due| due.checked_duration_since(now)).filter(|w| !w.is_zero())
        {
            return Some(wait);
        }
        if self.last.is_some_and(|last| now.duration_since(last) > limits::LOG_INS_FORGOTTEN) {
            self.count = 0;
        }
        self.count = self.count.saturating_add(1);
        self.last = Some(now);
        self.due = self.count.checked_sub(limits::LOG_INS_AT_ONCE).map(|beyond| now + wait_after(beyond));
        None
    }

    fn take_back(&mut self) {
        self.count = self.count.saturating_sub(1);
        self.due = None;
    }
}

fn wait_after(beyond: u32) -> Duration {
    let (first, longest) = (*limits::LOG_IN_WAIT.start(), *limits::LOG_IN_WAIT.end());
    2_u32.checked_pow(beyond).and_then(|times| first.checked_mul(times)).map_or(longest, |w| w.min(longest))
}

pub struct LogIns {
    of_account: Cache<String, Arc<Mutex<Attempts>>>,
    of_network: Cache<(String, String), Arc<Mutex<Attempts>>>,
}

impl LogIns {
    pub fn new() -> Self {
        Self {
            of_account: Cache::builder()
                .max_capacity(ENTRIES)
                .time_to_idle(limits::LOG_INS_FORGOTTEN)
                .build(),
            of_network: Cache::builder()
                .max_capacity(ENTRIES)
                .time_to_live(limits::LOG_IN_NETWORK_KNOWN)
                .build(),
        }
    }

    pub async fn attempt(&self, account: &str, network: &str) -> Option<Duration> {
        let attempts = match self.of_network.get(&(account.to_owned(), network.to_owned())).await {
            Some(attempts) => attempts,
            None => self.of_account.get_with(account.to_owned(), async { Arc::default() }).await,
        };
        attempts.lock().attempt(Instant::now())
    }

    pub async fn settle(&self, account: &str, network: &str, outcome: LogInOutcome) {
        let key = (account.to_owned(), network.to_owned());
        let of_network = self.of_network.get(&key).await;
        if outcome == LogInOutcome::Unneeded {
            // What was counted of the network stays.
            return self.of_network.insert(key, of_network.unwrap_or_default()).await;
        }
        let charged = match of_network {
            Some(attempts) => Some(attempts),
            None => self.of_account.get(account).await,
        };
        if let Some(attempts) = charged {
            attempts.lock().take_back();
        }
        if outcome == LogInOutcome::Succeeded {
            self.of_network.insert(key, Arc::default()).await;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn waits_double_up_to_the_longest_and_are_forgotten() {
        let (mut attempts, start) = (Attempts::default(), Instant::now());
        for _ in 0..limits::LOG_INS_AT_ONCE {
            assert_eq!(attempts.attempt(start), None);
        }
        let mut now = start;
        for seconds in [1, 2, 4, 8, 16, 32, 60, 60] {
            let wait = Duration::from_secs(seconds);
            assert_eq!(attempts.attempt(now), Some(wait));
            now += wait;
            assert_eq!(attempts.attempt(now), None);
        }
        now += limits::LOG_INS_FORGOTTEN + Duration::from_secs(1);
        for _ in 0..limits::LOG_INS_AT_ONCE {
            assert_eq!(attempts.attempt(now), None);
        }
        assert_eq!(attempts.attempt(now), Some(Duration::from_secs(1)));
    }
}
