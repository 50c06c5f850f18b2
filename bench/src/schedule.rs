//! When each thing is due. An open loop: the plan does not wait for the server, so a stall shows as the latency
//! of everything that was due meanwhile, as it would to users.

use std::time::Duration;

/// So many a second for so long, each at a moment of its own within its share of time.
#[derive(Debug, Clone, Copy)]
pub struct Schedule {
    every: Duration,
    count: u64,
    seed: u64,
}

impl Schedule {
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "rates and times are positive"
    )]
    pub fn new(rate: f64, lasting: Duration, seed: u64) -> Self {
        let count = (rate * lasting.as_secs_f64()).round().max(0.0) as u64;
        Self { every: Duration::from_secs_f64(1.0 / rate.max(0.001)), count, seed }
    }

    pub fn count(&self) -> u64 {
        self.count
    }

    /// When the nth is due, counted from the start; `None` past the end. Never earlier than the one before.
    pub fn due(&self, nth: u64) -> Option<Duration> {
        if nth >= self.count {
            return None;
        }
        let every = u64::try_from(self.every.as_nanos()).unwrap_or(u64::MAX);
        let within = mix(nth ^ self.seed) % every.max(1);
        Some(Duration::from_nanos(nth.saturating_mul(every).saturating_add(within)))
    }
}

/// The bench waits: for a server to be there, or for a while to pass.
#[expect(clippy::disallowed_methods, reason = "the main thread, which nothing else needs meanwhile")]
pub fn sleep(lasting: Duration) {
    std::thread::sleep(lasting);
}

/// `SplitMix64`: neighbours get unrelated numbers.
pub fn mix(number: u64) -> u64 {
    let mut z = number.wrapping_add(0x9E37_79B9_7F4A_7C15);
    z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
    z ^ (z >> 31)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_second_has_exactly_the_rate() {
        let schedule = Schedule::new(400.0, Duration::from_secs(3), 7);
        assert_eq!(schedule.count(), 1_200);
        let in_second =
            |second| (0..).map_while(|n| schedule.due(n)).filter(|due| due.as_secs() == second).count();
        assert_eq!([in_second(0), in_second(1), in_second(2), in_second(3)], [400, 400, 400, 0]);
    }

    #[test]
    fn what_is_due_rises_and_does_not_tick() {
        let schedule = Schedule::new(1_000.0, Duration::from_secs(1), 7);
        let due: Vec<_> = (0..).map_while(|n| schedule.due(n)).collect();
        assert!(due.is_sorted());
        let gaps: std::collections::HashSet<_> =
            due.windows(2).map(|pair| pair[1].saturating_sub(pair[0])).collect();
        assert!(gaps.len() > 500, "{}", gaps.len());
    }

    #[test]
    fn nothing_is_due_past_the_end() {
        assert_eq!(Schedule::new(10.0, Duration::from_secs(1), 0).due(10), None);
        assert_eq!(Schedule::new(0.0, Duration::from_secs(9), 0).count(), 0);
    }
}
