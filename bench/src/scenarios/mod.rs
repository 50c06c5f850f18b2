//! What is put to a target. Each scenario is a file; what several of them do is in `rooms`.

pub mod ack; // two people a room: how many messages, how soon answered
pub mod fanout; // rooms of many: what a delivery costs, how soon the last has it
pub mod http; // messages over HTTP
pub mod idle; // sockets that say nothing: memory and CPU of each
pub mod jetstream; // the log alone, without a chat around it
pub mod login; // a storm of log-ins during the mixed load
pub mod mixed; // people: rooms of all sizes, typing, receipts, history
pub mod scale; // the same load on more edges
pub mod seal; // sealing alone
pub mod slow; // some stop reading
pub mod soak; // hours in minutes: memory that must not grow
pub mod spans; // spans alone
pub mod storm; // everyone comes back at once

mod rooms; // rooms of one size: capacity, and a fixed rate

use std::time::Duration;

use crate::{
    bench::Bench,
    load::Plan,
    outcome::Outcome,
    seed::Shape,
    target_run::{ClientBehaviour, Cores, TargetRun},
    targets::Kind,
};

const WARM_UP: Duration = Duration::from_secs(2);
/// Messages a second that every target keeps up with.
const GENTLE: f64 = 300.0;

#[derive(Debug, clap::Subcommand)]
pub enum Scenario {
    /// Direct rooms: messages a second, time to the ack.
    Ack(ack::Args),
    /// Rooms of many: CPU a delivery, time to the last receiver.
    Fanout(fanout::Args),
    /// Idle sockets: memory and CPU of each.
    Idle(idle::Args),
    /// Rooms of all sizes, typing, read marks, history.
    Mixed(mixed::Args),
    /// Everyone comes back at once and is sent what they missed.
    Storm(storm::Args),
    /// Some stop reading: do the others notice?
    Slow(slow::Args),
    /// Messages over HTTP.
    Http(http::Args),
    /// The mixed load for half an hour: does memory grow?
    Soak(soak::Args),
    /// The same load on one edge, two and four.
    Scale(scale::Args),
    /// The log alone, by Natter's publisher and by `nats bench`.
    Jetstream(jetstream::Args),
    /// Sealing alone, beside texts in clear.
    Seal(seal::Args),
    /// Spans alone, off and on.
    Spans(spans::Args),
    /// A storm of log-ins during the mixed load.
    Login(login::Args),
}

pub fn run(bench: &Bench, scenario: &Scenario) -> anyhow::Result<Outcome> {
    match scenario {
        Scenario::Ack(args) => ack::run(bench, args),
        Scenario::Fanout(args) => fanout::run(bench, args),
        Scenario::Idle(args) => idle::run(bench, args),
        Scenario::Mixed(args) => mixed::run(bench, args),
        Scenario::Storm(args) => storm::run(bench, args),
        Scenario::Slow(args) => slow::run(bench, args),
        Scenario::Http(args) => http::run(bench, args),
        Scenario::Soak(args) => soak::run(bench, args),
        Scenario::Scale(args) => scale::run(bench, args),
        Scenario::Jetstream(args) => jetstream::run(bench, args),
        Scenario::Seal(args) => seal::run(bench, args),
        Scenario::Spans(args) => spans::run(bench, args),
        Scenario::Login(args) => login::run(bench, args),
    }
}

/// What every scenario lets choose.
#[derive(Debug, Clone, clap::Args)]
pub struct Common {
    /// Targets, one after the other in every round.
    #[arg(long, value_delimiter = ',', default_value = "natter-relaxed,bare")]
    pub target: Vec<Kind>,
    /// A core for all servers and one for the generator, or all cores for all.
    #[arg(long, value_enum, default_value = "split")]
    pub cores: Cores,
    /// A, B, A, B: so often each.
    #[arg(long, default_value_t = 2)]
    pub rounds: u32,
    /// Of one step.
    #[arg(long, default_value_t = 5)]
    pub seconds: u64,
    /// Of a message's content.
    #[arg(long, default_value_t = 200)]
    pub bytes: usize,
}

impl Common {
    pub fn lasting(&self) -> Duration {
        Duration::from_secs(self.seconds)
    }

    /// Those that can be started here, all of them running, accounts and sockets in place.
    pub fn open(
        &self,
        bench: &Bench,
        shape: &Shape,
        behaviour: ClientBehaviour,
    ) -> anyhow::Result<Vec<TargetRun>> {
        let kinds = self.present(bench).into_iter();
        kinds.filter_map(|kind| self.open_one(bench, kind, shape, behaviour).transpose()).collect()
    }

    /// `None`: a peer that did not start, or did not accept every socket, is left out.
    pub fn open_one(
        &self,
        bench: &Bench,
        kind: Kind,
        shape: &Shape,
        behaviour: ClientBehaviour,
    ) -> anyhow::Result<Option<TargetRun>> {
        match TargetRun::open(bench, kind, self.cores, shape.clone(), behaviour) {
            Err(error) if kind.is_peer() => {
                bench.print_status(&format!("{kind} is left out: {error:#}"));
                Ok(None)
            }
            outcome => outcome.map(Some),
        }
    }

    pub fn present(&self, bench: &Bench) -> Vec<Kind> {
        let (here, missing): (Vec<Kind>, Vec<Kind>) = self.target.iter().partition(|kind| bench.has(**kind));
        for kind in missing {
            bench.print_status(&format!("{kind} is not here: left out"));
        }
        here
    }
}

/// Some seconds of what is to come, at a gentle rate: connections of pools, caches, compilers that learn.
pub fn warm_up(bench: &Bench, common: &Common, runs: &[TargetRun], rate: f64) -> anyhow::Result<()> {
    runs.iter().try_for_each(|run| {
        let plan = Plan::new(rate.min(GENTLE), WARM_UP, common.bytes, run.all_senders());
        run.step(bench, "warm-up", &plan).map(drop)
    })
}

/// Every target in turn, round after round.
pub fn rounds(
    runs: &[TargetRun],
    rounds: u32,
    mut step: impl FnMut(&TargetRun) -> anyhow::Result<()>,
) -> anyhow::Result<()> {
    for _ in 0..rounds {
        runs.iter().try_for_each(&mut step)?;
    }
    Ok(())
}

pub fn close(bench: &Bench, outcome: &mut Outcome, runs: Vec<TargetRun>) -> anyhow::Result<()> {
    for run in runs {
        outcome.judge(run.close(bench)?);
    }
    outcome.steps.extend(bench.take_steps());
    Ok(())
}

/// Rooms of so many sockets each, one person or several of one person's devices behind them, each in one room.
pub fn rooms_of(members: u32, rooms: u32, devices: u32) -> Shape {
    let each = (members / devices.max(1)).max(2);
    let people = each * rooms;
    let rooms = (0..rooms).map(|room| (room * each..(room + 1) * each).collect()).collect();
    Shape { people, sockets: people * devices.max(1), visitors: 0, rooms, direct: each == 2 }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_room_has_the_configured_number_of_sockets() {
        let Shape { people, sockets, rooms, direct, .. } = rooms_of(100, 3, 5);
        assert_eq!((people, sockets, direct), (60, 300, false));
        let inside = (0..sockets).filter(|socket| rooms[1].contains(&(socket % people))).count();
        assert_eq!(inside, 100);
        assert!(rooms_of(2, 5, 1).direct);
    }
}
