//! The floor of a partition: everything ≤ it has been acked by the persister, so it is in the store. A floor
//! known late is only lower, never wrong: the log fills the difference.

use std::{
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use natter_nats::log::{LogError, LogReader, Progress};
use natter_schemas::{
    id::{Partition, Seq},
    limits,
};
use parking_lot::Mutex;
use tokio::time::{Instant, MissedTickBehavior, interval};
use tokio_util::sync::CancellationToken;
use tracing::{info, warn};

/// One question per partition and second, whatever the load.
const EVERY: Duration = Duration::from_secs(1);
/// From a look-up in the store until the log has the event: less than a call and all attempts to publish.
const SENDING: Duration = Duration::from_mins(1);

#[derive(Debug, thiserror::Error)]
pub enum FloorsError {
    #[error("the persister's position cannot be read: {0}")]
    Log(#[from] LogError),
    #[error("{found} floors for {expected} partitions")]
    Partitions { found: usize, expected: u16 },
}

pub struct Floors(Vec<Floor>);

#[derive(Default)]
struct Floor {
    seq: AtomicU64,
    settling: Mutex<Settling>,
}

/// Since when everything older is stored, by this process's own clock.
#[derive(Debug, Default)]
struct Settling {
    /// The log's end at some moment, until the floor reaches it.
    mark: Option<(Seq, Instant)>,
    /// Everything that was logged before is in the store.
    settled: Option<Instant>,
}

impl Settling {
    /// `asked`: before `progress` was read.
    fn learn(&mut self, progress: Progress, asked: Instant) {
        match self.mark {
            Some((mark, _)) if progress.floor < mark => {}
            reached => {
                self.settled = reached.map_or(self.settled, |(_, at)| Some(at));
                self.mark = Some((progress.last, asked));
            }
        }
    }

    fn covers(&self, now: Instant) -> bool {
        self.settled.is_some_and(|settled| now - settled + SENDING < limits::DUPLICATE_WINDOW)
    }
}

impl Floors {
    /// Without a first answer no page could be right: a floor guessed too low would leave out what the log
    /// has dropped already.
    pub async fn learn(log: &LogReader, partitions: u16) -> Result<Self, FloorsError> {
        let floors = log.floors().await?;
        if floors.len() != usize::from(partitions) {
            return Err(FloorsError::Partitions { found: floors.len(), expected: partitions });
        }
        let floor = |seq| Floor { seq: AtomicU64::new(seq), ..Floor::default() };
        Ok(Self(floors.into_iter().map(floor).collect()))
    }

    pub fn of(&self, partition: Partition) -> Seq {
        self.0.get(usize::from(partition.0)).map_or(0, |floor| floor.seq.load(Ordering::Acquire))
    }

    /// Whether every event that a log no longer recognizes when it is published again is at or below the floor.
    pub fn cover_the_forgotten(&self, partition: Partition) -> bool {
        let floor = self.0.get(usize::from(partition.0));
        floor.is_some_and(|floor| floor.settling.lock().covers(Instant::now()))
    }

    /// Ends when `stop` is cancelled.
    pub async fn keep(self: Arc<Self>, log: LogReader, stop: CancellationToken) {
        let mut tick = interval(EVERY);
        tick.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let mut known = true;
        loop {
            tokio::select! {
                () = stop.cancelled() => return,
                _ = tick.tick() => {}
            }
            let asked = Instant::now();
            let progress = tokio::select! {
                () = stop.cancelled() => return,
                progress = log.progress() => progress,
            };
            match (&progress, known) {
                (Err(e), true) => {
                    warn!(error = %e, "persisted positions cannot be read; pages read more of the log until they can");
                }
                (Ok(_), false) => info!("persisted positions are read again"),
                _ => {}
            }
            known = progress.is_ok();
            self.raise(&progress.unwrap_or_default(), asked);
        }
    }

    /// Never lowered: what was stored stays stored, even if an older answer arrives late.
    fn raise(&self, progress: &[Progress], asked: Instant) {
        for (known, progress) in self.0.iter().zip(progress) {
            known.seq.fetch_max(progress.floor, Ordering::AcqRel);
            known.settling.lock().learn(*progress, asked);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_store_has_what_was_logged_before_the_floor_passed_the_logs_end() {
        let start = Instant::now();
        let at = |seconds| start + Duration::from_secs(seconds);
        let mut settling = Settling::default();
        settling.learn(Progress { floor: 5, last: 9 }, at(0));
        assert!(!settling.covers(at(0)), "nothing is known of the events 6 to 9");
        settling.learn(Progress { floor: 8, last: 30 }, at(1));
        assert!(!settling.covers(at(1)));
        settling.learn(Progress { floor: 9, last: 40 }, at(2));
        assert_eq!(settling.settled, Some(at(0)));
        assert!(settling.covers(at(239)) && !settling.covers(at(240)));
        // 40 was the end at second 2.
        settling.learn(Progress { floor: 39, last: 50 }, at(3));
        assert_eq!(settling.settled, Some(at(0)));
        settling.learn(Progress { floor: 40, last: 50 }, at(200));
        assert_eq!(settling.settled, Some(at(2)));
    }
}
