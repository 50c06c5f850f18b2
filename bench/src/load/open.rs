//! How a socket is opened (connection, upgrade, hello, joins, resume) and closed.

use std::time::{Duration, Instant};

use anyhow::{Context as _, bail};
use mio::Token;
use natter_schemas::id::Seq;

use super::{
    conn::Conn,
    engine::{Engine, IDLE, Stage},
    frame, http,
};
use crate::{
    dialect::{ResumeState, ServerMessage},
    latency::Times,
    oracle::Violation,
};

/// Sockets that are being opened at the same time, so that the listener's backlog is not what is measured.
const AT_ONCE: usize = 256;

/// How long a set of sockets took to connect.
#[derive(Debug, Clone)]
pub struct ConnectTimes {
    pub took: Duration,
    /// Of each socket, from the moment the set began to connect.
    pub times: Times,
}

impl Engine {
    /// Opens these sockets, `at_once` at a time, and waits for all of them. Those that were open before resume.
    pub fn open(
        &mut self,
        which: &[u32],
        at_once: Option<usize>,
        within: Duration,
    ) -> anyhow::Result<ConnectTimes> {
        let (start, began) = (Instant::now(), self.look());
        let mut opened = ConnectTimes { took: Duration::ZERO, times: Times::default() };
        let (mut next, mut under_way) = (0, Vec::new());
        let mut opened_count = 0;
        while opened_count < which.len() {
            while next < which.len() && under_way.len() < at_once.unwrap_or(AT_ONCE) {
                self.connect(which[next])?;
                under_way.push(which[next]);
                next += 1;
            }
            self.turn(IDLE);
            let now = self.look();
            under_way.retain(|index| {
                let socket = &mut self.sockets[*index as usize];
                if socket.stage == Stage::Open {
                    socket.was_open = true;
                    opened.times.record(now - began);
                    opened_count += 1;
                }
                socket.stage != Stage::Open
            });
            if let Some(lost) = under_way.iter().find(|i| self.sockets[**i as usize].stage == Stage::Closed) {
                bail!("socket {lost} was not opened: {:?}", self.oracle.violations.last());
            }
            if start.elapsed() > within {
                let example = under_way.first().map(|index| self.sockets[*index as usize].stage);
                bail!(
                    "{} sockets are not open after {within:?}; one is {example:?}",
                    which.len() - opened_count
                );
            }
            self.progress.set(opened_count as u64, which.len() as u64);
        }
        opened.took = start.elapsed();
        Ok(opened)
    }

    /// Ends these connections as a failing network would: without a close frame.
    pub fn cut(&mut self, which: &[u32]) {
        for index in which {
            let socket = &mut self.sockets[*index as usize];
            socket.stage = Stage::Closed;
            if let Some(conn) = socket.conn.take() {
                conn.close(self.poll.registry());
            }
        }
    }

    /// These stop reading; their late deliveries and their closes are left out of the figures from now on.
    pub fn stall(&mut self, which: &[u32]) {
        for index in which {
            let socket = &mut self.sockets[*index as usize];
            (socket.stalled, socket.unmeasured) = (true, true);
        }
    }

    /// They read again what was left for them. Returns those that the server has closed meanwhile: its close frame comes only
    /// behind all that it had sent before, so this waits until each is closed or has seen everything.
    pub fn unstall(&mut self, which: &[u32], within: Duration) -> Vec<u32> {
        for index in which {
            self.sockets[*index as usize].stalled = false;
            self.drain(*index as usize, true);
        }
        let (start, closed) = (Instant::now(), |engine: &Self, index: u32| {
            engine.sockets[index as usize].stage == Stage::Closed
        });
        let up_to_date = |engine: &Self, index: u32| {
            let mut receivers = engine.sockets[index as usize].receivers.iter();
            receivers.all(|receiver| engine.oracle.has_seen_all(receiver))
        };
        while start.elapsed() < within && !which.iter().all(|i| closed(self, *i) || up_to_date(self, *i)) {
            self.turn(IDLE);
        }
        which.iter().copied().filter(|index| closed(self, *index)).collect()
    }

    /// Connected visitors disconnect, the others connect.
    pub(super) fn visit(&mut self, nth: u64) {
        let count = self.visitors.len().max(1) as u64;
        let Some(&index) = usize::try_from(nth % count).ok().and_then(|at| self.visitors.get(at)) else {
            return;
        };
        match self.sockets[index as usize].stage {
            Stage::Open => self.cut(&[index]),
            Stage::Closed => {
                let outcome = self.connect(index);
                outcome.unwrap_or_else(|_| self.counters.refuse("a visitor, not connected"));
            }
            _ => {}
        }
    }

    fn connect(&mut self, index: u32) -> anyhow::Result<()> {
        let socket = &mut self.sockets[index as usize];
        let token = Token(index as usize);
        let conn = Conn::open(self.poll.registry(), token, socket.at, self.small_buffers)
            .with_context(|| format!("connecting to {}", socket.at))?;
        socket.conn = Some(conn);
        socket.stage = Stage::Connecting;
        Ok(())
    }

