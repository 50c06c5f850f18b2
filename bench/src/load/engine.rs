//! The loop and what it holds.

use std::{
    collections::HashMap,
    net::SocketAddr,
    sync::Arc,
    time::{Duration, Instant},
};

use mio::{Events, Poll, Token};

use super::{
    Progress, Seat, Wiring, alarm::Alarm, conn::Conn, lanes::Lanes, memo::Memo, open::Stage, tally::Tally,
};
use crate::{
    check::{Fault, Oracle, Witness},
    dialect::{Dialect, Persona},
};

/// The longest sleep: how soon a task that came meanwhile begins.
pub const IDLE: Duration = Duration::from_millis(20);
const SCRATCH: usize = 256 * 1024;
const ALARM: Token = Token(usize::MAX - 1);
/// Lanes have tokens of their own above those of sockets.
pub const FIRST_LANE: usize = 1 << 24;
/// What an oracle that found so many faults has to say is known.
const FAULTS: usize = 1_000;

pub struct Socket {
    pub who: Persona,
    pub at: SocketAddr,
    pub conn: Option<Conn>,
    pub stage: Stage,
    /// Comes back when it comes, and resumes.
    pub was_in: bool,
    pub witnesses: Vec<Witness>,
    /// Does not read.
    pub stalled: bool,
    /// Stalled once in this run, or visits: neither its deliveries nor its end are anybody's figures.
    pub excused: bool,
}

pub struct Engine {
    pub(super) poll: Poll,
    events: Events,
    alarm: Alarm,
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
    /// Those that come and go.
    pub(super) visitors: Vec<u32>,
    pub(super) lanes: Lanes,
    pub(super) epoch: String,
    pub oracle: Oracle,
    pub tally: Tally,
    pub(super) memo: Memo,
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
    pub fn new(wiring: Wiring, progress: Arc<Progress>) -> anyhow::Result<Self> {
        let Wiring { dialect, sockets: places, http, rooms, seats, join, small_buffers, core } = wiring;
        let poll = Poll::new()?;
        let oracle = Oracle::new(dialect.promise(), rooms.len());
        let mut listeners = vec![0; rooms.len()];
        seats.iter().flat_map(|seat| &seat.rooms).for_each(|(room, _)| listeners[*room as usize] += 1);
        let visitors =
            (0..).zip(&seats).filter(|(_, seat)| seat.rooms.is_empty()).map(|(at, _)| at).collect();
        let sockets =
            (0..).zip(seats).map(|(index, seat)| Socket::new(index, seat, &places, &oracle)).collect();
        Ok(Self {
            alarm: Alarm::new(poll.registry(), ALARM)?,
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
            lanes: Lanes::new(http),
            epoch: String::new(),
            oracle,
            tally: Tally::default(),
            memo: Memo::new(),
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

    /// Waits at most so long, then handles what came.
    pub fn turn(&mut self, wait: Duration) {
        // Whole milliseconds need no alarm.
        let now = self.origin + Duration::from_micros(self.now);
        let timeout = if wait.is_zero() || wait == IDLE { Some(wait) } else { self.alarm.set(now, wait) };
        let mut events = std::mem::replace(&mut self.events, Events::with_capacity(0));
        if self.poll.poll(&mut events, timeout).is_ok() {
            self.look();
            for event in &events {
                match event.token() {
                    ALARM => {}
                    Token(lane) if lane >= FIRST_LANE => self.lane(lane - FIRST_LANE, event),
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
        self.waiting_acks == 0 && self.waiting_deliveries == 0 && self.lanes.is_idle()
    }

    /// Nothing is under way any more but what closed sockets are owed.
    #[cfg(test)]
    pub fn only_waits_for_the_absent(&self) -> bool {
        let there = |witness: &&Witness| self.sockets[witness.socket as usize].stage == Stage::Open;
        let shown = |room: u32| {
            let mut there =
                self.sockets.iter().flat_map(|s| &s.witnesses).filter(|w| w.room == room).filter(there);
            there.all(|witness| self.oracle.has_seen_all(witness))
        };
        self.waiting_acks == 0 && (0..).zip(&self.rooms).all(|(room, _)| shown(room))
    }

    pub fn fault(&mut self, fault: Fault) {
        if self.oracle.faults.len() < FAULTS {
            self.oracle.faults.push(fault);
        }
    }

    /// Everything that the oracle finds at the end; the engine is of no use for messages afterwards.
    pub fn verdict(&mut self) -> Vec<Fault> {
        let witnesses = self.sockets.iter().flat_map(|socket| &socket.witnesses);
        self.oracle.finish(witnesses);
        std::mem::take(&mut self.oracle.faults)
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
    fn new(index: u32, seat: Seat, places: &[SocketAddr], oracle: &Oracle) -> Self {
        let witnesses = seat.rooms.iter().map(|(room, head)| oracle.witness(index, *room, *head)).collect();
        Self {
            who: seat.who,
            at: places[seat.place % places.len()],
            conn: None,
            stage: Stage::Closed,
            was_in: false,
            witnesses,
            stalled: false,
            excused: seat.rooms.is_empty(),
        }
    }
}
