//! One target under load: its server, its accounts, and the generator that drives their sockets.

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
    dialect::ClientIdentity,
    load::{ClientSpec, ConnectTimes, Engine, Generator, GeneratorConfig, Plan, Sender, Stats},
    oracle::Violation,
    schedule::{mix, sleep},
    seed::{Account, Dataset, HttpClient, Shape},
    targets::{Kind, Server},
    usage::{self, Usage, usage},
};

/// After a step, before its CPU time is read: what the server does behind its acks belongs to them.
const SETTLE_TIME: Duration = Duration::from_millis(500);
const CONNECT_WITHIN: Duration = Duration::from_mins(3);
const PROGRESS_INTERVAL: Duration = Duration::from_millis(100);
const VIOLATIONS_SHOWN: usize = 20;

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
pub struct ClientBehaviour {
    pub join: bool,
    pub small_buffers: bool,
    /// Leave them closed for now.
    pub closed: bool,
}

pub struct TargetRun {
    pub name: String,
    pub server: Server,
    pub dataset: Dataset,
    generator: Generator,
}

/// The oracle's report on a target's whole run.
#[derive(Debug, Clone, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct OracleReport {
    pub target: String,
    pub messages: usize,
    /// `None` where nothing is kept.
    pub compared_with_history: Option<usize>,
    /// Only of a target whose events carry no seq.
    pub reordered: u64,
    pub violation_count: usize,
    /// The first of them.
    pub violations: Vec<Violation>,
}

impl TargetRun {
    pub fn open(
        bench: &Bench,
        kind: Kind,
        cores: Cores,
        shape: Shape,
        behaviour: ClientBehaviour,
    ) -> anyhow::Result<Self> {
        let name = kind.to_string();
        let server = bench.with_spinner(&format!("{name}: starting"), || {
            Server::start(kind, &bench.context(kind, cores))
        })?;
        let bar = bench
            .bar(&format!("{name}: accounts and rooms"), u64::from(shape.people) + shape.rooms.len() as u64);
        let dataset = bench.wait_for(server.seeder.make(server.http, shape, || bar.inc(1)));
        bar.finish_and_clear();
        let dataset = dataset.with_context(|| format!("{name}: accounts and rooms"))?;
        let generator = Generator::start(generator_config(&server, &dataset, cores, behaviour))?;
        let run = Self { name, server, dataset, generator };
        if !behaviour.closed {
            run.connect_all(bench, 0..run.dataset.shape.sockets, None)?;
        }
        Ok(run)
    }

    pub fn connect_all(
        &self,
        bench: &Bench,
        which: impl IntoIterator<Item = u32>,
        at_once: Option<usize>,
    ) -> anyhow::Result<ConnectTimes> {
        let which: Vec<u32> = which.into_iter().collect();
        self.run(bench, "sockets", move |engine| engine.open(&which, at_once, CONNECT_WITHIN))?
            .with_context(|| format!("{}: sockets", self.name))
    }

    /// A plan from its first message to the last delivery, with what it cost.
    pub fn step(&self, bench: &Bench, what: &str, plan: &Plan) -> anyhow::Result<Stats> {
        let (before, own) = (self.usage(), usage::own());
        let plan = plan.clone();
        let mut stats = self.run(bench, what, move |engine| engine.step(&plan))?;
        stats.bench = usage::own() - own;
        sleep(SETTLE_TIME);
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
            match answer.recv_timeout(PROGRESS_INTERVAL) {
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
    pub fn all_senders(&self) -> Arc<[Sender]> {
        let rooms = self.dataset.rooms_of();
        let mut senders: Vec<Sender> = (0..self.dataset.shape.sockets)
            .filter_map(|socket| {
                let person = socket % self.dataset.shape.people;
                Some(Sender { socket, room: *rooms[person as usize].first()? })
            })
            .collect();
        senders.sort_by_key(|sender| mix(u64::from(sender.socket)));
        senders.into()
    }

    /// The oracle's violations, and how history compares; then the target ends.
    pub fn close(self, bench: &Bench) -> anyhow::Result<OracleReport> {
        let (mut violations, messages, reordered) = self.run(bench, "oracle", |engine| {
            (engine.report(), engine.oracle.sends.len(), engine.oracle.reordered)
        })?;
        let (compared, wrong) = self.compare_history(bench)?;
        violations.extend(wrong);
        let violation_count = violations.len();
        violations.truncate(VIOLATIONS_SHOWN);
        let compared_with_history = compared;
        let target = self.name.clone();
        Ok(OracleReport { target, messages, compared_with_history, reordered, violation_count, violations })
    }

    fn compare_history(&self, bench: &Bench) -> anyhow::Result<(Option<usize>, Vec<Violation>)> {
        let (dataset, seeder) = (&self.dataset, self.server.seeder);
        let rest = HttpClient::new(self.server.http)?;
        let every = dataset.rooms.len().div_ceil(bench.options.history_rooms.max(1)).max(1);
        let bar = bench.bar(&format!("{}: history", self.name), (dataset.rooms.len() / every) as u64);
        let (mut compared, mut violations) = (None, Vec::new());
        for (index, room) in dataset.rooms.iter().enumerate().step_by(every) {
            bar.inc(1);
            let reader = dataset.shape.rooms[index].first().map(|who| &dataset.people[*who as usize]);
            let reader = reader.context("a room has members")?;
            let Some(rows) = bench.wait_for(seeder.history(&rest, reader, room))? else { break };
            *compared.get_or_insert(0) += rows.len();
            let index = u32::try_from(index)?;
            let answer = self.generator.begin(move |engine| engine.oracle.history(index, &rows))?;
            violations.extend(answer.recv()?);
        }
        bar.finish_and_clear();
        Ok((compared, violations))
    }
}

fn generator_config(
    server: &Server,
    dataset: &Dataset,
    cores: Cores,
    behaviour: ClientBehaviour,
) -> GeneratorConfig {
    let (rooms, addresses) = (dataset.rooms_of(), server.sockets.len());
    let identity = |person: usize, socket: u32| {
        let Account { username, token, .. } = dataset.people[person].clone();
        ClientIdentity { username, token, device: format!("bench-{socket}") }
    };
    let Shape { people, sockets, visitors, .. } = dataset.shape;
    let clients = (0..sockets).map(|socket| {
        let person = (socket % people) as usize;
        ClientSpec {
            who: identity(person, socket),
            // Not by the number itself: rooms are made of neighbours, and a cluster's rooms span its edges.
            address: usize::try_from(mix(u64::from(socket))).unwrap_or(0) % addresses.max(1),
            rooms: rooms[person].iter().map(|room| (*room, dataset.rooms[*room as usize].head)).collect(),
        }
    });
    let visitors = (0..visitors).map(|nth| {
        let who = identity((people + nth) as usize, sockets + nth);
        ClientSpec { who, address: nth as usize % addresses.max(1), rooms: Vec::new() }
    });
    GeneratorConfig {
        dialect: server.dialect,
        sockets: server.sockets.clone(),
        http: server.http,
        rooms: dataset.rooms.iter().map(|room| room.id.clone()).collect(),
        clients: clients.chain(visitors).collect(),
        join: behaviour.join,
        small_buffers: behaviour.small_buffers,
        core: (cores == Cores::Split).then_some(Cores::GENERATOR),
    }
}
