//! One conversation on this edge: its live sockets, and the chain of what they were sent. Pure: what must be
//! fetched is returned as an action, not done.

use std::{
    collections::{BTreeMap, HashMap},
    sync::Arc,
    time::{Duration, Instant},
};

use bytes::Bytes;
use natter_nats::{
    clock::LogClock,
    live::LiveEvent,
    trace::{PartitionTrace, Step},
};
use natter_runtime::unreadable::Unreadable;
use natter_schemas::{
    codec,
    event::{Kind, LogEntry, Timestamp},
    frame::ServerFrame,
    id::{ConversationId, Seq, UserId},
    limits,
    rpc::Replay,
};
use natter_seal::{KeyMissing, KnownKeys};

mod watchers; // whose typing and presence it passes on

use super::{deletions::Deletions, sockets::Socket};
use crate::wire::frame::Frame;

/// Members as whom a key is asked for, one after the other.
const ASKERS: usize = 3;

pub struct Room {
    conversation: ConversationId,
    /// Everything up to here was sent to the sockets; `None` until the head at joining is known.
    last: Option<Seq>,
    /// What the next frame chains to: the last event that could be read, as in a replay.
    chained: Seq,
    /// Highest seq known to exist: while `last` is below it, there is a gap.
    highest: Seq,
    /// Events that came after a gap, by seq, with the seq each of them chains to.
    waiting: BTreeMap<Seq, (Seq, Bytes)>,
    /// A repair is under way.
    repairing: bool,
    /// What must not be shown any more.
    deletions: Deletions,
    sockets: Vec<Arc<Socket>>,
    unreadable: Arc<Unreadable>,
    keys: KnownKeys,
    clock: LogClock,
    trace: PartitionTrace,
    /// The first event that waits has no key here; one is asked for.
    opening: bool,
    /// Those of the sockets that want typing and presence.
    watchers: Vec<Arc<Socket>>,
    /// Whose presence they are sent: the members when the last of them joined, and those added since.
    watched_users: Arc<[UserId]>,
    /// Members added since, whose presence was not sent yet.
    new_members: Vec<UserId>,
    /// Who types, and when that ends unless it is repeated.
    typing: HashMap<UserId, Instant>,
}

/// What the hub must do.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[must_use]
pub enum Action {
    None,
    /// Fetch what follows `last` and hand it to [`Room::replay`].
    Repair,
    /// Open [`Room::first_waiting`] and hand it to [`Room::opened`].
    Open,
}

impl Room {
    pub fn new(
        conversation: ConversationId,
        unreadable: Arc<Unreadable>,
        keys: KnownKeys,
        clock: LogClock,
        trace: PartitionTrace,
    ) -> Self {
        Self {
            conversation,
            last: None,
            chained: 0,
            highest: 0,
            waiting: BTreeMap::new(),
            repairing: false,
            deletions: Deletions::default(),
            sockets: Vec::new(),
            unreadable,
            keys,
            clock,
            trace,
            opening: false,
            watchers: Vec::new(),
            watched_users: Arc::new([]),
            new_members: Vec::new(),
            typing: HashMap::new(),
        }
    }

    pub fn subscribe(&mut self, socket: &Arc<Socket>) {
        if !self.sockets.iter().any(|s| Arc::ptr_eq(s, socket)) {
            self.sockets.push(socket.clone());
        }
    }

    /// Returns whether no socket is left.
    pub fn unsubscribe(&mut self, socket: &Arc<Socket>) -> bool {
        self.sockets.retain(|s| !Arc::ptr_eq(s, socket));
        self.unwatch(socket);
        self.sockets.is_empty()
    }

    /// One of those whose sockets are in it, another one by another number.
    pub fn member(&self, number: usize) -> Option<UserId> {
        let place = number.checked_rem(self.sockets.len())?;
        self.sockets.get(place).map(|socket| socket.user)
    }

    /// Of whom one may be asking while another is being removed.
    pub fn some_members(&self) -> Vec<UserId> {
        let mut members = Vec::with_capacity(ASKERS);
        for socket in &self.sockets {
            if members.len() < ASKERS && !members.contains(&socket.user) {
                members.push(socket.user);
            }
        }
        members
    }

    pub fn last(&self) -> Option<Seq> {
        self.last
    }

    /// A live event. `prev` 0 means first, or that the log forgot the one before: never a proof.
    pub fn receive(&mut self, event: LiveEvent) -> Action {
        match self.last {
            Some(last) if event.seq <= last => Action::None,
            Some(last) if event.prev == last && !self.opening => {
                if !self.deliver(event.seq, &event.payload) {
                    self.wait(event);
                }
                self.deliver_waiting()
            }
            _ => {
                self.wait(event);
                self.check_gap()
            }
        }
    }

    /// The conversation's head is at least `head`. The first one reported is where this room begins.
    pub fn head(&mut self, head: Seq) -> Action {
        if self.last.is_none() {
            (self.last, self.chained) = (Some(head), head);
            return self.deliver_waiting();
        }
        self.highest = self.highest.max(head);
        self.check_gap()
    }

