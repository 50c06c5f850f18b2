//! When a batch has gathered for long enough. No one waits for one (readers see the log's tail), and each costs a
//! transaction, an fsync and the pages that it writes, whose cost is shared by all events of one conversation in it.
//! So it gathers the longer, the fewer events come, as long as some do.
//!
//! Batches end at moments of the clock that are spread over the partitions: a message on its way needs the CPU too,
//! and a thousand events at once would keep it waiting. With more than [`GROUPS`] partitions some meet in one
//! transaction.

use std::time::Duration;

use natter_schemas::{event::Timestamp, id::Partition, limits};
use tokio::time::Instant;

/// When little happens: what is tried out by hand is stored at once, as a person sees it.
const QUIET: Duration = Duration::from_millis(250);
/// A tail of two seconds is what readers are to find in the log at most, while the persister keeps up.
const GATHERS: [Duration; 3] = [Duration::from_secs(2), Duration::from_secs(1), Duration::from_millis(500)];
/// Fewer than this within [`QUIET`] are not worth waiting for: they are of different conversations.
const FEW: usize = 8;
/// Three quarters of a full batch; what comes beyond it must not wait for another one.
const MOST: usize = limits::PERSIST_BATCH / 4 * 3;
/// Partitions end their batches in this many groups, one after another.
const GROUPS: u16 = 16;

pub struct BatchTimer {
    /// Which of [`GROUPS`].
    group: u16,
    gather: Duration,
    /// What gathers now has come since then.
    since: Instant,
}

impl BatchTimer {
    pub fn of(partition: Partition) -> Self {
        Self { group: partition.0 % GROUPS, gather: QUIET, since: Instant::now() }
    }

    /// The batch's first event has come, after `silence`; how long the others have.
    pub fn begin(&mut self, silence: Duration, now: Timestamp) -> Duration {
        if silence > QUIET {
            self.gather = QUIET;
            self.since = Instant::now();
        }
        to_tick(self.gather, self.group, now)
    }

    /// What has gathered is asked for.
    pub fn end(&mut self) -> Gathered {
        let now = Instant::now();
        let gathered = Gathered(now - self.since);
        self.since = now;
        gathered
    }

    pub fn learn(&mut self, events: usize, Gathered(within): Gathered) {
        self.gather = gather_for(events, within);
    }
}

/// How long events had come for.
#[derive(Clone, Copy)]
pub struct Gathered(Duration);

/// At the rate of so many events within that time; a few that came close together are no rate yet.
fn gather_for(events: usize, within: Duration) -> Duration {
    let within = within.max(QUIET);
    let expected = |gather: Duration| events as u128 * gather.as_micros() / within.as_micros();
    if expected(QUIET) < FEW as u128 {
        return QUIET;
    }
    GATHERS.into_iter().find(|gather| expected(*gather) <= MOST as u128).unwrap_or(QUIET)
}

/// From `now` to the group's next tick.
fn to_tick(gather: Duration, group: u16, now: Timestamp) -> Duration {
    let milliseconds = i64::try_from(gather.as_millis()).unwrap_or(i64::MAX);
    let phase = milliseconds * i64::from(group) / i64::from(GROUPS);
    let past = now.0.saturating_sub(phase).rem_euclid(milliseconds);
    Duration::from_millis((milliseconds - past).unsigned_abs())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_few_events_are_not_waited_for_and_many_share_a_batch_that_is_not_full() {
        for (events_a_second, gather_ms) in
            [(0, 250), (1, 250), (31, 250), (32, 2_000), (190, 2_000), (250, 1_000), (750, 500), (1_500, 250)]
        {
            let expected = Duration::from_millis(gather_ms);
            assert_eq!(gather_for(events_a_second, Duration::from_secs(1)), expected, "{events_a_second}/s");
            assert_eq!(
                gather_for(4 * events_a_second, Duration::from_secs(4)),
                expected,
                "{events_a_second}/s"
            );
        }
        assert_eq!(gather_for(2, Duration::ZERO), QUIET);
        assert_eq!(gather_for(usize::MAX, Duration::ZERO), QUIET);
    }

    #[test]
    fn after_a_silence_an_event_waits_as_long_as_in_an_idle_system() {
        let mut pace = BatchTimer::of(Partition(0));
        pace.learn(100, Gathered(Duration::from_secs(1)));
        let now = Timestamp(1_764_000_000_001);
        assert_eq!(pace.begin(Duration::ZERO, now), Duration::from_millis(1_999));
        assert_eq!(pace.begin(Duration::from_secs(1), now), Duration::from_millis(249));
    }

    #[test]
    fn partitions_of_a_group_end_their_batches_together_and_groups_in_turn() {
        for now in [0, 7, 999, 1_764_000_000_123] {
            for group in 0..GROUPS {
                let rest = to_tick(Duration::from_secs(1), group, Timestamp(now)).as_millis();
                assert!((1..=1_000).contains(&rest));
                let end = u128::from(now.unsigned_abs()) + rest;
                assert_eq!(end % 1_000, u128::from(group) * 1_000 / u128::from(GROUPS));
            }
        }
    }
}
