//! The same load on one edge, two and four: what does a delivery cost?

use super::{Common, close, rooms_of, rounds, warm_up};
use crate::{bench::Bench, load::Plan, outcome::Outcome, results::Metric, target_run::ClientBehaviour};

const CPU: Metric = Metric::lower("cpu-delivery", "server CPU a delivery, all processes", "µs");
const FIRST: Metric = Metric::lower("ratio", "the same, to that of the first", "");
const LAST: Metric = Metric::lower("last-p99", "last receiver p99", "ms");

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
}

pub fn run(bench: &Bench, args: &Args) -> anyhow::Result<Outcome> {
    let mut outcome = Outcome::of("scale");
    let Args { common, members, rooms, devices, rate } = args;
    let setting = format!("{rooms} rooms of {members}, {rate:.0} messages/s, {}", common.cores.name());
    let runs = common.open(bench, &rooms_of(*members, *rooms, *devices), ClientBehaviour::default())?;
    let mut first = None;
    warm_up(bench, common, &runs, *rate)?;
    rounds(&runs, common.rounds, |run| {
        let plan = Plan::new(*rate, common.lasting(), common.bytes, run.all_senders());
        let stats = run.step(bench, "same load", &plan)?;
        let mut add = |metric, value| outcome.results.add(("scale", &setting), metric, &run.name, value);
        let Some(cpu) = stats.cpu_us_per_delivery() else { return Ok(()) };
        add(CPU, cpu);
        add(LAST, stats.last_ms.p99);
        if runs.first().is_some_and(|other| other.name == run.name) {
            first = Some(cpu);
        }
        first.filter(|first| *first > 0.0).inspect(|first| add(FIRST, cpu / first));
        Ok(())
    })?;
    close(bench, &mut outcome, runs)?;
    Ok(outcome)
}
