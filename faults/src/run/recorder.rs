//! The log of a run, written by all of its clients.

use std::{
    collections::{BTreeMap, BTreeSet},
    mem,
    sync::Arc,
    time::Instant,
};

use parking_lot::Mutex;
use serde_json::Value;

use crate::{
    log::{Line, Micros, Record, Row, Seq},
    oracle::receipts,
};

#[derive(Clone)]
pub struct Recorder {
    began: Instant,
    written: Arc<Mutex<Written>>,
}

#[derive(Default)]
struct Written {
    lines: Vec<Line>,
    /// The newest ack of each room.
    acked: BTreeMap<String, Seq>,
}

impl Recorder {
    pub fn new() -> Self {
        Self { began: Instant::now(), written: Arc::default() }
    }

    pub fn now(&self) -> Micros {
        u64::try_from(self.began.elapsed().as_micros()).unwrap_or(Micros::MAX)
    }

    pub fn record(&self, record: Record) {
        let mut written = self.written.lock();
        if let Record::Ack { room, seq, .. } = &record {
            match written.acked.get_mut(room) {
                Some(newest) => *newest = (*newest).max(*seq),
                None => drop(written.acked.insert(room.clone(), *seq)),
            }
        }
        // Under the lock: lines are in the order of their times.
        let at = self.now();
        written.lines.push(Line { at, record });
    }

    /// Every device that could be was shown how far everyone has read.
    pub fn has_all_receipts(&self) -> bool {
        receipts::missing(&self.written.lock().lines).is_empty()
    }

    /// The newest ack of each room.
    pub fn acked(&self) -> BTreeMap<String, Seq> {
        self.written.lock().acked.clone()
    }

    /// Of every message that was acked, the client id.
    pub fn acked_ids(&self) -> BTreeSet<String> {
        let written = self.written.lock();
        let acked = written.lines.iter().filter_map(|line| match &line.record {
            Record::Ack { client_id, .. } => Some(client_id.clone()),
            _ => None,
        });
        acked.collect()
    }

    /// The whole log, which begins anew.
    pub fn take(&self) -> Vec<Line> {
        mem::take(&mut self.written.lock().lines)
    }
}

/// A message of a frame or of a page.
pub fn row(message: &Value) -> Row {
    let text = |name: &str| message[name].as_str().unwrap_or_default().to_owned();
    Row {
        seq: message["seq"].as_u64().unwrap_or(0),
        id: text("id"),
        client_id: text("clientId"),
        sender: text("senderId"),
        content: message["content"].is_string(),
    }
}
