//! How long to wait before an operation that failed is tried again. The one rule of the workspace: the wait
//! doubles from a least to a longest one, and half of it is random, so that callers that failed together do not
//! come back together.

use std::time::Duration;

/// The waits between the attempts of one operation. Waiting is the caller's: this only counts.
///
/// Wait `n` (from 0) lies between `min · 2ⁿ` and twice that, and never above `max`; at the bound it lies between
/// half of `max` and `max`.
///
/// ```
/// use std::time::Duration;
/// use natter_schemas::backoff::Backoff;
///
/// let mut backoff = Backoff::new(Duration::from_millis(50), Duration::from_secs(1));
/// let first = backoff.next_delay();
/// assert!(first >= Duration::from_millis(50) && first <= Duration::from_millis(100));
/// ```
#[derive(Debug, Clone)]
pub struct Backoff {
    min: Duration,
    max: Duration,
    failures: u32,
}

impl Backoff {
    /// `min` above `max` counts as `max`.
    #[must_use]
    pub const fn new(min: Duration, max: Duration) -> Self {
        Self { min, max, failures: 0 }
    }

    /// As if so many attempts had failed already: for libraries that count by themselves.
    #[must_use]
    pub const fn after(self, failures: u32) -> Self {
        Self { failures, ..self }
    }

    /// The next wait, and one failure more.
    pub fn next_delay(&mut self) -> Duration {
        let delay = self.delay(rand::random());
        self.failures = self.failures.saturating_add(1);
        delay
    }

    /// An attempt succeeded: the next wait is a short one again.
    pub const fn reset(&mut self) {
        self.failures = 0;
    }

    /// Failures since the start or the last [`reset`](Self::reset).
    #[must_use]
    pub const fn failures(&self) -> u32 {
        self.failures
    }

    /// The next wait, without counting it. `random` is from 0 to 1: the share of the random half.
    #[must_use]
    pub fn delay(&self, random: f64) -> Duration {
        let doublings = 1_u32.checked_shl(self.failures.saturating_add(1)).unwrap_or(u32::MAX);
        let longest = self.min.saturating_mul(doublings.max(2)).min(self.max);
        let shortest = (longest / 2).max(self.min.min(self.max));
        shortest + longest.saturating_sub(shortest).mul_f64(random.clamp(0.0, 1.0))
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn bounds() -> impl Strategy<Value = (Duration, Duration)> {
        (0_u64..10_000_000_000, 0_u64..600_000_000_000)
            .prop_map(|(min, more)| (Duration::from_nanos(min), Duration::from_nanos(min + more)))
    }

    proptest! {
        #[test]
        fn a_wait_is_never_outside_its_bounds(
            (min, max) in bounds(), failures in any::<u32>(), random in 0.0..=1.0,
        ) {
            let delay = Backoff::new(min, max).after(failures).delay(random);
            prop_assert!(delay >= min && delay <= max, "{delay:?}");
        }

        #[test]
        fn the_longest_wait_doubles_with_each_failure_up_to_the_bound(
            (min, max) in bounds(), failures in 0_u32..40,
        ) {
            let now = Backoff::new(min, max).after(failures).delay(1.0);
            let next = Backoff::new(min, max).after(failures + 1).delay(1.0);
            prop_assert_eq!(next, now.saturating_mul(2).min(max));
        }

        #[test]
        fn half_of_a_wait_is_random_where_the_bounds_leave_room(
            (min, more) in bounds(), failures in 0_u32..40,
        ) {
            let backoff = Backoff::new(min, min + more).after(failures);
            let (shortest, longest) = (backoff.delay(0.0), backoff.delay(1.0));
            prop_assert_eq!(shortest, (longest / 2).max(min));
        }

        #[test]
        fn a_success_starts_again((min, max) in bounds(), failures in 1_u32..100) {
            let mut backoff = Backoff::new(min, max);
            for _ in 0..failures {
                let delay = backoff.next_delay();
                prop_assert!(delay >= min && delay <= max);
            }
            prop_assert_eq!(backoff.failures(), failures);
            backoff.reset();
            prop_assert_eq!(backoff.delay(0.5), Backoff::new(min, max).delay(0.5));
        }
    }

    #[test]
    fn a_least_above_the_longest_is_the_longest() {
        let backoff = Backoff::new(Duration::from_secs(2), Duration::from_secs(1));
        assert_eq!(backoff.delay(0.0), Duration::from_secs(1));
    }
}
