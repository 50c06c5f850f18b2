//! A storm of log-ins beside a conversation: more than the server can hash, so that most are told to wait. Do
//! messages notice?

use super::{Common, close, rooms_of, rounds, warm_up};
use crate::{
    bench::Bench,
    load::{Errand, Plan},
    outcome::Outcome,
    sheet::Metric,
    side::Manners,
};

const QUIET: Metric = Metric::lower("p99", "last receiver p99", "ms");
const STORM: Metric = Metric::lower("p99-storm", "last receiver p99 in the storm", "ms");
const RATIO: Metric = Metric::lower("ratio", "the second to the first", "");
const DONE: Metric = Metric::higher("log-ins", "log-ins done", "/s");
const WAITED: Metric = Metric::lower("log-in-p99", "a log-in, p99", "ms");

#[derive(Debug, Clone, clap::Args)]
pub struct Args {
    #[command(flatten)]
    pub common: Common,
    #[arg(long, default_value_t = 1_000)]
    pub sockets: u32,
    /// Messages a second.
    #[arg(long, default_value_t = 500.0)]
    pub rate: f64,
    /// Log-ins a second.
    #[arg(long, default_value_t = 200.0)]
    pub logins: f64,
}

pub fn run(bench: &Bench, args: &Args) -> anyhow::Result<Outcome> {
    let mut outcome = Outcome::of("login");
    let Args { common, sockets, rate, logins } = args;
    let setting = format!("{rate:.0} messages/s, {logins:.0} log-ins/s, {}", common.cores.name());
    let sides = common.open(bench, &rooms_of(2, sockets / 2, 1), Manners::default())?;
    warm_up(bench, common, &sides, *rate)?;
    rounds(&sides, common.rounds, |side| {
        let plan = Plan::new(*rate, common.lasting(), common.bytes, side.everybody());
        let quiet = side.step(bench, "without a storm", &plan)?;
        let storm = side.step(bench, "in the storm", &Plan { logins: *logins, ..plan })?;
        let mut add = |metric, value| outcome.sheet.add(("login", &setting), metric, &side.name, value);
        add(QUIET, quiet.last_ms.p99);
        add(STORM, storm.last_ms.p99);
        add(RATIO, storm.last_ms.p99 / quiet.last_ms.p99.max(0.001));
        if let Some(done) = storm.errands_ms.get(&Errand::LogIn) {
            add(DONE, crate::load::real(done.count) / storm.seconds.max(0.001));
            add(WAITED, done.p99);
        }
        Ok(())
    })?;
    close(bench, &mut outcome, sides)?;
    Ok(outcome)
}
