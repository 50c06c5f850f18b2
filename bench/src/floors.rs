//! Floors: what the machine allows at all, measured in the same run. Microseconds of one machine say little on
//! another; how many times the floor they are says more.

use std::{fmt, process::Stdio, time::Duration};

use anyhow::Context as _;
use futures_util::{StreamExt as _, TryStreamExt as _, stream};
use schemas::id::ConversationId;
use serde::Serialize;
use tokio::{
    io::{AsyncBufReadExt as _, BufReader},
    process::{Child, Command},
    time::{Instant, timeout},
};

use crate::{
    RoomsArgs,
    check::Fault,
    disk,
    scenarios::rooms::{OPENING, witnessed},
    socket::Socket,
    step::{self, Load, Stats},
};

/// Longer tells nothing new of a relay that has no state to grow.
const BARE_SECONDS: u64 = 8;
const FSYNC_FOR: Duration = Duration::from_secs(2);
const STARTS_WITHIN: Duration = Duration::from_secs(10);
/// /proc counts CPU time in hundredths of a second: less than five of them is noise.
const LEAST_CPU_SECONDS: f64 = 0.05;

/// One server under the load.
#[derive(Debug, Clone, Copy, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Side {
    pub acked_per_second: f64,
    pub ack_p50_ms: f64,
    pub ack_p99_ms: f64,
    pub bench_lateness_p99_ms: f64,
    /// Of all its processes; `None`: too little to be told, or their ids were not given.
    pub cpu_us_per_message: Option<f64>,
    pub rss_mib: f64,
}

impl Side {
    fn of(stats: &Stats) -> Self {
        Self {
            acked_per_second: stats.acked_per_second,
            ack_p50_ms: stats.ack_ms.p50,
            ack_p99_ms: stats.ack_ms.p99,
            bench_lateness_p99_ms: stats.bench_lateness_ms.p99,
            cpu_us_per_message: stats
                .cpu_us_per_message()
                .filter(|_| stats.server.cpu_seconds >= LEAST_CPU_SECONDS),
            rss_mib: stats.server.rss_mib,
        }
    }
}

#[derive(Debug, Clone, Copy, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Ratios {
    pub cpu_per_message: Option<f64>,
    pub ack_p99: Option<f64>,
    pub acked_per_fsync: Option<f64>,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Floors {
    pub natter: Side,
    pub bare: Side,
    pub fsyncs_per_second: Option<f64>,
    /// `None` when the relay broke a promise.
    pub ratios: Option<Ratios>,
    pub bare_fault_count: usize,
}

/// `None` without a folder to measure in.
pub async fn fsyncs(args: &RoomsArgs) -> anyhow::Result<Option<f64>> {
    let Some(dir) = args.fsync_dir.clone().filter(|_| args.floors) else { return Ok(None) };
    let measured = tokio::task::spawn_blocking(move || disk::fsyncs_per_second(&dir, FSYNC_FOR));
    measured.await?.map(Some)
}

/// The relay under the load that Natter was under in this step.
pub async fn measure(args: &RoomsArgs, natter: &Stats, fsyncs: Option<f64>) -> anyhow::Result<Floors> {
    let (child, host) = start().await?;
    let load = Load {
        rate: natter.planned_per_second,
        duration: Duration::from_secs(args.seconds.min(BARE_SECONDS)),
        bytes: usize::try_from(args.bytes)?,
        origin: Instant::now(),
    };
    let pids: Vec<u32> = child.id().into_iter().collect();
    let (stats, faults) = load_relay(&host, args.sockets / 2, load, &pids).await?;
    Ok(Floors::new(Side::of(natter), Side::of(&stats), fsyncs, faults.len()))
}

async fn load_relay(host: &str, rooms: u32, load: Load, pids: &[u32]) -> anyhow::Result<(Stats, Vec<Fault>)> {
    let places = (0..rooms).map(|_| ConversationId::fresh()).flat_map(|room| [room; 2]);
    let sockets: Vec<Socket> = stream::iter((0..).zip(places))
        .map(async |(index, room)| Socket::open(host, &room.to_string(), index, (room, 0)).await)
        .buffered(OPENING)
        .try_collect()
        .await?;
    let (mut sockets, stats) = step::run(sockets, load, pids).await?;
    let (_, faults) = witnessed(&mut sockets);
    Ok((stats, faults))
}

/// A process of its own, so that its CPU time is not the bench's. It ends with the `Child`.
async fn start() -> anyhow::Result<(Child, String)> {
    let mut command = Command::new(std::env::current_exe()?);
    command.arg("bare").stdin(Stdio::piped()).stdout(Stdio::piped()).kill_on_drop(true);
    let mut child = command.spawn().context("starting the bare relay")?;
    let stdout = child.stdout.take().context("its stdout is piped")?;
    let mut lines = BufReader::new(stdout).lines();
    let line = timeout(STARTS_WITHIN, lines.next_line()).await.context("the bare relay prints no port")??;
    let port: u16 = line.context("the bare relay ended at once")?.parse()?;
    Ok((child, format!("127.0.0.1:{port}")))
}

