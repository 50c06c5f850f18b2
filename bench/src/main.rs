//! Load with proof: a run counts only when every acked message was delivered once, in order, without a gap,
//! and is in history under the same seq.

#![cfg_attr(test, allow(clippy::unwrap_used))]

mod bare; // the floor of any server: a relay that stores nothing
mod check; // the oracle
mod disk; // the floor of whatever stores: fsyncs a second
mod floors; // both floors measured, and Natter's ratios to them
mod pace; // when each message is due, whatever the server does
mod proc; // what the server costs: CPU time and memory
mod report; // a table for people, JSON for machines
mod rest; // accounts, rooms and history over HTTP
mod socket; // one socket: sends what is due, notes what comes back
mod step; // many sockets at one rate, from the first send to the last delivery

mod scenarios {
    pub mod rooms; // two people a room, all rooms at once
}

use std::{path::PathBuf, process::ExitCode, time::Duration};

use anyhow::Context as _;
use clap::Parser;

/// Puts load on a running Natter and proves that no promise was broken meanwhile.
///
/// The server must run with `RATE_LIMITS=off`. Exits with 1 when a promise was broken: such a run has no
/// figures worth keeping.
#[derive(Debug, Parser)]
#[command(version)]
struct Args {
    #[command(subcommand)]
    scenario: Scenario,
    /// Where the server listens.
    #[arg(long, global = true, default_value = "http://127.0.0.1:3000")]
    url: String,
    /// Process ids of the server; their children are counted with them.
    #[arg(long, global = true, value_delimiter = ',')]
    pid: Vec<u32>,
    /// Also write the report as JSON.
    #[arg(long, global = true)]
    json: Option<PathBuf>,
}

#[derive(Debug, clap::Subcommand)]
enum Scenario {
    /// Sockets in direct rooms of two, everybody writing.
    Rooms(RoomsArgs),
    /// A relay for `rooms --floors`, which starts it.
    #[command(hide = true)]
    Bare,
}

#[derive(Debug, Clone, clap::Args)]
pub struct RoomsArgs {
    /// Sockets, one user each, two a room.
    #[arg(long, default_value_t = 1_000, value_parser = clap::value_parser!(u32).range(2..=20_000))]
    pub sockets: u32,
    /// Messages a second over all sockets; with --find-capacity where the search begins.
    #[arg(long, default_value_t = 500.0)]
    pub rate: f64,
    /// Seconds of sending, of each step with --find-capacity. Access tokens are not renewed: 600 at most.
    #[arg(long, default_value_t = 30, value_parser = clap::value_parser!(u64).range(1..=600))]
    pub seconds: u64,
    /// Bytes of each message's content.
    #[arg(long, default_value_t = 200, value_parser = clap::value_parser!(u32).range(48..=8_192))]
    pub bytes: u32,
    /// Raise the rate until the server no longer keeps up, then narrow it down.
    #[arg(long)]
    pub find_capacity: bool,
    /// A step of --find-capacity passes with a delivery p99 up to this.
    #[arg(long, default_value_t = 100)]
    pub p99_ms: u64,
    /// Rooms whose history is compared afterwards; all of them unless told.
    #[arg(long)]
    pub history_rooms: Option<usize>,
    /// Put the same load on a bare relay afterwards and print what Natter costs in ratios to it.
    #[arg(long, overrides_with = "floors")]
    pub floors: bool,
    /// A folder on the server's disk: with --floors, measure before the run how many fsyncs it takes.
    #[arg(long)]
    pub fsync_dir: Option<PathBuf>,
}

impl RoomsArgs {
    pub fn duration(&self) -> Duration {
        Duration::from_secs(self.seconds)
    }
}

#[tokio::main]
async fn main() -> anyhow::Result<ExitCode> {
    let args = Args::parse();
    allow_many_sockets()?;
    let rooms = match &args.scenario {
        Scenario::Rooms(rooms) => rooms,
        Scenario::Bare => return bare::serve().await.map(|()| ExitCode::SUCCESS),
    };
    let report = scenarios::rooms::run(rooms, &args.url, &args.pid).await?;
    report.print();
    if let Some(path) = &args.json {
        let json = serde_json::to_string_pretty(&report)?;
        std::fs::write(path, json).with_context(|| format!("writing {}", path.display()))?;
    }
    Ok(if report.holds() { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

/// A socket is a file, and many systems start programs with room for 1,024.
fn allow_many_sockets() -> anyhow::Result<()> {
    use nix::sys::resource::{Resource, getrlimit, setrlimit};
    let (_, most) = getrlimit(Resource::RLIMIT_NOFILE)?;
    setrlimit(Resource::RLIMIT_NOFILE, most, most).context("raising the number of open files")
}
