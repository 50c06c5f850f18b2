//! One conversation on this edge: its live sockets, and the chain of what they were sent. Pure: what must be
//! fetched is answered, not done.

use std::{
    collections::{BTreeMap, HashMap},
    sync::Arc,
    time::Instant,
};

use bytes::Bytes;
use natter_nats::live::LiveEvent;
use natter_schemas::{
    codec,
    event::{Kind, LogEntry},
    frame::ServerFrame,
    id::{ConversationId, Seq, UserId},
    limits,
    rpc::Replay,
};

use super::{encode, frame::Frame};
use crate::sockets::Socket;

pub struct Room {
    conversation: ConversationId,
    /// Everything up to here was sent to the sockets; `None` until the head at joining is known.
    last: Option<Seq>,
    /// A seq known to exist: while `last` is below it, there is a hole.
    known: Seq,
    /// Events that came after a hole, by seq, with the seq each of them chains to.
    waiting: BTreeMap<Seq, (Seq, Bytes)>,
    /// A repair is under way.
    repairing: bool,
    sockets: Vec<Arc<Socket>>,
    /// Those of the sockets that want typing and presence.
    joined: Vec<Arc<Socket>>,
    /// Whose presence they were told: the members when the last of them joined.
    people: Arc<[UserId]>,
    /// Those of them who were added since, of whom nothing was told yet.
    newcomers: Vec<UserId>,
    /// Who types, and when that ends unless it is said again.
    typing: HashMap<UserId, Instant>,
}

/// What the hub must do.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[must_use]
pub enum Then {
    Nothing,
    /// Fetch what follows `last` and hand it to [`Room::replay`].
    Repair,
}

impl Room {
    pub fn new(conversation: ConversationId) -> Self {
        Self {
            conversation,
            last: None,
            known: 0,
            waiting: BTreeMap::new(),
            repairing: false,
            sockets: Vec::new(),
            joined: Vec::new(),
            people: Arc::new([]),
            newcomers: Vec::new(),
            typing: HashMap::new(),
        }
    }

    pub fn join(&mut self, socket: &Arc<Socket>) {
        if !self.sockets.iter().any(|s| Arc::ptr_eq(s, socket)) {
            self.sockets.push(socket.clone());
        }
    }

    /// Says whether nobody is left.
    pub fn leave(&mut self, socket: &Arc<Socket>) -> bool {
        self.sockets.retain(|s| !Arc::ptr_eq(s, socket));
        self.unwatch(socket);
        self.sockets.is_empty()
    }

    /// From here the socket gets typing and the presence of these people; only a socket of the room can.
    pub fn watch(&mut self, socket: &Arc<Socket>, people: Arc<[UserId]>) -> bool {
        let here = self.sockets.iter().any(|s| Arc::ptr_eq(s, socket));
        if here && !self.joined.iter().any(|s| Arc::ptr_eq(s, socket)) {
            self.joined.push(socket.clone());
        }
        if here {
            self.people = people;
        }
        here
    }

    /// Whose presence somebody here was told.
    pub fn people(&self) -> Option<Arc<[UserId]>> {
        (!self.joined.is_empty()).then(|| self.people.clone())
    }

    /// Who was added while somebody here watched; each is answered once.
    pub fn take_newcomers(&mut self) -> Vec<UserId> {
        std::mem::take(&mut self.newcomers)
    }

    pub fn unwatch(&mut self, socket: &Arc<Socket>) {
        self.joined.retain(|s| !Arc::ptr_eq(s, socket));
    }

    pub fn joined(&self) -> &[Arc<Socket>] {
        &self.joined
    }

    /// Somebody types or stops. Says whether that will have to be ended by [`Self::expire_typing`].
    pub fn typing(&mut self, user: UserId, on: bool, now: Instant) -> bool {
        let before = self.typing.remove(&user);
        if on {
            self.typing.insert(user, now + limits::TYPING_EXPIRES);
        }
        if on || before.is_some() {
            self.tell_typing(user, on);
        }
        !self.typing.is_empty()
    }

    /// Ends the typing of those who said nothing more. Says whether somebody still types.
    pub fn expire_typing(&mut self, now: Instant) -> bool {
        let silent: Vec<_> = self.typing.extract_if(|_, until| *until <= now).map(|(user, _)| user).collect();
        for user in silent {
            self.tell_typing(user, false);
        }
        !self.typing.is_empty()
    }

    /// To the others: one's own devices know.
    fn tell_typing(&self, user: UserId, is_typing: bool) {
        let frame = ServerFrame::Typing { conversation_id: self.conversation, user_id: user, is_typing };
        let frame = Frame::text(&frame);
        for socket in self.joined.iter().filter(|socket| socket.user != user) {
            socket.outbox.push(frame.clone());
        }
    }

    pub fn last(&self) -> Option<Seq> {
        self.last
    }