impl Floors {
    fn new(natter: Side, bare: Side, fsyncs_per_second: Option<f64>, bare_fault_count: usize) -> Self {
        let ratios = (bare_fault_count == 0).then(|| Ratios {
            cpu_per_message: ratio(natter.cpu_us_per_message, bare.cpu_us_per_message),
            ack_p99: ratio(Some(natter.ack_p99_ms), Some(bare.ack_p99_ms)),
            acked_per_fsync: ratio(Some(natter.acked_per_second), fsyncs_per_second),
        });
        Self { natter, bare, fsyncs_per_second, ratios, bare_fault_count }
    }
}

fn ratio(of: Option<f64>, to: Option<f64>) -> Option<f64> {
    let (of, to) = (of?, to?);
    (to > 0.0).then(|| of / to)
}

impl fmt::Display for Floors {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { natter, bare, .. } = self;
        let told = |of: fn(&Side) -> f64| (Some(of(natter)), Some(of(bare)));
        let ratio = |of: fn(&Ratios) -> Option<f64>| self.ratios.as_ref().and_then(of);
        writeln!(
            f,
            "\n{:<36} {:>9} {:>9} {:>9}",
            "floors, measured in the same run", "natter", "floor", "ratio"
        )?;
        line(f, "acked/s, to a bare relay's", told(|side| side.acked_per_second), None)?;
        line(f, "to the ack, p50 ms", told(|side| side.ack_p50_ms), None)?;
        line(f, "to the ack, p99 ms", told(|side| side.ack_p99_ms), ratio(|r| r.ack_p99))?;
        line(f, "(until written, p99 ms: in both)", told(|side| side.bench_lateness_p99_ms), None)?;
        let cpu = (natter.cpu_us_per_message, bare.cpu_us_per_message);
        line(f, "server's CPU, us a message", cpu, ratio(|r| r.cpu_per_message))?;
        line(f, "server's memory, MiB", told(|side| side.rss_mib), None)?;
        let disk = (Some(natter.acked_per_second), self.fsyncs_per_second);
        line(f, "acked/s, to fsyncs/s of one file", disk, ratio(|r| r.acked_per_fsync))?;
        match self.bare_fault_count {
            0 => Ok(()),
            faults => writeln!(f, "no ratios: the bare relay broke {faults} promises"),
        }
    }
}

fn line(
    f: &mut fmt::Formatter<'_>,
    name: &str,
    (natter, bare): (Option<f64>, Option<f64>),
    ratio: Option<f64>,
) -> fmt::Result {
    let cell = |value: Option<f64>, digits: usize| value.map_or("-".to_owned(), |v| format!("{v:.digits$}"));
    let ratio = ratio.map_or(String::new(), |ratio| format!(" {ratio:>9.2}"));
    writeln!(f, "  {name:<34} {:>9} {:>9}{ratio}", cell(natter, 1), cell(bare, 1))
}

#[cfg(test)]
mod tests {
    use tokio::net::TcpListener;

    use super::*;

    fn side(ack_p99_ms: f64, cpu_us_per_message: Option<f64>) -> Side {
        Side {
            acked_per_second: 500.0,
            ack_p50_ms: 1.0,
            ack_p99_ms,
            bench_lateness_p99_ms: 1.0,
            cpu_us_per_message,
            rss_mib: 10.0,
        }
    }

    #[test]
    fn ratios_are_natter_to_the_floor() {
        let floors = Floors::new(side(6.0, Some(400.0)), side(2.0, Some(50.0)), Some(2_000.0), 0);
        let Ratios { cpu_per_message, ack_p99, acked_per_fsync } = floors.ratios.unwrap();
        assert_eq!((cpu_per_message, ack_p99, acked_per_fsync), (Some(8.0), Some(3.0), Some(0.25)));
        assert!(floors.to_string().contains("8.00"));
    }

    #[test]
    fn what_was_not_measured_has_no_ratio() {
        let floors = Floors::new(side(6.0, Some(400.0)), side(0.0, None), None, 0);
        let Ratios { cpu_per_message, ack_p99, acked_per_fsync } = floors.ratios.unwrap();
        assert_eq!((cpu_per_message, ack_p99, acked_per_fsync), (None, None, None));
    }

    #[test]
    fn a_relay_that_broke_a_promise_is_no_floor() {
        let floors = Floors::new(side(6.0, Some(400.0)), side(2.0, Some(50.0)), Some(2_000.0), 3);
        assert!(floors.ratios.is_none());
        assert!(floors.to_string().contains("no ratios: the bare relay broke 3 promises"));
    }

    #[tokio::test]
    async fn the_relay_stands_before_the_same_oracle() {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let host = listener.local_addr().unwrap().to_string();
        let relay = tokio::spawn(crate::bare::relay(listener));
        let duration = Duration::from_millis(100);
        let load = Load { rate: 400.0, duration, bytes: 64, origin: Instant::now() };
        let (stats, faults) = load_relay(&host, 2, load, &[]).await.unwrap();
        assert_eq!(faults, []);
        assert!(stats.acked > 0);
        assert_eq!((stats.acked, stats.delivered), (stats.sent, 2 * stats.sent));
        relay.abort();
    }
}
