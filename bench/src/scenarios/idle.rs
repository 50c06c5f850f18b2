//! Idle sockets. What one of them costs is the slope between few and many: what the process needs
//! anyway falls away.

use std::time::Duration;

use nix::sys::resource::{Resource, getrlimit};

use super::{Common, close, rooms_of};
use crate::{
    bench::Bench,
    outcome::Outcome,
    results::Metric,
    schedule::sleep,
    seed::Shape,
    target_run::{ClientBehaviour, TargetRun},
    usage::Usage,
};

/// After sockets have come in, before anything is measured.
const SETTLES: Duration = Duration::from_secs(8);

/// Of a target besides its sockets.
const SPARE_FILES: u64 = 500;

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
    let people = args.many / args.devices.max(1) / 2 * 2;
    let shape = Shape { sockets: args.many, ..rooms_of(2, people / 2, 1) };
    let behaviour = ClientBehaviour { closed: true, ..ClientBehaviour::default() };
    let kinds = args.common.present(bench);
    // Idle targets do not disturb one another: all at the same time, where there may be so many sockets.
    let at_once = if room_for(kinds.len(), args.many) { kinds.len() } else { 1 };
    for kinds in kinds.chunks(at_once.max(1)) {
        let runs =
            kinds.iter().filter_map(|kind| args.common.open_one(bench, *kind, &shape, behaviour).transpose());
        let runs: Vec<TargetRun> = runs.collect::<Result<_, _>>()?;
        slopes(bench, args, &runs, &mut outcome)?;
        close(bench, &mut outcome, runs)?;
    }
    Ok(outcome)
}

/// Both ends of each connection are files: one of them here, the other a server's own affair.
fn room_for(targets: usize, sockets: u32) -> bool {
    let (_, most) = getrlimit(Resource::RLIMIT_NOFILE).unwrap_or_default();
    targets as u64 * (u64::from(sockets) + SPARE_FILES) <= most
}

fn slopes(bench: &Bench, args: &Args, runs: &[TargetRun], outcome: &mut Outcome) -> anyhow::Result<()> {
    let setting = format!("{} to {} sockets, {}", args.few, args.many, args.common.cores.name());
    let mut took = Vec::new();
    for run in runs {
        took.push(run.connect_all(bench, 0..args.few, None)?.took);
    }
    let few = watched(bench, runs, args.watch);
    for (run, took) in runs.iter().zip(&mut took) {
        *took += run.connect_all(bench, args.few..args.many, None)?.took;
    }
    let many = watched(bench, runs, args.watch);
    let (sockets, seconds) = (f64::from(args.many - args.few), Duration::from_secs(args.watch).as_secs_f64());
    for (((run, took), few), many) in runs.iter().zip(took).zip(few).zip(many) {
        let mut add = |metric, value| outcome.results.add(("idle", &setting), metric, &run.name, value);
        add(RSS, (many.rss_mib - few.rss_mib) * 1_024.0 / sockets);
        add(CPU, (many.cpu_seconds - few.cpu_seconds) * 1e6 / seconds / sockets);
        add(ALL, many.rss_mib);
        add(IN, took.as_secs_f64());
    }
    Ok(())
}

/// CPU over so many seconds, and memory at their end.
fn watched(bench: &Bench, runs: &[TargetRun], seconds: u64) -> Vec<Usage> {
    bench.with_spinner("watching idle sockets", || {
        sleep(SETTLES);
        let before: Vec<Usage> = runs.iter().map(TargetRun::usage).collect();
        sleep(Duration::from_secs(seconds));
        runs.iter().zip(before).map(|(run, before)| run.usage() - before).collect()
    })
}
