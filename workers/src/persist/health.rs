//! Whether the store takes what is persisted, as the persister itself meets it: a store on a full disk may well read.

use std::{
    collections::HashMap,
    sync::Arc,
    time::{Duration, Instant},
};

use natter_schemas::id::Partition;
use parking_lot::Mutex;

/// A failure this long ago is no evidence about now: while events wait, the persister tries again within 12 s (a pause
/// of 5 s and the store's own time-outs).
const FRESH: Duration = Duration::from_secs(30);

/// Of all partitions of this process; the entries are as many as those.
#[derive(Clone, Default)]
pub struct PersistHealth {
    failed: Arc<Mutex<HashMap<Partition, Instant>>>,
}

impl PersistHealth {
    pub fn is_up(&self) -> bool {
        self.failed.lock().values().all(|at| at.elapsed() > FRESH)
    }

    pub(super) fn failed(&self, partition: Partition) {
        self.failed.lock().insert(partition, Instant::now());
    }

    pub(super) fn stored(&self, partition: Partition) {
        self.failed.lock().remove(&partition);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_partition_that_fails_is_enough_until_it_is_stored_again() {
        let health = PersistHealth::default();
        health.failed(Partition(1));
        health.stored(Partition(0));
        assert!(!health.is_up());
        health.stored(Partition(1));
        assert!(health.is_up());
    }
}
