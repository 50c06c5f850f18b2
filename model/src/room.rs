//! An edge: the room of the conversation, which repairs gaps, and sends of its one client.

use std::collections::{BTreeMap, VecDeque};

use crate::{Arrivals, Delivery, Log, Message, Persister, Planted, Seq, client::ServerFrame};

/// Events that wait behind a gap; what does not fit is fetched.
const ROOM_PENDING: usize = 1;

/// What the log republished, on its way to the edge.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Republished {
    /// Its place in the partition.
    pub at: Seq,
    /// `None`: of another conversation.
    pub event: Option<LiveEvent>,
}

/// An event of the conversation, by its place there.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct LiveEvent {
    pub seq: Seq,
    pub prev: Seq,
    pub message: Message,
}

#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct Room {
    /// Everything up to here was sent to the socket; `None` until the head at joining is known.
    pub last: Option<Seq>,
    pub highest: Seq,
    pub waiting: BTreeMap<Seq, LiveEvent>,
    pub repairing: bool,
    /// It has sent an event that does not chain to the one before.
    pub skipped: bool,
}

#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct Edge {
    pub live: VecDeque<Republished>,
    pub arrivals: Arrivals,
    pub room: Room,
    /// The socket has asked for what it missed; what comes live waits for the answer.
    pub resuming: Option<Seq>,
    pub held: Vec<ServerFrame>,
    /// A send that is looked up before it is published.
    pub looking_up: Option<Message>,
}

impl Room {
    /// A live event; returns what is sent.
    pub fn receive(&mut self, model: &Delivery, event: LiveEvent) -> Vec<LiveEvent> {
        match self.last {
            Some(last) if event.seq <= last => Vec::new(),
            Some(last) if event.prev == last || model.is(Planted::RoomIgnoresPrevSeq) => {
                self.skipped |= event.prev != last;
                self.last = Some(event.seq);
                let mut sent = vec![event];
                sent.extend(self.send_waiting());
                sent
            }
            _ => {
                self.highest = self.highest.max(event.seq);
                self.waiting.insert(event.seq, event);
                // What does not fit is fetched: `highest` remembers that it exists.
                while self.waiting.len() > ROOM_PENDING {
                    self.waiting.pop_last();
                }
                self.check_gap();
                Vec::new()
            }
        }
    }

    /// The conversation's head is at least this. The first one reported is where the room begins.
    pub fn head(&mut self, head: Seq) -> Vec<LiveEvent> {
        if self.last.is_none() {
            self.last = Some(head);
            return self.send_waiting();
        }
        self.highest = self.highest.max(head);
        self.check_gap();
        Vec::new()
    }

    /// What history has after `last`, up to its head.
    pub fn replay(&mut self, persister: &Persister, log: &Log) -> Vec<LiveEvent> {
        let Some(last) = self.last else { return Vec::new() };
        let mut sent = Vec::new();
        for (seq, prev) in (last + 1..=log.head()).zip(last..) {
            if let Some(message) = persister.read(log, seq) {
                sent.push(LiveEvent { seq, prev, message });
                self.last = Some(seq);
            }
        }
        self.repairing = false;
        sent.extend(self.send_waiting());
        sent
    }

    fn send_waiting(&mut self) -> Vec<LiveEvent> {
        let mut sent = Vec::new();
        while let (Some(last), Some((seq, event))) = (self.last, self.waiting.pop_first()) {
            if event.prev == last {
                self.last = Some(seq);
                sent.push(event);
            } else if seq > last {
                self.waiting.insert(seq, event);
                break;
            }
        }
        self.check_gap();
        sent
    }

    fn check_gap(&mut self) {
        self.repairing |= self.last.is_some_and(|last| self.highest > last);
    }
}

impl Edge {
    /// To the socket, or after the answer to its resume.
    pub fn show(&mut self, down: &mut VecDeque<ServerFrame>, events: Vec<LiveEvent>) {
        let frames = events.into_iter().map(|LiveEvent { seq, prev, message }| ServerFrame::Event {
            seq,
            prev,
            message,
        });
        if self.resuming.is_some() {
            self.held.extend(frames);
        } else {
            down.extend(frames);
        }
    }

    /// The answer to a resume, and what came meanwhile.
    pub fn resume(&mut self, down: &mut VecDeque<ServerFrame>, persister: &Persister, log: &Log) {
        let Some(after) = self.resuming.take() else { return };
        for (seq, prev) in (after + 1..=log.head()).zip(after..) {
            if let Some(message) = persister.read(log, seq) {
                down.push_back(ServerFrame::Event { seq, prev, message });
            }
        }
        down.push_back(ServerFrame::ResumeDone);
        down.extend(self.held.drain(..));
    }
}
