//! One conversation on this edge: its live sockets, and the chain of what they were sent. Pure: what must be
//! fetched is returned as an action, not done.

use std::{
    collections::{BTreeMap, HashMap},
    sync::Arc,
    time::Instant,
};

use bytes::Bytes;
use natter_nats::live::LiveEvent;
use natter_runtime::unreadable::Unreadable;
use natter_schemas::{
    codec,
    event::{Kind, LogEntry, Timestamp},
    frame::ServerFrame,
    id::{ConversationId, Seq, UserId},
    limits,
    rpc::Replay,
};

mod watchers; // whose typing and presence it passes on

use super::{deletions::Deletions, sockets::Socket};
use crate::wire::frame::Frame;

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
}

impl Room {
    pub fn new(conversation: ConversationId, unreadable: Arc<Unreadable>) -> Self {
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

    pub fn last(&self) -> Option<Seq> {
        self.last
    }

    /// A live event. `prev` 0 means first, or that the log forgot the one before: never a proof.
    pub fn receive(&mut self, event: LiveEvent) -> Action {
        match self.last {
            Some(last) if event.seq <= last => Action::None,
            Some(last) if event.prev == last => {
                self.deliver(event.seq, &event.payload);
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
            self.deliver(seq, &payload);
            last = seq;
        }
        self.check_gap()
    }

    fn check_gap(&mut self) -> Action {
        let gap = self.last.is_some_and(|last| self.highest > last);
        if !gap || self.repairing {
            return Action::None;
        }
        self.repairing = true;
        Action::Repair
    }

    fn deliver(&mut self, seq: Seq, payload: &Bytes) {
        match codec::decode(payload) {
            Ok(event) => self.send(&LogEntry { seq, event }, None),
            Err(error) => {
                metrics::counter!("natter_undecodable_events_total").increment(1);
                self.unreadable.report(&format!("{} seq {seq}", self.conversation), error);
                self.last = Some(seq);
            }
        }
    }

    fn send(&mut self, entry: &LogEntry, deleted_at: Option<Timestamp>) {
        if let Kind::MemberAdded { user, .. } = entry.event.kind
            && !self.watchers.is_empty()
        {
            self.new_members.push(user);
            self.watched_users = self.watched_users.iter().copied().chain([user]).collect();
        }
        let frame = self.deletions.encode(entry, self.chained, deleted_at);
        for socket in &self.sockets {
            socket.queue.push_event(self.conversation, entry.seq, &frame);
        }
        metrics::counter!("natter_deliveries_total").increment(self.sockets.len() as u64);
        (self.last, self.chained) = (Some(entry.seq), entry.seq);
        if let Kind::Posted { .. } = entry.event.kind {
            self.end_typing(entry.event.author);
        }
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
mod tests {
    use natter_schemas::{
        event::{Body, Event},
        id::{EventId, Partition, SessionId},
    };

    use super::*;

    fn entry(conversation: ConversationId, seq: Seq) -> LogEntry {
        let event = Event {
            id: EventId::fresh(),
            conversation,
            author: UserId::fresh(),
            device: String::new(),
            client_id: None,
            at: Timestamp(0),
            kind: Kind::Posted { body: Body::Plain(seq.to_string()), reply_to: None },
            traceparent: None,
        };
        LogEntry { seq, event }
    }

    fn live(conversation: ConversationId, prev: Seq, seq: Seq) -> LiveEvent {
        let payload = codec::encode(&entry(conversation, seq).event).into();
        LiveEvent { partition: Partition(0), conversation, seq, prev, payload }
    }

    fn room() -> (Room, Arc<Socket>, ConversationId) {
        let conversation = ConversationId::fresh();
        let mut room = Room::new(conversation, Arc::new(Unreadable::new("event")));
        let socket = Arc::new(Socket::new(UserId::fresh(), SessionId::fresh(), String::new()));
        room.subscribe(&socket);
        (room, socket, conversation)
    }

    /// `(seq, prevSeq)` of every event frame, `("gap", head)` of a gap frame as (0, head).
    fn chain(socket: &Socket) -> Vec<(Seq, Seq)> {
        let frames = socket.queue.take().into_iter();
        frames
            .map(|frame| match frame {
                ServerFrame::MessageNew { position, .. } => (position.seq, position.prev_seq),
                ServerFrame::ResumeGap { head_seq, .. } => (0, head_seq),
                other => panic!("unexpected {other:?}"),
            })
            .collect()
    }

    fn replay(events: Vec<LogEntry>, more: bool, head: Seq) -> Replay {
        Replay { events, deleted: Vec::new(), more, cut: false, anchored: true, head }
    }

    #[test]
    fn events_before_the_head_is_known_wait_and_then_chain() {
        let (mut room, socket, c) = room();
        assert_eq!(room.receive(live(c, 3, 5)), Action::None);
        assert_eq!(room.receive(live(c, 5, 9)), Action::None);
        assert_eq!(room.head(5), Action::None);
        assert_eq!(chain(&socket), [(9, 5)]);
    }

    #[test]
    fn a_gap_is_filled_before_what_follows_it() {
        let (mut room, socket, c) = room();
        assert_eq!(room.head(1), Action::None);
        assert_eq!(room.receive(live(c, 1, 2)), Action::None);
        assert_eq!(room.receive(live(c, 6, 8)), Action::Repair);
        assert_eq!(room.receive(live(c, 8, 9)), Action::None);
        assert_eq!(chain(&socket), [(2, 1)]);
        let events = [4, 6, 8].map(|seq| entry(c, seq)).to_vec();
        assert_eq!(room.replay(&replay(events, false, 8)), Action::None);
        assert_eq!(chain(&socket), [(4, 2), (6, 4), (8, 6), (9, 8)]);
        assert_eq!(room.receive(live(c, 8, 9)), Action::None);
        assert_eq!(chain(&socket), []);
    }

    #[test]
    fn a_gap_larger_than_one_answer_is_filled_answer_by_answer() {
        let (mut room, socket, c) = room();
        assert_eq!(room.head(1), Action::None);
        assert_eq!(room.head(8), Action::Repair);
        let part = |seqs: [Seq; 2], cut| {
            let events = seqs.map(|seq| entry(c, seq)).to_vec();
            Replay { cut, ..replay(events, false, 9) }
        };
        assert_eq!(room.replay(&part([2, 4], true)), Action::Repair);
        assert_eq!(room.replay(&part([6, 9], false)), Action::None);
        assert_eq!(chain(&socket), [(2, 1), (4, 2), (6, 4), (9, 6)]);
    }

    #[test]
    fn a_lost_last_event_shows_in_the_head() {
        let (mut room, socket, c) = room();
        assert_eq!(room.head(1), Action::None);
        assert_eq!(room.head(4), Action::Repair);
        assert_eq!(room.replay(&replay(vec![entry(c, 4)], false, 4)), Action::None);
        assert_eq!(chain(&socket), [(4, 1)]);
    }

    #[test]
    fn a_replay_that_lags_is_asked_again() {
        let (mut room, socket, c) = room();
        assert_eq!(room.head(1), Action::None);
        assert_eq!(room.head(4), Action::Repair);
        assert_eq!(room.replay(&replay(vec![], false, 1)), Action::Repair);
        assert_eq!(room.replay(&replay(vec![entry(c, 4)], false, 4)), Action::None);
        assert_eq!(chain(&socket), [(4, 1)]);
    }

    #[test]
    fn an_unknown_predecessor_is_never_taken_for_the_last_one() {
        let (mut room, socket, c) = room();
        assert_eq!(room.head(7), Action::None);
        assert_eq!(room.receive(live(c, 0, 20)), Action::Repair);
        assert_eq!(room.replay(&replay(vec![entry(c, 20)], false, 20)), Action::None);
        assert_eq!(chain(&socket), [(20, 7)]);
    }

    #[test]
    fn an_edit_behind_the_deletion_shows_no_content() {
        let (mut room, socket, c) = room();
        assert_eq!(room.head(5), Action::None);
        let body = Body::Plain("late".to_owned());
        for (seq, kind) in [(6, Kind::Deleted { target: 5 }), (7, Kind::Edited { target: 5, body })] {
            let event = Event { kind, ..entry(c, seq).event };
            let payload = codec::encode(&event).into();
            let live = LiveEvent { partition: Partition(0), conversation: c, seq, prev: seq - 1, payload };
            assert_eq!(room.receive(live), Action::None);
        }
        let frames = socket.queue.take().into_iter();
        let deleted = frames.map(|frame| match frame {
            ServerFrame::MessageDeleted { position, target, .. } => (position.seq, target),
            other => panic!("unexpected {other:?}"),
        });
        assert_eq!(deleted.collect::<Vec<_>>(), [(6, 5), (7, 5)]);
    }

    #[test]
    fn a_new_conversation_begins_with_no_predecessor() {
        let (mut room, socket, c) = room();
        assert_eq!(room.head(0), Action::None);
        assert_eq!(room.receive(live(c, 0, 20)), Action::None);
        assert_eq!(chain(&socket), [(20, 0)]);
    }

    #[test]
    fn what_follows_an_unreadable_event_chains_to_what_was_before_it() {
        let (mut room, socket, c) = room();
        assert_eq!(room.head(1), Action::None);
        assert_eq!(room.receive(live(c, 1, 2)), Action::None);
        let unreadable = LiveEvent { payload: vec![0xff].into(), ..live(c, 2, 3) };
        assert_eq!(room.receive(unreadable), Action::None);
        assert_eq!(room.receive(live(c, 3, 4)), Action::None);
        assert_eq!(chain(&socket), [(2, 1), (4, 2)]);
    }

    #[test]
    fn a_gap_too_large_to_send_makes_everyone_reload() {
        let (mut room, socket, c) = room();
        assert_eq!(room.head(1), Action::None);
        assert_eq!(room.receive(live(c, 899, 900)), Action::Repair);
        assert_eq!(room.replay(&replay(vec![], true, 899)), Action::None);
        assert_eq!(chain(&socket), [(0, 899), (900, 899)]);
    }
}