    /// A live event. `prev` 0 means first, or that the log forgot the one before: never a proof.
    pub fn arrive(&mut self, event: LiveEvent) -> Then {
        match self.last {
            Some(last) if event.seq <= last => Then::Nothing,
            Some(last) if event.prev == last => {
                self.deliver(event.seq, &event.payload);
                self.follow_on()
            }
            _ => {
                self.wait(event);
                self.hole()
            }
        }
    }

    /// The conversation's head is at least `head`. The first such news is where this room begins.
    pub fn head(&mut self, head: Seq) -> Then {
        if self.last.is_none() {
            self.last = Some(head);
            return self.follow_on();
        }
        self.known = self.known.max(head);
        self.hole()
    }

    /// What history says follows the `after` it was asked with. Says whether more must be fetched.
    pub fn replay(&mut self, replay: &Replay) -> Then {
        if replay.more {
            self.skip_to(replay.head);
        } else {
            for logged in &replay.events {
                if self.last.is_some_and(|last| logged.seq > last) {
                    self.send(logged);
                }
            }
            // History was read up to its head: anything it does not have at or below it does not exist.
            let last = self.last.unwrap_or(0);
            self.last = Some(last.max(replay.events.last().map_or(last, |l| l.seq)));
        }
        self.repairing = false;
        self.follow_on()
    }

    /// A frame that is not part of the chain, to everyone here.
    pub fn tell(&self, frame: &ServerFrame) {
        let frame = Frame::text(frame);
        for socket in &self.sockets {
            socket.outbox.push(frame.clone());
        }
    }

    /// A repair gave up for now; the next news starts another.
    pub fn not_repaired(&mut self) {
        self.repairing = false;
    }

    fn wait(&mut self, event: LiveEvent) {
        self.known = self.known.max(event.seq);
        self.waiting.insert(event.seq, (event.prev, event.payload));
        // What does not fit is fetched like any other hole: `known` remembers that it exists.
        while self.waiting.len() > limits::ROOM_PENDING {
            self.waiting.pop_last();
        }
    }

    /// Sends what waited and now chains, drops what is known, and says whether a hole is left.
    fn follow_on(&mut self) -> Then {
        let Some(mut last) = self.last else { return Then::Nothing };
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
        self.hole()
    }

    fn hole(&mut self) -> Then {
        let hole = self.last.is_some_and(|last| self.known > last);
        if !hole || self.repairing {
            return Then::Nothing;
        }
        self.repairing = true;
        Then::Repair
    }

    fn deliver(&mut self, seq: Seq, payload: &Bytes) {
        match codec::decode(payload) {
            Ok(event) => self.send(&LogEntry { seq, event }),
            Err(error) => {
                metrics::counter!("natter_undecodable_events_total").increment(1);
                tracing::error!(conversation = %self.conversation, seq, %error, "live event cannot be read");
                self.last = Some(seq);
            }
        }
    }

    fn send(&mut self, logged: &LogEntry) {
        if let Kind::MemberAdded { user, .. } = logged.event.kind
            && !self.joined.is_empty()
        {
            self.newcomers.push(user);
            self.people = self.people.iter().copied().chain([user]).collect();
        }
        let frame = encode::event(logged, self.last.unwrap_or(0));
        for socket in &self.sockets {
            socket.outbox.push_event(self.conversation, logged.seq, &frame);
        }
        metrics::counter!("natter_deliveries_total").increment(self.sockets.len() as u64);
        self.last = Some(logged.seq);
    }

    /// Too much is missing to send it all: every socket reloads the newest page.
    fn skip_to(&mut self, head: Seq) {
        let gap = ServerFrame::ResumeGap { conversation_id: self.conversation, head_seq: head };
        let frame = Frame::text(&gap);
        for socket in &self.sockets {
            socket.outbox.push_event(self.conversation, head, &frame);
        }
        self.last = Some(head);
    }
}

#[cfg(test)]
mod tests {
    use natter_schemas::{
        event::{Body, Event, Timestamp},
        id::{EventId, Partition, SessionId},
    };

    use super::*;

    fn logged(conversation: ConversationId, seq: Seq) -> LogEntry {
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
        let payload = codec::encode(&logged(conversation, seq).event).into();
        LiveEvent { partition: Partition(0), conversation, seq, prev, payload }
    }

    fn room() -> (Room, Arc<Socket>, ConversationId) {
        let conversation = ConversationId::fresh();
        let mut room = Room::new(conversation);
        let socket = Arc::new(Socket::new(UserId::fresh(), SessionId::fresh(), String::new()));
        room.join(&socket);
        (room, socket, conversation)
    }

