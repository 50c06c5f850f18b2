//! A storm of log-ins during the mixed load: more than the server can hash, so that most are refused with a retry time. Do
//! messages notice?

use super::{Common, close, mixed::MixedLoad, rounds, warm_up};
use crate::{
    bench::Bench,
    load::{Plan, RequestKind, real},
    outcome::Outcome,
    results::Metric,
    target_run::ClientBehaviour,
};

const QUIET: Metric = Metric::lower("p99", "to a receiver, p99", "ms");
const STORM: Metric = Metric::lower("p99-storm", "to a receiver, p99, in the storm", "ms");
const RATIO: Metric = Metric::lower("ratio", "the same, in the storm to without", "");
const DONE: Metric = Metric::higher("log-ins", "log-ins done", "/s");
const WAITED: Metric = Metric::lower("log-in-p99", "a log-in, p99", "ms");

#[derive(Debug, Clone, clap::Args)]
pub struct Args {
    #[command(flatten)]
    pub common: Common,
    #[command(flatten)]
    pub load: MixedLoad,
    /// Messages a second.
    #[arg(long, default_value_t = 500.0)]
    pub rate: f64,
    /// Log-ins a second.
    #[arg(long, default_value_t = 200.0)]
    pub logins: f64,
}

pub fn run(bench: &Bench, args: &Args) -> anyhow::Result<Outcome> {
    let mut outcome = Outcome::of("login");
    let Args { common, load, rate, logins } = args;
    let setting = format!(
        "mixed, {} sockets, {rate:.0} messages/s, {logins:.0} log-ins/s, {}",
        load.sockets,
        common.cores.name()
    );
    let runs =
        common.open(bench, &load.shape(), ClientBehaviour { join: true, ..ClientBehaviour::default() })?;
    warm_up(bench, common, &runs, *rate)?;
    rounds(&runs, common.rounds, |run| {
        let plan = load.plan(common, run, *rate);
        let quiet = run.step(bench, "without a storm", &plan)?;
        let storm = run.step(bench, "in the storm", &Plan { logins: *logins, ..plan })?;
        let mut add = |metric, value| outcome.results.add(("login", &setting), metric, &run.name, value);
        add(QUIET, quiet.delivery_ms.p99);
        add(STORM, storm.delivery_ms.p99);
        add(RATIO, storm.delivery_ms.p99 / quiet.delivery_ms.p99.max(0.001));
        if let Some(done) = storm.requests_ms.get(&RequestKind::LogIn) {
            add(DONE, real(done.count) / storm.seconds.max(0.001));
            add(WAITED, done.p99);
        }
        Ok(())
    })?;
    close(bench, &mut outcome, runs)?;
    Ok(outcome)
}
