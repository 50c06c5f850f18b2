//! Everybody's connection breaks at once, people write meanwhile over HTTP, and then everybody comes back at
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
    /// Messages a second, before and while everybody is away.
    #[arg(long, default_value_t = 200.0)]
    pub rate: f64,
}

pub fn run(bench: &Bench, args: &Args) -> anyhow::Result<Outcome> {
    let mut outcome = Outcome::of("storm");
    let Args { common, members, rooms, devices, rate } = args;
    let shape = rooms_of(*members, *rooms, *devices);
    let sockets = shape.sockets;
    let setting = format!("{sockets} sockets, {rate:.0} messages/s missed, {}", common.cores.name());
    let sides = common.open(bench, &shape, ClientBehaviour::default())?;
    rounds(&sides, common.rounds, |side| {
        let plan = Plan::new(*rate, common.lasting(), common.bytes, side.all_senders());
        side.step(bench, "before", &plan)?;
        break_off(bench, side, sockets)?;
        if side.server.kind.resumes() {
            side.step(bench, "away", &Plan { transport: Transport::Http, settle: false, ..plan })?;
        }
        let before = side.usage();
        let opened = side.connect_all(bench, 0..sockets, Some(sockets as usize))?;
        side.run(bench, "what was missed", crate::load::Engine::settle)?;
        let cost = side.usage() - before;
        let times = opened.times.latency();
        let mut add = |metric, value| outcome.results.add(("storm", &setting), metric, &side.name, value);
        add(BACK, opened.took.as_secs_f64());
        add(P50, times.p50);
        add(P99, times.p99);
        add(CPU, cost.cpu_seconds * 1e6 / f64::from(sockets));
        Ok(())
    })?;
    close(bench, &mut outcome, sides)?;
    Ok(outcome)
}

fn break_off(bench: &Bench, side: &TargetRun, sockets: u32) -> anyhow::Result<()> {
    let all: Vec<u32> = (0..sockets).collect();
    side.run(bench, "connections break", move |engine| engine.cut(&all))
}
