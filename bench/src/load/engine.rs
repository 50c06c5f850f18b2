//! The loop and its state.

use std::{
    collections::HashMap,
    net::SocketAddr,
    sync::Arc,
    time::{Duration, Instant},
};

use mio::{Events, Poll, Token};

use super::{
    conn::Conn,
    counters::Counters,
    decode_cache::DecodeCache,
    http_pool::HttpPool,
    plan::{ClientSpec, GeneratorConfig},
    progress::Progress,
    timer::Timer,
};
use crate::{
    dialect::{ClientIdentity, Dialect},
    oracle::{Oracle, Receiver, Violation},
};

/// The longest wait for events, and so the longest delay of a task that was submitted meanwhile.
pub const IDLE: Duration = Duration::from_millis(20);
const SCRATCH: usize = 256 * 1024;
const TIMER: Token = Token(usize::MAX - 1);
/// Connections of `HttpPool` have tokens above those of sockets.
pub const FIRST_HTTP_TOKEN: usize = 1 << 24;
/// More violations than this add nothing.
const MAX_VIOLATIONS: usize = 1_000;

/// How far a socket is on its way to being open.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Stage {
    Closed,
    Connecting,
    Upgrading,
    /// Waits for the greeting, the welcome or the end of a resume.
    Greeting,
    /// So many joins are not answered.
    Joining(usize),
    Resuming,
    Open,
}

pub struct Socket {
    pub who: ClientIdentity,
    /// Of the client ids of what it sends.
    pub prefix: String,
    pub at: SocketAddr,
    pub conn: Option<Conn>,
    pub stage: Stage,
    /// Was open before: it resumes.
    pub was_open: bool,
    pub receivers: Vec<Receiver>,
    /// Does not read.
    pub stalled: bool,
    /// Stalled once in this run, or a visitor: neither its deliveries nor its close are measured.
    pub unmeasured: bool,
}

impl Socket {
    pub(super) fn renew_prefix(&mut self, newer: Option<&str>) {
        if let Some(newer) = newer {
            newer.clone_into(&mut self.prefix);
        }
    }
}

pub struct Engine {
    pub(super) poll: Poll,
    events: Events,
    timer: Timer,
    pub(super) scratch: Vec<u8>,
    origin: Instant,
    /// Microseconds from the origin, as of the last look.
    pub(super) now: u64,
    pub(super) dialect: &'static dyn Dialect,
    pub(super) rooms: Vec<String>,
    pub(super) room_ids: HashMap<String, u32>,
    /// Sockets in each room.
    pub(super) listeners: Vec<u32>,
    pub(super) sockets: Vec<Socket>,
    /// Sockets that connect and disconnect during the run.
    pub(super) visitors: Vec<u32>,
    pub(super) http_pool: HttpPool,
    pub(super) epoch: String,
    pub oracle: Oracle,
    pub counters: Counters,
    pub(super) decode_cache: DecodeCache,
    pub(super) out: Vec<u8>,
    pub(super) join: bool,
    pub(super) small_buffers: bool,
    /// Of the plan that runs: the share of deliveries that a read mark follows.
    pub(super) read_share: f64,
    pub(super) waiting_acks: u64,
    pub(super) waiting_deliveries: u64,
    /// Closes that were expected, by code.
    pub closes: HashMap<u16, u32>,
    pub(super) progress: Arc<Progress>,
    core: Option<usize>,
}