    /// The connection may be there now.
    pub(super) fn connecting(&mut self, index: usize) {
        let socket = &mut self.sockets[index];
        let Some(conn) = &mut socket.conn else { return };
        match conn.connected() {
            Ok(false) => {}
            Ok(true) => {
                socket.stage = Stage::Upgrading;
                let host = socket.at.to_string();
                let request = http::upgrade(&host, self.dialect.path(), self.dialect.subprotocol());
                if let Err(error) = conn.write(&request) {
                    self.closed(index, &error.to_string());
                }
            }
            Err(error) => self.closed(index, &error.to_string()),
        }
    }

    /// The answer to the upgrade; how many bytes it had.
    pub(super) fn upgraded(&mut self, index: usize, bytes: &[u8]) -> usize {
        match http::answer(bytes) {
            Ok(None) => 0,
            Ok(Some(answer)) if answer.status == 101 => {
                let socket = &mut self.sockets[index];
                socket.stage = Stage::Greeting;
                let resume = (socket.was_open && !self.epoch.is_empty()).then(|| ResumeState {
                    epoch: self.epoch.clone(),
                    positions: (socket.receivers.iter())
                        .map(|receiver| (self.rooms[receiver.room as usize].clone(), receiver.position))
                        .collect(),
                });
                if let Some(hello) = self.dialect.first(&socket.who, resume.as_ref()) {
                    self.write_frame(index, frame::TEXT, hello.as_bytes());
                }
                answer.body.end
            }
            Ok(Some(answer)) => {
                self.closed(index, &format!("the upgrade was answered with {}", answer.status));
                bytes.len()
            }
            Err(_) => {
                self.closed(index, "the upgrade was not answered in HTTP");
                bytes.len()
            }
        }
    }

    /// A message before the socket is open. Returns whether it was part of opening it.
    pub(super) fn handle_opening(&mut self, index: usize, message: &ServerMessage<'_>) -> bool {
        match (self.sockets[index].stage, message) {
            (Stage::Greeting, ServerMessage::Greeting) => {
                let text = self.dialect.after_greeting(&self.sockets[index].who);
                self.write_frame(index, frame::TEXT, text.as_bytes());
            }
            (Stage::Greeting, ServerMessage::Welcome { epoch, prefix }) => {
                self.sockets[index].renew_prefix(*prefix);
                if let Some(epoch) = epoch.filter(|_| self.epoch.is_empty()) {
                    epoch.clone_into(&mut self.epoch);
                }
                let resumes = self.sockets[index].was_open && epoch.is_some();
                self.sockets[index].stage = if resumes { Stage::Resuming } else { self.joins(index) };
            }
            (Stage::Joining(left), ServerMessage::Joined) => {
                self.sockets[index].stage = if left == 1 { Stage::Open } else { Stage::Joining(left - 1) };
            }
            (Stage::Resuming, ServerMessage::ResumeDone) => self.sockets[index].stage = self.joins(index),
            (Stage::Resuming, ServerMessage::ResumeGap { room, head }) => {
                self.resume_gap(index, room, *head);
            }
            _ => return false,
        }
        true
    }

    /// The server skips to the head of this room. Only a socket that stalled may have missed that much.
    fn resume_gap(&mut self, index: usize, room: &str, head: Seq) {
        let socket = &mut self.sockets[index];
        if !socket.unmeasured {
            let socket = u32::try_from(index).unwrap_or(u32::MAX);
            return self.violation(Violation::Closed {
                socket,
                why: "too much was missed to be sent again".to_owned(),
            });
        }
        let room = self.room_ids.get(room);
        let receiver = socket.receivers.iter_mut().find(|receiver| Some(&receiver.room) == room);
        if let Some(receiver) = receiver {
            self.waiting_deliveries -= self.oracle.skip_to(receiver, head);
        }
    }

    fn joins(&mut self, index: usize) -> Stage {
        if !(self.join || self.dialect.must_join()) {
            return Stage::Open;
        }
        let rooms: Vec<usize> = self.sockets[index].receivers.iter().map(|w| w.room as usize).collect();
        let texts: Vec<String> = rooms
            .iter()
            .enumerate()
            .filter_map(|(nth, room)| self.dialect.join(nth, &self.rooms[*room]))
            .collect();
        for text in &texts {
            self.write_frame(index, frame::TEXT, text.as_bytes());
        }
        if texts.is_empty() { Stage::Open } else { Stage::Joining(texts.len()) }
    }

    /// The server, or the way to it, ended this connection.
    pub(super) fn closed(&mut self, index: usize, why: &str) {
        let socket = &mut self.sockets[index];
        if let Some(conn) = socket.conn.take() {
            conn.close(self.poll.registry());
        }
        socket.stage = Stage::Closed;
        if socket.receivers.is_empty() {
            self.counters.refuse("a visitor, closed");
        } else if !socket.unmeasured {
            let socket = u32::try_from(index).unwrap_or(u32::MAX);
            self.violation(Violation::Closed { socket, why: why.to_owned() });
        }
    }
}
