//! Some stop reading. Does it cost the others anything? The server may close those who stopped; they come back,
//! and what they have not received by then is sent again or reported as a gap.

use std::time::Duration;

use super::{Common, close, rooms_of, rounds, warm_up};
use crate::{
    bench::Bench,
    load::{Engine, Plan, Sender},
    outcome::Outcome,
    results::Metric,
    target_run::{ClientBehaviour, TargetRun},
};

const ALL_READ: Metric = Metric::lower("p99", "to a receiver, p99, all read", "ms");
const SOME_STALL: Metric = Metric::lower("p99-stall", "to a receiver that reads, p99, some stall", "ms");
const RATIO: Metric = Metric::lower("ratio", "the same, some stall to all read", "");
const CLOSED: Metric = Metric::higher("closed", "closed for it", "of those who stall");
const GROWTH: Metric = Metric::lower("growth", "memory of the server, more with stalled readers", "MiB");

/// Longer than a server takes to close a slow reader or to send what waited for it.
const WAKES_WITHIN: Duration = Duration::from_secs(30);

#[derive(Debug, Clone, clap::Args)]
pub struct Args {
    #[command(flatten)]
    pub common: Common,
    #[arg(long, default_value_t = 100)]
    pub members: u32,
    #[arg(long, default_value_t = 10)]
    pub rooms: u32,
    /// Sockets of a person.
    #[arg(long, default_value_t = 1)]
    pub devices: u32,
    /// Messages a second.
    #[arg(long, default_value_t = 200.0)]
    pub rate: f64,
    /// One socket of so many stalls.
    #[arg(long, default_value_t = 20)]
    pub one_in: u32,
}

pub fn run(bench: &Bench, args: &Args) -> anyhow::Result<Outcome> {
    let mut outcome = Outcome::of("slow");
    let Args { common, members, rooms, devices, rate, one_in } = args;
    let shape = rooms_of(*members, *rooms, *devices);
    let sockets = shape.sockets;
    let setting =
        format!("1 of {one_in} stalls, {sockets} sockets, {} B, {}", common.bytes, common.cores.name());
    let behaviour = ClientBehaviour { small_buffers: true, ..ClientBehaviour::default() };
    let runs = common.open(bench, &shape, behaviour)?;
    let slow: Vec<u32> = (0..sockets).filter(|socket| socket % one_in == one_in - 1).collect();
    warm_up(bench, common, &runs, *rate)?;
    rounds(&runs, common.rounds, |run| {
        let senders: Vec<Sender> =
            run.all_senders().iter().copied().filter(|t| !slow.contains(&t.socket)).collect();
        let plan = Plan::new(*rate, common.lasting(), common.bytes, senders.into());
        let all_read = run.step(bench, "all read", &plan)?;
        let (stalling, before) = (slow.clone(), run.usage().rss_mib);
        run.run(bench, "some stall", move |engine| engine.stall(&stalling))?;
        let some_stall = run.step(bench, "some stall", &Plan { settle: false, ..plan })?;
        let closed = wake(bench, run, &slow)?;
        let mut add = |metric, value| outcome.results.add(("slow", &setting), metric, &run.name, value);
        add(ALL_READ, all_read.delivery_ms.p99);
        add(SOME_STALL, some_stall.delivery_ms.p99);
        add(RATIO, some_stall.delivery_ms.p99 / all_read.delivery_ms.p99.max(0.001));
        add(CLOSED, f64::from(closed) / f64::from(u32::try_from(slow.len())?.max(1)));
        add(GROWTH, some_stall.server.rss_mib - before);
        Ok(())
    })?;
    close(bench, &mut outcome, runs)?;
    Ok(outcome)
}

/// They read again, and those that were closed come back. How many those were.
fn wake(bench: &Bench, run: &TargetRun, slow: &[u32]) -> anyhow::Result<u32> {
    let waking = slow.to_vec();
    let closed = run.run(bench, "they read again", move |engine| engine.unstall(&waking, WAKES_WITHIN))?;
    let count = u32::try_from(closed.len())?;
    run.connect_all(bench, closed, None)?;
    run.run(bench, "what was missed", Engine::settle)?;
    Ok(count)
}
