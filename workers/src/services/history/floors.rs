//! The floor of a partition: everything ≤ it has been acked by the persister, so it is in the store. A floor
//! known late is only lower, never wrong: the log fills the difference.

use std::{
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use natter_nats::log::{LogError, LogReader};
use natter_schemas::id::{Partition, Seq};
use tokio::time::{MissedTickBehavior, interval};
use tokio_util::sync::CancellationToken;
use tracing::{info, warn};

/// One question per partition and second, whatever the load.
const EVERY: Duration = Duration::from_secs(1);

#[derive(Debug, thiserror::Error)]
pub enum FloorsError {
    #[error("the persister's position cannot be read: {0}")]
    Log(#[from] LogError),
    #[error("{found} floors for {expected} partitions")]
    Partitions { found: usize, expected: u16 },
}

pub struct Floors(Vec<AtomicU64>);

impl Floors {
    /// Without a first answer no page could be right: a floor guessed too low would leave out what the log
    /// has dropped already.
    pub async fn learn(log: &LogReader, partitions: u16) -> Result<Self, FloorsError> {
        let floors = log.floors().await?;
        if floors.len() != usize::from(partitions) {
            return Err(FloorsError::Partitions { found: floors.len(), expected: partitions });
        }
        Ok(Self(floors.into_iter().map(AtomicU64::new).collect()))
    }

    pub fn of(&self, partition: Partition) -> Seq {
        self.0.get(usize::from(partition.0)).map_or(0, |floor| floor.load(Ordering::Acquire))
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
            let floors = tokio::select! {
                () = stop.cancelled() => return,
                floors = log.floors() => floors,
            };
            match (&floors, known) {
                (Err(e), true) => {
                    warn!(error = %e, "persisted positions cannot be read; pages read more of the log until they can");
                }
                (Ok(_), false) => info!("persisted positions are read again"),
                _ => {}
            }
            known = floors.is_ok();
            self.raise(&floors.unwrap_or_default());
        }
    }

    /// Never lowered: what was stored stays stored, even if an older answer arrives late.
    fn raise(&self, floors: &[Seq]) {
        for (known, floor) in self.0.iter().zip(floors) {
            known.fetch_max(*floor, Ordering::AcqRel);
        }
    }
}
