//! One target under load: its server, its people, and the generator that plays them.

use std::{
    sync::{
        Arc,
        atomic::Ordering::Relaxed,
        mpsc::{Receiver, RecvTimeoutError},
    },
    time::Duration,
};

use anyhow::Context as _;
use serde::Serialize;

use crate::{
    bench::Bench,
    check::Fault,
    dialect::Persona,
    load::{Engine, Generator, Opened, Plan, Seat, Stats, Turn, Wiring},
    pace::{pause, scatter},
    proc::{self, Usage, usage},
    seed::{Person, Rest, Shape, World},
    targets::{Kind, Server},
};

/// After a step, before its CPU time is read: what the server does behind its acks belongs to them.
const AFTERMATH: Duration = Duration::from_millis(500);
const COMES_IN_WITHIN: Duration = Duration::from_mins(3);
const BAR_EVERY: Duration = Duration::from_millis(100);
const FAULTS_SHOWN: usize = 20;

/// Whether server and generator have a core each.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub enum Cores {
    /// Every server process on one core, the generator on another.
    Split,
    /// All of them on all cores.
    Shared,
}

impl Cores {
    pub const SERVER: usize = 0;
    pub const GENERATOR: usize = 1;

    pub fn name(self) -> &'static str {
        match self {
            Self::Split => "a core each",
            Self::Shared => "cores shared",
        }
    }
}

/// How sockets behave besides sending and listening.
#[derive(Debug, Clone, Copy, Default)]
pub struct Manners {
    pub join: bool,
    pub small_buffers: bool,
    /// Leave them closed for now.
    pub closed: bool,
}

pub struct Side {
    pub name: String,
    pub server: Server,
    pub world: World,
    generator: Generator,
}

/// What the oracle says of a target's whole run.
#[derive(Debug, Clone, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Verdict {
    pub target: String,
    pub messages: usize,
    /// `None` where nothing is kept.
    pub compared_with_history: Option<usize>,
    /// Of a target whose events have no place.
    pub reordered: u64,
    pub fault_count: usize,
    /// The first of them.
    pub faults: Vec<Fault>,
}

impl Side {
    pub fn open(
        bench: &Bench,
        kind: Kind,
        cores: Cores,
        shape: Shape,
        manners: Manners,
    ) -> anyhow::Result<Self> {
        let name = kind.to_string();
        let server =
            bench.saying(&format!("{name}: starting"), || Server::start(kind, &bench.ground(kind, cores)))?;
        let bar = bench
            .bar(&format!("{name}: people and rooms"), u64::from(shape.people) + shape.rooms.len() as u64);
        let world = bench.wait_for(server.seeder.make(server.http, shape, || bar.inc(1)));
        bar.finish_and_clear();
        let world = world.with_context(|| format!("{name}: people and rooms"))?;
        let generator = Generator::start(wiring(&server, &world, cores, manners))?;
        let side = Self { name, server, world, generator };
        if !manners.closed {
            side.come_in(bench, 0..side.world.shape.sockets, None)?;
        }
        Ok(side)
    }

    pub fn come_in(
        &self,
        bench: &Bench,
        which: impl IntoIterator<Item = u32>,
        at_once: Option<usize>,
    ) -> anyhow::Result<Opened> {
        let which: Vec<u32> = which.into_iter().collect();
        self.run(bench, "sockets", move |engine| engine.open(&which, at_once, COMES_IN_WITHIN))?
            .with_context(|| format!("{}: sockets", self.name))
    }

    /// A plan from its first message to the last delivery, with what it cost.
    pub fn step(&self, bench: &Bench, what: &str, plan: &Plan) -> anyhow::Result<Stats> {
        let (before, own) = (self.usage(), proc::own());
        let plan = plan.clone();
        let mut stats = self.run(bench, what, move |engine| engine.step(&plan))?;
        stats.bench = proc::own() - own;
        pause(AFTERMATH);
        stats.server = self.usage() - before;
        bench.note(&self.name, what, &stats);
        Ok(stats)
    }

