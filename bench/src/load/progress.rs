//! How far the generator is, for a progress bar.

use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

#[derive(Debug, Default)]
pub struct Progress {
    pub wanted: AtomicU64,
    pub done: AtomicU64,
}

impl Progress {
    pub fn set(&self, done: u64, wanted: u64) {
        self.wanted.store(wanted, Relaxed);
        self.done.store(done, Relaxed);
    }
}
