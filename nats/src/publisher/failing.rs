//! Streams that do not take what is published to them, and how they fail. Looked at for each publish, so that there are
//! none is known without a lock.

use std::{
    collections::HashMap,
    sync::atomic::{AtomicBool, Ordering},
};

use parking_lot::Mutex;
use tokio::time::Instant;
use tracing::info;

#[derive(Default)]
pub struct FailingStreams {
    /// By the first words of their subjects: as many as there are streams.
    pub all: Mutex<HashMap<String, Failing>>,
    /// Whether there are any: what a publish looks at.
    any: AtomicBool,
}

pub struct Failing {
    /// The last publish that failed, or was tried.
    pub at: Instant,
    pub how: Failure,
}

#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Failure {
    /// It did not answer, or refused.
    Silent,
    /// Its only copy was proven to store nothing. After so many connections of the client: a server that is connected
    /// again may have been restarted.
    Drops { connects: u64 },
    /// Most of its servers were proven to take no part in it. Whether they have been restarted does not show in the
    /// connection, so it is watched.
    NoMajority,
    /// It gave a seq out again. Until this process ends: clients and the store have other events under those seqs.
    RolledBack,
}

impl FailingStreams {
    pub fn any(&self) -> bool {
        self.any.load(Ordering::Acquire)
    }

    pub fn has(&self, stream: &str, how: Failure) -> bool {
        self.all.lock().get(stream).is_some_and(|f| f.how == how)
    }

    /// How it failed before.
    pub fn insert(&self, stream: &str, now: Failing) -> Option<Failure> {
        let mut all = self.all.lock();
        self.any.store(true, Ordering::Release);
        let before = all.get(stream).map(|f| f.how);
        if before != Some(Failure::RolledBack) {
            all.insert(stream.to_owned(), now);
        }
        before
    }

    pub fn forget(&self, stream: &str) {
        let mut all = self.all.lock();
        let lasts = all.get(stream).is_some_and(|f| f.how == Failure::RolledBack);
        if !lasts && all.remove(stream).is_some_and(|f| f.is_proven()) {
            info!(stream, "the log stores events again");
        }
        self.any.store(!all.is_empty(), Ordering::Release);
    }
}

impl Failing {
    pub fn is_proven(&self) -> bool {
        self.how != Failure::Silent
    }
}
