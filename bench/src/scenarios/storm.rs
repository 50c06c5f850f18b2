//! Every connection breaks at once, messages are posted meanwhile over HTTP, and then every client reconnects at
//! once and is sent what they missed, where a protocol can.

use super::{Common, close, rooms_of, rounds};
use crate::{
    bench::Bench,
    load::{Plan, Transport},
    outcome::Outcome,
    results::Metric,
    target_run::{ClientBehaviour, TargetRun},
};

const BACK: Metric = Metric::lower("all-back", "until all are back", "s");
const P50: Metric = Metric::lower("back-p50", "until a socket is back, p50", "ms");
const P99: Metric = Metric::lower("back-p99", "until a socket is back, p99", "ms");
const CPU: Metric = Metric::lower("cpu", "server CPU a socket that comes back", "µs");

#[derive(Debug, Clone, clap::Args)]
pub struct Args {
    #[command(flatten)]
    pub common: Common,
    #[arg(long, default_value_t = 10)]
    pub members: u32,
    #[arg(long, default_value_t = 200)]
    pub rooms: u32,
    /// Sockets of a person.
    #[arg(long, default_value_t = 1)]
    pub devices: u32,
    /// Messages a second, before and while all are disconnected.
    #[arg(long, default_value_t = 200.0)]
    pub rate: f64,
}

pub fn run(bench: &Bench, args: &Args) -> anyhow::Result<Outcome> {
    let mut outcome = Outcome::of("storm");
    let Args { common, members, rooms, devices, rate } = args;
    let shape = rooms_of(*members, *rooms, *devices);
    let sockets = shape.sockets;
    let setting = format!("{sockets} sockets, {rate:.0} messages/s missed, {}", common.cores.name());
    let runs = common.open(bench, &shape, ClientBehaviour::default())?;
    rounds(&runs, common.rounds, |run| {
        let plan = Plan::new(*rate, common.lasting(), common.bytes, run.all_senders());
        run.step(bench, "before", &plan)?;
        break_off(bench, run, sockets)?;
        if run.server.kind.resumes() {
            run.step(bench, "away", &Plan { transport: Transport::Http, settle: false, ..plan })?;
        }
        let before = run.usage();
        let opened = run.connect_all(bench, 0..sockets, Some(sockets as usize))?;
        run.run(bench, "what was missed", crate::load::Engine::settle)?;
        let cost = run.usage() - before;
        let times = opened.times.latency();
        let mut add = |metric, value| outcome.results.add(("storm", &setting), metric, &run.name, value);
        add(BACK, opened.took.as_secs_f64());
        add(P50, times.p50);
        add(P99, times.p99);
        add(CPU, cost.cpu_seconds * 1e6 / f64::from(sockets));
        Ok(())
    })?;
    close(bench, &mut outcome, runs)?;
    Ok(outcome)
}

fn break_off(bench: &Bench, run: &TargetRun, sockets: u32) -> anyhow::Result<()> {
    let all: Vec<u32> = (0..sockets).collect();
    run.run(bench, "connections break", move |engine| engine.cut(&all))
}
