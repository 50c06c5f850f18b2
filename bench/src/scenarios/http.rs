//! Messages over HTTP, each with an idempotency key, while every account listens on a socket.

use super::{Common, close, rooms_of, rounds, warm_up};
use crate::{
    bench::Bench,
    load::{Plan, Transport},
    outcome::Outcome,
    results::Metric,
    target_run::ClientBehaviour,
};

const P50: Metric = Metric::lower("p50", "answer p50", "ms");
const P99: Metric = Metric::lower("p99", "answer p99", "ms");
const P999: Metric = Metric::lower("p999", "answer p99.9", "ms");
const LAST: Metric = Metric::lower("last-p99", "last receiver p99", "ms");
const ERRORS: Metric = Metric::lower("errors", "errors", "");
const CPU: Metric = Metric::lower("cpu", "server CPU a message", "µs");

#[derive(Debug, Clone, clap::Args)]
pub struct Args {
    #[command(flatten)]
    pub common: Common,
    #[arg(long, default_value_t = 1_000)]
    pub sockets: u32,
    /// Messages a second.
    #[arg(long, default_value_t = 1_000.0)]
    pub rate: f64,
}

pub fn run(bench: &Bench, args: &Args) -> anyhow::Result<Outcome> {
    let mut outcome = Outcome::of("http");
    let Args { common, sockets, rate } = args;
    let setting = format!("{rate:.0}/s, {} B, {}", common.bytes, common.cores.name());
    let runs = common.open(bench, &rooms_of(2, sockets / 2, 1), ClientBehaviour::default())?;
    warm_up(bench, common, &runs, *rate)?;
    rounds(&runs, common.rounds, |run| {
        let plan = Plan::new(*rate, common.lasting(), common.bytes, run.all_senders());
        let stats = run.step(bench, "over HTTP", &Plan { transport: Transport::Http, ..plan })?;
        let mut add = |metric, value| outcome.results.add(("http", &setting), metric, &run.name, value);
        add(P50, stats.ack_ms.p50);
        add(P99, stats.ack_ms.p99);
        add(P999, stats.ack_ms.p999);
        add(LAST, stats.last_ms.p99);
        add(ERRORS, stats.errors());
        stats.cpu_us_per_message().inspect(|cpu| add(CPU, *cpu));
        Ok(())
    })?;
    close(bench, &mut outcome, runs)?;
    Ok(outcome)
}