impl Engine {
    pub fn new(generator_config: GeneratorConfig, progress: Arc<Progress>) -> anyhow::Result<Self> {
        let GeneratorConfig { dialect, sockets: addresses, http, rooms, clients, join, small_buffers, core } =
            generator_config;
        let poll = Poll::new()?;
        let oracle = Oracle::new(dialect.guarantee(), rooms.len());
        let mut listeners = vec![0; rooms.len()];
        clients.iter().flat_map(|client| &client.rooms).for_each(|(room, _)| listeners[*room as usize] += 1);
        let visitors =
            (0..).zip(&clients).filter(|(_, client)| client.rooms.is_empty()).map(|(at, _)| at).collect();
        let sockets = (0..)
            .zip(clients)
            .map(|(index, client)| Socket::new(index, client, &addresses, &oracle))
            .collect();
        Ok(Self {
            timer: Timer::new(poll.registry(), TIMER)?,
            poll,
            events: Events::with_capacity(1_024),
            scratch: vec![0; SCRATCH],
            origin: Instant::now(),
            now: 0,
            dialect,
            room_ids: rooms.iter().cloned().zip(0..).collect(),
            rooms,
            listeners,
            sockets,
            visitors,
            http_pool: HttpPool::new(http),
            epoch: String::new(),
            oracle,
            counters: Counters::default(),
            decode_cache: DecodeCache::new(),
            out: Vec::new(),
            join,
            small_buffers,
            read_share: 0.0,
            waiting_acks: 0,
            waiting_deliveries: 0,
            closes: HashMap::new(),
            progress,
            core,
        })
    }

    /// Waits for events at most so long and handles them.
    pub fn turn(&mut self, wait: Duration) {
        // The poll's own timeout is exact for whole milliseconds.
        let now = self.origin + Duration::from_micros(self.now);
        let timeout = if wait.is_zero() || wait == IDLE { Some(wait) } else { self.timer.set(now, wait) };
        let mut events = std::mem::replace(&mut self.events, Events::with_capacity(0));
        if self.poll.poll(&mut events, timeout).is_ok() {
            self.look();
            for event in &events {
                match event.token() {
                    TIMER => {}
                    Token(connection) if connection >= FIRST_HTTP_TOKEN => {
                        self.connection(connection - FIRST_HTTP_TOKEN, event);
                    }
                    Token(socket) => self.socket(socket, event),
                }
            }
        }
        self.events = events;
    }

    /// Looks at the clock.
    pub fn look(&mut self) -> u64 {
        self.now = u64::try_from(self.origin.elapsed().as_micros()).unwrap_or(u64::MAX);
        self.now
    }

    pub fn is_settled(&self) -> bool {
        self.waiting_acks == 0 && self.waiting_deliveries == 0 && self.http_pool.is_idle()
    }

    /// Nothing is in flight except what closed sockets have missed.
    #[cfg(test)]
    pub fn only_waits_for_closed_sockets(&self) -> bool {
        let open = |receiver: &&Receiver| self.sockets[receiver.socket as usize].stage == Stage::Open;
        let shown = |room: u32| {
            let mut open =
                self.sockets.iter().flat_map(|s| &s.receivers).filter(|w| w.room == room).filter(open);
            open.all(|receiver| self.oracle.has_seen_all(receiver))
        };
        self.waiting_acks == 0 && (0..).zip(&self.rooms).all(|(room, _)| shown(room))
    }

    pub fn violation(&mut self, violation: Violation) {
        if self.oracle.violations.len() < MAX_VIOLATIONS {
            self.oracle.violations.push(violation);
        }
    }

    /// All violations, those found only at the end included. No step may follow.
    pub fn report(&mut self) -> Vec<Violation> {
        let receivers = self.sockets.iter().flat_map(|socket| &socket.receivers);
        self.oracle.finish(receivers);
        std::mem::take(&mut self.oracle.violations)
    }

    pub fn stay_on_its_core(&self) {
        #[cfg(target_os = "linux")]
        if let Some(core) = self.core {
            use nix::{
                sched::{CpuSet, sched_setaffinity},
                unistd::Pid,
            };
            let mut cores = CpuSet::new();
            // A machine with fewer cores runs it where it can.
            let _ = cores.set(core).and_then(|()| sched_setaffinity(Pid::from_raw(0), &cores));
        }
        #[cfg(not(target_os = "linux"))]
        let _ = self.core;
    }
}

impl Socket {
    fn new(index: u32, client: ClientSpec, addresses: &[SocketAddr], oracle: &Oracle) -> Self {
        let receivers =
            client.rooms.iter().map(|(room, head)| oracle.receiver(index, *room, *head)).collect();
        Self {
            who: client.who,
            at: addresses[client.address % addresses.len()],
            conn: None,
            stage: Stage::Closed,
            was_open: false,
            receivers,
            stalled: false,
            unmeasured: client.rooms.is_empty(),
            prefix: String::new(),
        }
    }
}
