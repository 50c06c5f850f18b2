//! A room's chain, on its own.

use natter_nats::trace::TraceRing;
use natter_schemas::{
    event::{Body, Event},
    id::{EventId, Partition, SessionId},
    rpc::{IssuedKey, KeyName},
};
use natter_seal::Place;

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
    LiveEvent { partition: Partition(0), conversation, seq, prev, payload, origin: None }
}

fn room() -> (Room, Arc<Socket>, ConversationId) {
    let conversation = ConversationId::fresh();
    let mut room = Room::new(
        conversation,
        Arc::new(Unreadable::new("event")),
        KnownKeys::keeping(limits::KEY_CACHED),
        LogClock::own(),
        TraceRing::default().at(Partition(0)),
    );
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
        let live =
            LiveEvent { partition: Partition(0), conversation: c, seq, prev: seq - 1, payload, origin: None };
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

/// A sealed live event, and the answer that has its key.
fn sealed(conversation: ConversationId, prev: Seq, seq: Seq) -> (LiveEvent, LogEntry, KeyName, IssuedKey) {
    let clear = entry(conversation, seq);
    let (mut event, place) = (clear.event.clone(), Place::of_event(&clear.event));
    let issued = IssuedKey { epoch: 3, key: [5; 32] };
    let body = natter_seal::seal(&seq.to_string(), &place, 3, &issued.key.into()).expect("randomness");
    event.kind = Kind::Posted { body, reply_to: None };
    let payload = codec::encode(&event).into();
    let name = KeyName { user: event.author, epoch: Some(3) };
    (
        LiveEvent { partition: Partition(0), conversation, seq, prev, payload, origin: None },
        clear,
        name,
        issued,
    )
}

/// The texts of message frames, and whether each is marked as unreadable.
fn texts(socket: &Socket) -> Vec<(Option<String>, bool)> {
    let frames = socket.queue.take().into_iter();
    frames
        .map(|frame| match frame {
            ServerFrame::MessageNew { message, .. } => (message.content, message.unreadable),
            other => panic!("unexpected {other:?}"),
        })
        .collect()
}

#[test]
fn a_sealed_event_whose_key_is_here_is_sent_at_once() {
    let (mut room, socket, c) = room();
    assert_eq!(room.head(1), Action::None);
    let (event, _, name, issued) = sealed(c, 1, 2);
    room.keys.put(name, Some(issued), Instant::now());
    assert_eq!(room.receive(event), Action::None);
    assert_eq!(texts(&socket), [(Some("2".to_owned()), false)]);
}

#[test]
fn a_sealed_event_waits_for_its_key_and_others_behind_it() {
    let (mut room, socket, c) = room();
    assert_eq!(room.head(1), Action::None);
    let (event, clear, name, issued) = sealed(c, 1, 2);
    assert_eq!(room.receive(event), Action::Open);
    assert_eq!(room.receive(live(c, 2, 3)), Action::None, "asked for once, and no gap");
    assert_eq!(chain(&socket), []);
    assert_eq!(room.first_waiting().map(|entry| entry.seq), Some(2));
    room.keys.put(name, Some(issued), Instant::now());
    assert_eq!(room.opened(Some(&clear)), Action::None);
    assert_eq!(texts(&socket), [(Some("2".to_owned()), false), (Some("3".to_owned()), false)]);
}

#[test]
fn an_event_without_a_key_is_sent_with_a_marker() {
    let (mut room, socket, c) = room();
    assert_eq!(room.head(1), Action::None);
    assert_eq!(room.receive(sealed(c, 1, 2).0), Action::Open);
    let still_sealed = room.first_waiting().expect("it waits");
    assert_eq!(room.opened(Some(&still_sealed)), Action::None);
    let (event, _, name, _) = sealed(c, 2, 3);
    room.keys.put(name, None, Instant::now());
    assert_eq!(room.receive(event), Action::None, "it is known that there is none");
    assert_eq!(texts(&socket), [(None, true), (None, true)]);
}

#[test]
fn history_may_be_faster_than_the_key() {
    let (mut room, socket, c) = room();
    assert_eq!(room.head(1), Action::None);
    let (event, clear, ..) = sealed(c, 1, 2);
    assert_eq!(room.receive(event), Action::Open);
    assert_eq!(room.head(4), Action::None, "one thing at a time");
    assert_eq!(room.replay(&replay(vec![clear.clone(), entry(c, 3)], false, 3)), Action::None);
    assert_eq!(room.opened(Some(&clear)), Action::Repair, "what was missed is fetched now");
    assert_eq!(chain(&socket), [(2, 1), (3, 2)]);
}
