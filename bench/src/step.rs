//! Many sockets at one rate: from the first send to the last answer and delivery.

use std::{
    collections::BTreeMap,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering::Relaxed},
    },
    time::Duration,
};

use hdrhistogram::Histogram;
use serde::Serialize;
use tokio::{sync::watch, task::JoinSet, time::Instant};

use crate::{
    pace::Pace,
    proc::{self, Usage, usage},
    socket::{Orders, Samples, Socket},
};

/// What is still under way gets this long without any progress: half as long again as a publish may take.
const PATIENCE: Duration = Duration::from_secs(45);
const LOOK_EVERY: Duration = Duration::from_millis(50);

/// Counted by all sockets while a step runs, to know when nothing is under way.
#[derive(Debug, Default)]
pub struct Tally {
    sent: AtomicU64,
    acked: AtomicU64,
    refused: AtomicU64,
    delivered: AtomicU64,
    written: AtomicU64,
}

impl Tally {
    pub fn sent(&self) {
        self.sent.fetch_add(1, Relaxed);
    }
    pub fn acked(&self) {
        self.acked.fetch_add(1, Relaxed);
    }
    pub fn refused(&self) {
        self.refused.fetch_add(1, Relaxed);
    }
    pub fn delivered(&self) {
        self.delivered.fetch_add(1, Relaxed);
    }
    /// A socket has sent all it had to.
    pub fn written(&self) {
        self.written.fetch_add(1, Relaxed);
    }

    fn settled(&self, sockets: u64) -> bool {
        let acked = self.acked.load(Relaxed);
        // Both sides of a room are shown a message.
        self.written.load(Relaxed) == sockets
            && acked + self.refused.load(Relaxed) >= self.sent.load(Relaxed)
            && self.delivered.load(Relaxed) >= 2 * acked
    }

    fn progress(&self) -> u64 {
        [&self.sent, &self.acked, &self.refused, &self.delivered, &self.written]
            .iter()
            .map(|n| n.load(Relaxed))
            .sum()
    }
}

#[derive(Debug, Clone, Copy)]
pub struct Load {
    /// Messages a second, all sockets together.
    pub rate: f64,
    pub duration: Duration,
    pub bytes: usize,
    pub origin: Instant,
}

/// Milliseconds.
#[derive(Debug, Clone, Copy, Default, Serialize)]
pub struct Latency {
    pub p50: f64,
    pub p90: f64,
    pub p99: f64,
    pub p999: f64,
    pub max: f64,
}

#[derive(Debug, Clone, Default, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Stats {
    pub planned_per_second: f64,
    pub seconds: f64,
    pub sent: u64,
    pub acked: u64,
    pub acked_per_second: f64,
    pub delivered: u64,
    pub refusals: BTreeMap<String, u64>,
    pub ack_ms: Latency,
    pub delivery_ms: Latency,
    pub bench_lateness_ms: Latency,
    pub server: Usage,
    pub bench: Usage,
}

impl Stats {
    /// Of the server; `None` when nothing was acked.
    pub fn cpu_us_per_message(&self) -> Option<f64> {
        let acked = u32::try_from(self.acked).ok().filter(|acked| *acked > 0)?;
        Some(self.server.cpu_seconds * 1e6 / f64::from(acked))
    }
}

pub async fn run(sockets: Vec<Socket>, load: Load, pids: &[u32]) -> anyhow::Result<(Vec<Socket>, Stats)> {
    let (before, own_before) = (usage(pids), proc::own());
    let tally = Arc::new(Tally::default());
    let (stop, stopped) = watch::channel(false);
    let count = u32::try_from(sockets.len())?;
    // Time for every task to be there before the first message is due.
    let start = Instant::now() + Duration::from_millis(200);

    let mut tasks = JoinSet::new();
    for socket in sockets {
        let (tally, stop) = (Arc::clone(&tally), stopped.clone());
        let pace = Pace::new(load.rate, count, rand::random(), load.duration);
        tasks.spawn(async move {
            let Load { origin, bytes, .. } = load;
            socket.step(Orders { start, origin, pace, bytes, tally: &tally, stop }).await
        });
    }
    settle(&tally, u64::from(count), start).await;
    let (elapsed, server) = (start.elapsed(), usage(pids) - before);
    let bench = proc::own() - own_before;
    stop.send_replace(true);

    let mut sockets = Vec::new();
    let mut all = Samples::default();
    while let Some(done) = tasks.join_next().await {
        let (socket, samples) = done?;
        sockets.push(socket);
        all.ack.extend(samples.ack);
        all.delivery.extend(samples.delivery);
        all.lateness.extend(samples.lateness);
        for (code, times) in samples.refusals {
            *all.refusals.entry(code).or_default() += times;
        }
    }
    sockets.sort_unstable_by_key(|socket| socket.index);
    Ok((sockets, stats(load, elapsed, &tally, all, (server, bench))?))
}

/// Until everything sent is answered and delivered, or nothing moves any more.
async fn settle(tally: &Tally, sockets: u64, start: Instant) {
    tokio::time::sleep_until(start).await;
    let (mut known, mut since) = (0, Instant::now());
    while !tally.settled(sockets) && since.elapsed() < PATIENCE {
        tokio::time::sleep(LOOK_EVERY).await;
        let now = tally.progress();
        if now != known {
            (known, since) = (now, Instant::now());
        }
    }
}

fn stats(
    load: Load,
    elapsed: Duration,
    tally: &Tally,
    samples: Samples,
    (server, bench): (Usage, Usage),
) -> anyhow::Result<Stats> {
    let acked = tally.acked.load(Relaxed);
    #[expect(clippy::cast_precision_loss, reason = "messages of a run are far fewer than 2^52")]
    let acked_per_second = acked as f64 / elapsed.max(load.duration).as_secs_f64();
    Ok(Stats {
        planned_per_second: load.rate,
        seconds: elapsed.as_secs_f64(),
        sent: tally.sent.load(Relaxed),
        acked,
        acked_per_second,
        delivered: tally.delivered.load(Relaxed),
        refusals: samples.refusals,
        ack_ms: latency(&samples.ack)?,
        delivery_ms: latency(&samples.delivery)?,
        bench_lateness_ms: latency(&samples.lateness)?,
        server,
        bench,
    })
}

/// Of microseconds, to three digits, up to five minutes.
fn latency(micros: &[u64]) -> anyhow::Result<Latency> {
    let mut histogram = Histogram::<u64>::new_with_bounds(1, 300_000_000, 3)?;
    for value in micros {
        histogram.saturating_record(*value);
    }
    #[expect(clippy::cast_precision_loss, reason = "microseconds of a run are far fewer than 2^52")]
    let at = |quantile: f64| histogram.value_at_quantile(quantile) as f64 / 1_000.0;
    Ok(Latency { p50: at(0.5), p90: at(0.9), p99: at(0.99), p999: at(0.999), max: at(1.0) })
}
