//! Sockets that say nothing. What one of them costs is the slope between few and many: what the process needs
//! anyway falls away.

use std::time::Duration;

use super::{Common, rooms_of};
use crate::{
    bench::Bench,
    outcome::Outcome,
    pace::pause,
    proc::Usage,
    seed::Shape,
    sheet::Metric,
    side::{Manners, Side},
};

/// After sockets have come in, before anything is measured.
const SETTLES: Duration = Duration::from_secs(8);

const RSS: Metric = Metric::lower("rss", "memory of a socket", "KiB");
const CPU: Metric = Metric::lower("cpu", "CPU of a socket", "µs/s");
const ALL: Metric = Metric::lower("rss-all", "memory of the server with all of them", "MiB");
const IN: Metric = Metric::lower("come-in", "time until all of them were in", "s");

#[derive(Debug, Clone, clap::Args)]
pub struct Args {
    #[command(flatten)]
    pub common: Common,
    #[arg(long, default_value_t = 2_000)]
    pub few: u32,
    #[arg(long, default_value_t = 10_000)]
    pub many: u32,
    /// Sockets of a person.
    #[arg(long, default_value_t = 5)]
    pub devices: u32,
    /// Of watching, each time: a server's ping comes every 25.
    #[arg(long, default_value_t = 50)]
    pub watch: u64,
}

pub fn run(bench: &Bench, args: &Args) -> anyhow::Result<Outcome> {
    let mut outcome = Outcome::of("idle");
    let setting = format!("{} to {} sockets, {}", args.few, args.many, args.common.cores.name());
    for kind in args.common.present(bench) {
        let people = args.many / args.devices.max(1) / 2 * 2;
        let shape = Shape { sockets: args.many, ..rooms_of(2, people / 2, 1) };
        let manners = Manners { closed: true, ..Manners::default() };
        let side = Side::open(bench, kind, args.common.cores, shape, manners)?;
        side.come_in(bench, 0..args.few, None)?;
        let few = watched(bench, &side, args.watch);
        let opened = side.come_in(bench, args.few..args.many, None)?;
        let many = watched(bench, &side, args.watch);
        let sockets = f64::from(args.many - args.few);
        let seconds = Duration::from_secs(args.watch).as_secs_f64();
        let mut add = |metric, value| outcome.sheet.add(("idle", &setting), metric, &side.name, value);
        add(RSS, (many.rss_mib - few.rss_mib) * 1_024.0 / sockets);
        add(CPU, (many.cpu_seconds - few.cpu_seconds) * 1e6 / seconds / sockets);
        add(ALL, many.rss_mib);
        add(IN, opened.took.as_secs_f64());
        outcome.judge(side.close(bench)?);
    }
    Ok(outcome)
}

/// CPU over so many seconds, and memory at their end.
fn watched(bench: &Bench, side: &Side, seconds: u64) -> Usage {
    bench.saying(&format!("{}: watching idle sockets", side.name), || {
        pause(SETTLES);
        let before = side.usage();
        pause(Duration::from_secs(seconds));
        side.usage() - before
    })
}
