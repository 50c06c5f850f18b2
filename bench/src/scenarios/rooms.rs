//! Rooms of one size, all members write. What `ack` and `fanout` have in common: the search for the capacity,
//! the latency at half of it, and what a fixed rate costs.

use super::{Common, close, rooms_of, rounds, warm_up};
use crate::{
    bench::Bench,
    capacity::{Bound, Search, keeps_up, nearly},
    load::{Plan, Stats},
    outcome::Outcome,
    results::{Metric, Results},
    target_run::{ClientBehaviour, TargetRun},
};

const CAPACITY: Metric = Metric::higher("capacity", "capacity", "messages/s");
const CAPACITY_SHOWN: Metric = Metric::higher("deliveries", "capacity", "deliveries/s");
const HALF_ACK_P50: Metric = Metric::lower("half-ack-p50", "at half of it: ack p50", "ms");
const HALF_ACK: Metric = Metric::lower("half-ack-p99", "at half of it: ack p99", "ms");
const HALF_LAST: Metric = Metric::lower("half-last-p99", "at half of it: last receiver p99", "ms");
const CPU: Metric = Metric::lower("cpu", "server CPU a message", "µs");
const CPU_SHOWN: Metric = Metric::lower("cpu-delivery", "server CPU a delivery", "µs");
const ACK: Metric = Metric::lower("ack-p99", "ack p99", "ms");
const LAST: Metric = Metric::lower("last-p99", "last receiver p99", "ms");
const RSS: Metric = Metric::lower("rss", "memory of the server", "MiB");
const GENERATOR: Metric = Metric::lower("generator", "(generator's CPU a message)", "µs");

/// One setting of it.
pub struct Setting<'a> {
    pub scenario: &'a str,
    pub members: u32,
    pub rooms: u32,
    /// Sockets of a person.
    pub devices: u32,
    /// Messages a second, all targets; 0: leave it out.
    pub rate: f64,
    /// Where the search for each target begins, the last one for all that follow; empty: no search.
    pub search: &'a [f64],
    pub bound: Bound,
    pub label: String,
}

pub fn run(bench: &Bench, common: &Common, setting: &Setting<'_>) -> anyhow::Result<Outcome> {
    let mut outcome = Outcome::of(setting.scenario);
    let runs = common.open(
        bench,
        &rooms_of(setting.members, setting.rooms, setting.devices),
        ClientBehaviour::default(),
    )?;
    let rate =
        if setting.rate > 0.0 { setting.rate } else { setting.search.first().copied().unwrap_or(100.0) };
    warm_up(bench, common, &runs, rate)?;
    let start = |nth: usize| setting.search.get(nth).or(setting.search.last()).copied();
    let mut starts: Vec<Option<f64>> = (0..runs.len()).map(start).collect();
    let mut nth = 0;
    rounds(&runs, common.rounds, |run| {
        let start = nth % runs.len();
        nth += 1;
        let results = &mut outcome.results;
        if setting.rate > 0.0 {
            let stats = run.step(bench, "fixed rate", &plan(common, run, setting.rate))?;
            fixed(results, setting, run, &stats);
        }
        let Some(from) = starts[start] else { return Ok(()) };
        if let Some(found) = capacity(bench, common, setting.bound, (run, from))? {
            // The next round begins where this one ended, and is shorter for it.
            starts[start] = Some((found.planned_per_second * 0.8).max(1.0));
            searched(bench, common, results, setting, (run, &found))?;
        }
        Ok(())
    })?;
    close(bench, &mut outcome, runs)?;
    Ok(outcome)
}

fn plan(common: &Common, run: &TargetRun, rate: f64) -> Plan {
    Plan::new(rate, common.lasting(), common.bytes, run.all_senders())
}

/// The step at the highest rate that was kept up with; `None`, and reported, when there was none.
pub fn capacity(
    bench: &Bench,
    common: &Common,
    bound: Bound,
    (run, from): (&TargetRun, f64),
) -> anyhow::Result<Option<Stats>> {
    let (mut search, mut best) = (Search::from(from), None);
    while let Some(rate) = search.next() {
        let mut stats = run.step(bench, "search", &plan(common, run, rate))?;
        if !keeps_up(&stats, bound) && nearly(&stats) {
            // Once more: a hiccup of the machine is not the server's capacity.
            stats = run.step(bench, "search, again", &plan(common, run, rate))?;
        }
        let passed = keeps_up(&stats, bound);
        search.record(rate, passed);
        if passed {
            best = Some(stats);
        }
        let broken = run.run(bench, "oracle", |engine| !engine.oracle.violations.is_empty())?;
        if broken {
            // A void run is over: what it would measure now is worth nothing.
            break;
        }
    }
    if best.is_none() {
        bench.print_status(&format!("{}: no rate kept the bound: no capacity is reported", run.name));
    }
    Ok(best)
}

fn fixed(results: &mut Results, setting: &Setting<'_>, run: &TargetRun, stats: &Stats) {
    let label = format!("{}, {:.0}/s", setting.label, setting.rate);
    let mut add = |metric, value| results.add((setting.scenario, &label), metric, &run.name, value);
    if setting.members == 2 {
        stats.cpu_us_per_message().inspect(|cpu| add(CPU, *cpu));
        add(ACK, stats.ack_ms.p99);
    } else {
        stats.cpu_us_per_delivery().inspect(|cpu| add(CPU_SHOWN, *cpu));
    }
    add(LAST, stats.last_ms.p99);
    add(RSS, stats.server.rss_mib);
    stats.bench_us_per_message().inspect(|cpu| add(GENERATOR, *cpu));
}

fn searched(
    bench: &Bench,
    common: &Common,
    results: &mut Results,
    setting: &Setting<'_>,
    (run, found): (&TargetRun, &Stats),
) -> anyhow::Result<()> {
    let half = (found.planned_per_second / 2.0).max(1.0);
    let at_half = run.step(bench, "half of it", &plan(common, run, half))?;
    let mut add = |metric, value| results.add((setting.scenario, &setting.label), metric, &run.name, value);
    if setting.members == 2 {
        add(CAPACITY, found.acked_per_second);
        add(HALF_ACK_P50, at_half.ack_ms.p50);
        add(HALF_ACK, at_half.ack_ms.p99);
    } else {
        add(CAPACITY_SHOWN, found.delivered_per_second);
    }
    add(HALF_LAST, at_half.last_ms.p99);
    Ok(())
}
