//! Wherever the persister's floor lies, and whatever it has stored beyond it, a page and the number of unread
//! messages are the same.

use std::collections::BTreeSet;

use natter_schemas::{
    event::{Body, Event, Kind, LogEntry, Message, Timestamp},
    id::{ConversationId, EventId, Partition, Seq, UserId},
    limits,
    rpc::Window,
};
use natter_store::{EventStore, MessageStore, ReadMarkStore, sqlite::SqliteStore};
use natter_workers::services::{
    history::{Tail, cut, present},
    read_marks,
};
use proptest::prelude::*;
use tokio::runtime::Runtime;

/// What one of three people does; targets are positions from the beginning.
#[derive(Debug, Clone)]
enum Act {
    Post,
    Edit(usize),
    Delete(usize),
    React(usize, bool),
}

fn act() -> impl Strategy<Value = (usize, Act)> {
    let act = prop_oneof![
        4 => Just(Act::Post),
        2 => (0_usize..30).prop_map(Act::Edit),
        1 => (0_usize..30).prop_map(Act::Delete),
        2 => ((0_usize..30), any::<bool>()).prop_map(|(at, on)| Act::React(at, on)),
    ];
    (0_usize..3, act)
}

fn event(room: ConversationId, author: UserId, n: usize, act: &Act) -> Event {
    // No one can mean a message that is not there yet.
    let seq = |at: &usize| 2 * Seq::try_from(at % n.max(1)).unwrap() + 2;
    let body = Body::Plain(format!("text {n}"));
    let kind = match if n == 0 { &Act::Post } else { act } {
        Act::Post => Kind::Posted { body, reply_to: None },
        Act::Edit(at) => Kind::Edited { target: seq(at), body },
        Act::Delete(at) => Kind::Deleted { target: seq(at) },
        Act::React(at, on) => Kind::Reacted { target: seq(at), emoji: "👍".to_owned(), on: *on },
    };
    let at = Timestamp(1_700_000_000_000 + i64::try_from(n).unwrap());
    let (id, device) = (EventId::fresh(), String::new());
    Event { id, conversation: room, author, device, client_id: None, at, kind, traceparent: None }
}

fn tail(events: &[LogEntry], floor: Seq) -> Tail {
    events.iter().filter(|logged| logged.seq > floor).cloned().collect::<Vec<_>>().into()
}

/// The answers as they follow from the whole log alone.
struct Model {
    messages: Vec<Message>,
    read: Seq,
    unread: usize,
}

fn model(events: &[LogEntry], user: UserId, mark: Seq) -> Model {
    let messages = present(Vec::new(), &tail(events, 0));
    let own = messages.iter().filter(|m| m.author == user).map(|m| m.seq).max().unwrap_or(0);
    let read = own.max(mark);
    let counts = |m: &&Message| m.author != user && m.deleted_at.is_none() && m.seq > read;
    let unread = messages.iter().filter(counts).count().min(limits::UNREAD);
    Model { messages, read, unread }
}

async fn check(
    store: &SqliteStore,
    script: &[(usize, Act)],
    floor: usize,
    early: &BTreeSet<usize>,
    mark: usize,
) -> Result<(), TestCaseError> {
    let (room, people) = (ConversationId::fresh(), [(); 3].map(|()| UserId::fresh()));
    let seq = |n: usize| 2 * Seq::try_from(n).unwrap() + 2;
    let events: Vec<LogEntry> = script
        .iter()
        .enumerate()
        .map(|(n, (who, act))| LogEntry { seq: seq(n), event: event(room, people[*who], n, act) })
        .collect();
    // Everything up to the floor, and some of what lies beyond, written first.
    let floor_seq = if floor == 0 { 0 } else { seq(floor - 1) };
    let beyond = events.iter().enumerate().filter(|(n, e)| e.seq > floor_seq && early.contains(n));
    let mut order: Vec<LogEntry> = beyond.map(|(_, e)| e.clone()).collect();
    order.extend(events.iter().rev().filter(|e| e.seq <= floor_seq).cloned());
    store.persist(Partition(0), &order).await.unwrap();

    let tail = tail(&events, floor_seq);
    let user = people[0];
    store.advance_read(room, user, seq(mark).saturating_sub(2), Timestamp(0)).await.unwrap();
    let stored = store.read_position(room, user).await.unwrap();
    let expected = model(&events, user, seq(mark).saturating_sub(2));
    let read = read_marks::read_through(user, stored, &tail).own().seq;
    prop_assert_eq!(read, expected.read);
    let unread = read_marks::unread(store, (room, user), read, floor_seq, &tail).await.unwrap();
    prop_assert_eq!(unread, expected.unread);

    let middle = seq(script.len() / 2);
    for window in [Window::Newest, Window::Before(middle), Window::After(middle), Window::After(0)] {
        for limit in [1, 3, 100] {
            let rows = store.messages(room, window, floor_seq, limit + 1).await.unwrap();
            let page = cut(present(rows, &tail), window, limit);
            prop_assert_eq!(page, cut(expected.messages.clone(), window, limit), "{:?} {}", window, limit);
        }
    }
    Ok(())
}

#[test]
fn unread_and_pages_are_the_same_before_and_after_persisting() {
    let folder = tempfile::tempdir().unwrap();
    let runtime = Runtime::new().unwrap();
    let store = {
        let _guard = runtime.enter();
        SqliteStore::open(&folder.path().join("natter.db")).unwrap()
    };
    let script = prop::collection::vec(act(), 1..30);
    let early = prop::collection::btree_set(0_usize..30, 0..10);
    let config = ProptestConfig { cases: 200, failure_persistence: None, ..ProptestConfig::default() };
    proptest!(config, |(script in script, floor in 0_usize..30, early in early, mark in 0_usize..30)| {
        runtime.block_on(check(&store, &script, floor.min(script.len()), &early, mark))?;
    });
}