    /// `(seq, prevSeq)` of every event frame, `("gap", head)` of a gap frame as (0, head).
    fn chain(socket: &Socket) -> Vec<(Seq, Seq)> {
        let frames = socket.outbox.take().into_iter();
        frames
            .map(|frame| match frame {
                ServerFrame::MessageNew { place, .. } => (place.seq, place.prev_seq),
                ServerFrame::ResumeGap { head_seq, .. } => (0, head_seq),
                other => panic!("unexpected {other:?}"),
            })
            .collect()
    }

    fn replay(events: Vec<LogEntry>, more: bool, head: Seq) -> Replay {
        Replay { events, more, anchored: true, head }
    }

    #[test]
    fn events_before_the_head_is_known_wait_and_then_chain() {
        let (mut room, socket, c) = room();
        assert_eq!(room.arrive(live(c, 3, 5)), Then::Nothing);
        assert_eq!(room.arrive(live(c, 5, 9)), Then::Nothing);
        assert_eq!(room.head(5), Then::Nothing);
        assert_eq!(chain(&socket), [(9, 5)]);
    }

    #[test]
    fn a_hole_is_filled_before_what_follows_it() {
        let (mut room, socket, c) = room();
        assert_eq!(room.head(1), Then::Nothing);
        assert_eq!(room.arrive(live(c, 1, 2)), Then::Nothing);
        assert_eq!(room.arrive(live(c, 6, 8)), Then::Repair);
        assert_eq!(room.arrive(live(c, 8, 9)), Then::Nothing);
        assert_eq!(chain(&socket), [(2, 1)]);
        let events = [4, 6, 8].map(|seq| logged(c, seq)).to_vec();
        assert_eq!(room.replay(&replay(events, false, 8)), Then::Nothing);
        assert_eq!(chain(&socket), [(4, 2), (6, 4), (8, 6), (9, 8)]);
        assert_eq!(room.arrive(live(c, 8, 9)), Then::Nothing);
        assert_eq!(chain(&socket), []);
    }

    #[test]
    fn a_lost_last_event_shows_in_the_head() {
        let (mut room, socket, c) = room();
        assert_eq!(room.head(1), Then::Nothing);
        assert_eq!(room.head(4), Then::Repair);
        assert_eq!(room.replay(&replay(vec![logged(c, 4)], false, 4)), Then::Nothing);
        assert_eq!(chain(&socket), [(4, 1)]);
    }

    #[test]
    fn a_replay_that_lags_is_asked_again() {
        let (mut room, socket, c) = room();
        assert_eq!(room.head(1), Then::Nothing);
        assert_eq!(room.head(4), Then::Repair);
        assert_eq!(room.replay(&replay(vec![], false, 1)), Then::Repair);
        assert_eq!(room.replay(&replay(vec![logged(c, 4)], false, 4)), Then::Nothing);
        assert_eq!(chain(&socket), [(4, 1)]);
    }

    #[test]
    fn an_unknown_predecessor_is_never_taken_for_the_last_one() {
        let (mut room, socket, c) = room();
        assert_eq!(room.head(7), Then::Nothing);
        assert_eq!(room.arrive(live(c, 0, 20)), Then::Repair);
        assert_eq!(room.replay(&replay(vec![logged(c, 20)], false, 20)), Then::Nothing);
        assert_eq!(chain(&socket), [(20, 7)]);
    }

    #[test]
    fn a_new_conversation_begins_with_no_predecessor() {
        let (mut room, socket, c) = room();
        assert_eq!(room.head(0), Then::Nothing);
        assert_eq!(room.arrive(live(c, 0, 20)), Then::Nothing);
        assert_eq!(chain(&socket), [(20, 0)]);
    }

    #[test]
    fn a_hole_too_large_to_send_makes_everyone_reload() {
        let (mut room, socket, c) = room();
        assert_eq!(room.head(1), Then::Nothing);
        assert_eq!(room.arrive(live(c, 899, 900)), Then::Repair);
        assert_eq!(room.replay(&replay(vec![], true, 899)), Then::Nothing);
        assert_eq!(chain(&socket), [(0, 899), (900, 899)]);
    }

    #[test]
    fn typing_goes_to_the_others_who_joined_and_ends_by_itself() {
        let (mut room, socket, c) = room();
        let (typist, now) = (UserId::fresh(), Instant::now());
        assert!(room.typing(typist, true, now));
        assert!(socket.outbox.take().is_empty(), "a socket that did not join was told");
        assert!(room.watch(&socket, Arc::new([typist])));
        assert!(room.typing(typist, true, now));
        assert!(room.typing(socket.user, true, now));
        assert!(room.expire_typing(now + limits::TYPING_EXPIRES / 2));
        assert!(!room.expire_typing(now + limits::TYPING_EXPIRES));
        assert!(!room.typing(typist, false, now));
        let typing = |is_typing| ServerFrame::Typing { conversation_id: c, user_id: typist, is_typing };
        assert_eq!(socket.outbox.take(), [typing(true), typing(false)]);
    }
}