    /// What history has after the seq it was asked for. Returns whether more must be fetched.
    pub fn replay(&mut self, replay: &Replay) -> Action {
        if replay.more {
            self.skip_to(replay.head);
        } else {
            for entry in &replay.events {
                if self.last.is_some_and(|last| entry.seq > last) {
                    self.send(entry, replay.deleted_at(entry));
                }
            }
            if replay.cut {
                self.highest = self.highest.max(replay.head);
            }
            // History was read up to its head: anything it does not have at or below it does not exist.
            let last = self.last.unwrap_or(0);
            self.last = Some(last.max(replay.events.last().map_or(last, |l| l.seq)));
        }
        self.repairing = false;
        self.deliver_waiting()
    }

    /// Queues a frame that is not part of the chain for one user's sockets, and perhaps another one for the others'.
    pub fn broadcast(&self, user: UserId, own: &ServerFrame, others: Option<&ServerFrame>) {
        let (own, others) = (Frame::text(own), others.map(Frame::text));
        for socket in &self.sockets {
            let frame = if socket.user == user { Some(&own) } else { others.as_ref() };
            if let Some(frame) = frame {
                socket.queue.push(frame.clone());
            }
        }
    }

    /// A repair gave up for now; the next event or head starts another.
    pub fn repair_abandoned(&mut self) {
        self.repairing = false;
    }

    fn wait(&mut self, event: LiveEvent) {
        self.highest = self.highest.max(event.seq);
        self.waiting.insert(event.seq, (event.prev, event.payload));
        // What does not fit is fetched like any other gap: `highest` remembers that it exists.
        while self.waiting.len() > limits::ROOM_PENDING {
            self.waiting.pop_last();
        }
    }

    /// Delivers what waited and now chains, drops what was sent already, and checks for another gap.
    fn deliver_waiting(&mut self) -> Action {
        let Some(mut last) = self.last else { return Action::None };
        while let Some((seq, (prev, payload))) = self.waiting.pop_first() {
            if seq <= last {
                continue;
            }
            if prev != last {
                self.waiting.insert(seq, (prev, payload));
                break;
            }
            if self.opening || !self.deliver(seq, &payload) {
                self.waiting.insert(seq, (prev, payload));
                return if std::mem::replace(&mut self.opening, true) { Action::None } else { Action::Open };
            }
            last = seq;
        }
        self.check_gap()
    }

    /// The event that is next to be sent and has no key here.
    pub fn first_waiting(&self) -> Option<LogEntry> {
        let (seq, (_, payload)) = self.waiting.first_key_value()?;
        Some(LogEntry { seq: *seq, event: codec::decode(payload).ok()? })
    }

    /// It was opened, or there is no key to be had: it is sent, unless history has been faster.
    pub fn opened(&mut self, entry: Option<&LogEntry>) -> Action {
        self.opening = false;
        if let Some(entry) = entry
            && self.waiting.get(&entry.seq).is_some_and(|(prev, _)| self.last == Some(*prev))
        {
            self.waiting.remove(&entry.seq);
            self.send(entry, None);
        }
        self.deliver_waiting()
    }

    fn check_gap(&mut self) -> Action {
        let gap = self.last.is_some_and(|last| self.highest > last);
        if !gap || self.repairing || self.opening {
            return Action::None;
        }
        self.repairing = true;
        Action::Repair
    }

    /// Returns whether it was delivered: not if its key is not here.
    fn deliver(&mut self, seq: Seq, payload: &Bytes) -> bool {
        match codec::decode(payload) {
            Ok(mut event) => {
                if self.keys.open_at_once(&mut event) == Err(KeyMissing) {
                    return false;
                }
                self.send(&LogEntry { seq, event }, None);
            }
            Err(error) => {
                metrics::counter!("natter_undecodable_events_total").increment(1);
                self.unreadable.report(&format!("{} seq {seq}", self.conversation), error);
                self.last = Some(seq);
            }
        }
        true
    }

    fn send(&mut self, entry: &LogEntry, deleted_at: Option<Timestamp>) {
        self.follow_members(&entry.event.kind);
        let frame =
            self.deletions.encode(entry, self.chained, deleted_at).timed(self.instant(entry.event.at));
        for socket in &self.sockets {
            socket.queue.push_event(self.conversation, entry.seq, &frame);
        }
        let sockets = u32::try_from(self.sockets.len()).unwrap_or(u32::MAX);
        self.trace.record(entry.event.id, entry.seq, Step::Delivered { sockets });
        metrics::counter!("natter_deliveries_total").increment(self.sockets.len() as u64);
        (self.last, self.chained) = (Some(entry.seq), entry.seq);
        if let Kind::Posted { .. } = entry.event.kind {
            self.end_typing(entry.event.author);
        }
    }

    /// When the log's clock showed this time, by the monotonic one of this process.
    fn instant(&self, at: Timestamp) -> Instant {
        let age = self.clock.now().0.saturating_sub(at.0);
        let now = Instant::now();
        now.checked_sub(Duration::from_millis(u64::try_from(age).unwrap_or(0))).unwrap_or(now)
    }

    /// Too much is missing to send it all: every socket reloads the newest page.
    fn skip_to(&mut self, head: Seq) {
        let gap = ServerFrame::ResumeGap { conversation_id: self.conversation, head_seq: head };
        let frame = Frame::text(&gap);
        for socket in &self.sockets {
            socket.queue.push_event(self.conversation, head, &frame);
        }
        (self.last, self.chained) = (Some(head), head);
    }
}

#[cfg(test)]
mod tests;
