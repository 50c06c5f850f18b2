//! The log of a run, written by all of its clients.

use std::{sync::Arc, time::Instant};

use parking_lot::Mutex;

use crate::log::{Line, Micros, Record};

#[derive(Clone)]
pub struct Recorder {
    began: Instant,
    lines: Arc<Mutex<Vec<Line>>>,
}

impl Recorder {
    pub fn new() -> Self {
        Self { began: Instant::now(), lines: Arc::default() }
    }

    pub fn now(&self) -> Micros {
        u64::try_from(self.began.elapsed().as_micros()).unwrap_or(Micros::MAX)
    }

    pub fn record(&self, record: Record) {
        let mut lines = self.lines.lock();
        // Under the lock: lines are in the order of their times.
        lines.push(Line { at: self.now(), record });
    }

    pub fn lines(&self) -> Vec<Line> {
        self.lines.lock().clone()
    }
}