    /// Anything else on the generator's thread.
    pub fn run<T: Send + 'static>(
        &self,
        bench: &Bench,
        what: &str,
        task: impl FnOnce(&mut Engine) -> T + Send + 'static,
    ) -> anyhow::Result<T> {
        let bar = bench.bar(&format!("{}: {what}", self.name), 0);
        let answer = self.generator.begin(task)?;
        let outcome = self.watch(&answer, &bar);
        bar.finish_and_clear();
        outcome.context("the generator has ended")
    }

    fn watch<T>(&self, answer: &Receiver<T>, bar: &indicatif::ProgressBar) -> Option<T> {
        loop {
            match answer.recv_timeout(BAR_EVERY) {
                Ok(outcome) => return Some(outcome),
                Err(RecvTimeoutError::Disconnected) => return None,
                Err(RecvTimeoutError::Timeout) => {
                    let progress = &self.generator.progress;
                    bar.set_length(progress.wanted.load(Relaxed));
                    bar.set_position(progress.done.load(Relaxed));
                }
            }
        }
    }

    pub fn usage(&self) -> Usage {
        usage(&self.server.pids())
    }

    /// Every socket in turn, each in the first of its rooms.
    pub fn everybody(&self) -> Arc<[Turn]> {
        let rooms = self.world.rooms_of();
        let mut turns: Vec<Turn> = (0..self.world.shape.sockets)
            .filter_map(|socket| {
                let person = socket % self.world.shape.people;
                Some(Turn { socket, room: *rooms[person as usize].first()? })
            })
            .collect();
        turns.sort_by_key(|turn| scatter(u64::from(turn.socket)));
        turns.into()
    }

    /// What the oracle has to say, and how history compares; then the target ends.
    pub fn close(self, bench: &Bench) -> anyhow::Result<Verdict> {
        let (mut faults, messages, reordered) = self.run(bench, "oracle", |engine| {
            (engine.verdict(), engine.oracle.sends.len(), engine.oracle.reordered)
        })?;
        let (compared, wrong) = self.compare_history(bench)?;
        faults.extend(wrong);
        let fault_count = faults.len();
        faults.truncate(FAULTS_SHOWN);
        let compared_with_history = compared;
        let target = self.name.clone();
        Ok(Verdict { target, messages, compared_with_history, reordered, fault_count, faults })
    }

    fn compare_history(&self, bench: &Bench) -> anyhow::Result<(Option<usize>, Vec<Fault>)> {
        let (world, seeder) = (&self.world, self.server.seeder);
        let rest = Rest::new(self.server.http)?;
        let every = world.rooms.len().div_ceil(bench.options.history_rooms.max(1)).max(1);
        let bar = bench.bar(&format!("{}: history", self.name), (world.rooms.len() / every) as u64);
        let (mut compared, mut faults) = (None, Vec::new());
        for (index, room) in world.rooms.iter().enumerate().step_by(every) {
            bar.inc(1);
            let reader = world.shape.rooms[index].first().map(|who| &world.people[*who as usize]);
            let reader = reader.context("a room has members")?;
            let Some(rows) = bench.wait_for(seeder.history(&rest, reader, room))? else { break };
            *compared.get_or_insert(0) += rows.len();
            let index = u32::try_from(index)?;
            let answer = self.generator.begin(move |engine| engine.oracle.history(index, &rows))?;
            faults.extend(answer.recv()?);
        }
        bar.finish_and_clear();
        Ok((compared, faults))
    }
}

fn wiring(server: &Server, world: &World, cores: Cores, manners: Manners) -> Wiring {
    let (rooms, places) = (world.rooms_of(), server.sockets.len());
    let persona = |person: usize, socket: u32| {
        let Person { username, token, .. } = world.people[person].clone();
        Persona { username, token, device: format!("bench-{socket}") }
    };
    let Shape { people, sockets, visitors, .. } = world.shape;
    let seats = (0..sockets).map(|socket| {
        let person = (socket % people) as usize;
        Seat {
            who: persona(person, socket),
            // Not by the number itself: rooms are made of neighbours, and a cluster's rooms span its edges.
            place: usize::try_from(scatter(u64::from(socket))).unwrap_or(0) % places.max(1),
            rooms: rooms[person].iter().map(|room| (*room, world.rooms[*room as usize].head)).collect(),
        }
    });
    let visitors = (0..visitors).map(|nth| {
        let who = persona((people + nth) as usize, sockets + nth);
        Seat { who, place: nth as usize % places.max(1), rooms: Vec::new() }
    });
    Wiring {
        dialect: server.dialect,
        sockets: server.sockets.clone(),
        http: server.http,
        rooms: world.rooms.iter().map(|room| room.id.clone()).collect(),
        seats: seats.chain(visitors).collect(),
        join: manners.join,
        small_buffers: manners.small_buffers,
        core: (cores == Cores::Split).then_some(Cores::GENERATOR),
    }
}
