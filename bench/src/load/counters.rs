//! What a step measured.

use std::{collections::BTreeMap, time::Duration};

use serde::Serialize;

use crate::{
    latency::{Latency, Times},
    usage::Usage,
};

/// What is requested over HTTP.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "camelCase")]
pub enum RequestKind {
    Message,
    Page,
    LogIn,
    /// A read mark, where a socket takes none.
    Read,
}

#[derive(Debug, Clone, Default)]
pub struct Counters {
    pub sent: u64,
    pub acked: u64,
    pub delivered: u64,
    pub reads: u64,
    /// By code; an HTTP status where there is none.
    pub rejections: BTreeMap<String, u64>,
    /// All from the moment a thing was due: until acked,
    pub ack: Times,
    /// until another socket was shown it,
    pub delivery: Times,
    /// until the last one was,
    pub last: Times,
    /// until it was written: what the generator itself adds,
    pub lateness: Times,
    /// until a request that is no message had its answer.
    pub requests: BTreeMap<RequestKind, Times>,
}

/// The same in figures. Times are milliseconds.
#[derive(Debug, Clone, Default, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Stats {
    pub planned_per_second: f64,
    pub planned: u64,
    pub seconds: f64,
    pub sent: u64,
    pub acked: u64,
    pub delivered: u64,
    pub acked_per_second: f64,
    pub delivered_per_second: f64,
    pub rejections: BTreeMap<String, u64>,
    pub ack_ms: Latency,
    pub delivery_ms: Latency,
    pub last_ms: Latency,
    pub lateness_ms: Latency,
    pub requests_ms: BTreeMap<RequestKind, Latency>,
    /// Of all server processes, over the step.
    pub server: Usage,
    /// Of this process.
    pub bench: Usage,
}

impl Counters {
    pub fn refuse(&mut self, code: &str) {
        match self.rejections.get_mut(code) {
            Some(times) => *times += 1,
            None => drop(self.rejections.insert(code.to_owned(), 1)),
        }
    }

    pub fn stats(&self, rate: f64, planned: Duration, took: Duration) -> Stats {
        let seconds = took.max(planned).as_secs_f64().max(1e-9);
        Stats {
            planned_per_second: rate,
            seconds: took.as_secs_f64(),
            sent: self.sent,
            acked: self.acked,
            delivered: self.delivered,
            acked_per_second: real(self.acked) / seconds,
            delivered_per_second: real(self.delivered) / seconds,
            rejections: self.rejections.clone(),
            ack_ms: self.ack.latency(),
            delivery_ms: self.delivery.latency(),
            last_ms: self.last.latency(),
            lateness_ms: self.lateness.latency(),
            requests_ms: self
                .requests
                .iter()
                .map(|(request_kind, times)| (*request_kind, times.latency()))
                .collect(),
            ..Stats::default()
        }
    }
}

impl Stats {
    /// Everything that was refused, whatever the reason.
    pub fn errors(&self) -> f64 {
        real(self.rejections.values().sum())
    }

    /// Microseconds of the server's CPU; `None` when nothing was acked.
    pub fn cpu_us_per_message(&self) -> Option<f64> {
        (self.acked > 0).then(|| self.server.cpu_seconds * 1e6 / real(self.acked))
    }

    pub fn cpu_us_per_delivery(&self) -> Option<f64> {
        (self.delivered > 0).then(|| self.server.cpu_seconds * 1e6 / real(self.delivered))
    }

    /// Microseconds of the generator's own CPU for each message.
    pub fn bench_us_per_message(&self) -> Option<f64> {
        (self.sent > 0).then(|| self.bench.cpu_seconds * 1e6 / real(self.sent))
    }
}

#[expect(clippy::cast_precision_loss, reason = "counts of a run are far fewer than 2^52")]
pub fn real(count: u64) -> f64 {
    count as f64
}
