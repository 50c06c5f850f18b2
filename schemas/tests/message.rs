//! A message in its present state does not depend on how its events arrived.

#![allow(clippy::unwrap_used)]

use natter_schemas::{
    event::{Body, Event, Kind, Message, Timestamp},
    id::{ConversationId, EventId, Seq, UserId},
};
use proptest::prelude::*;

const POSTED: Seq = 10;

fn event(seq: Seq, author: u8, kind: Kind) -> Event {
    let [.., tail] = seq.to_be_bytes();
    Event {
        id: EventId::from_bytes([tail; 16]),
        conversation: ConversationId::from_bytes([1; 16]),
        author: UserId::from_bytes([author; 16]),
        device: String::new(),
        client_id: None,
        at: Timestamp(i64::try_from(seq).unwrap() * 1_000),
        kind,
        traceparent: None,
    }
}

fn posted() -> Message {
    let kind = Kind::Posted { body: Body::Plain("first".into()), reply_to: None };
    Message::posted(POSTED, &event(POSTED, 1, kind)).unwrap()
}

fn kind() -> impl Strategy<Value = Kind> {
    let target = prop_oneof![4 => Just(POSTED), 1 => Just(POSTED + 1)];
    prop_oneof![
        (target.clone(), "[a-z]{1,4}")
            .prop_map(|(target, text)| Kind::Edited { target, body: Body::Plain(text) }),
        target.clone().prop_map(|target| Kind::Deleted { target }),
        (target, prop::sample::select(vec!["👍", "❤️"]), any::<bool>())
            .prop_map(|(target, emoji, on)| Kind::Reacted { target, emoji: emoji.into(), on }),
        Just(Kind::Renamed { name: "other".into() }),
    ]
}

/// Events after the message, in the order of the log.
fn log() -> impl Strategy<Value = Vec<(Seq, Event)>> {
    proptest::collection::vec((1..4_u8, kind()), 0..12).prop_map(|kinds| {
        let numbered = (POSTED + 1..).zip(kinds);
        numbered.map(|(seq, (author, kind))| (seq, event(seq, author, kind))).collect()
    })
}

fn apply<'a>(mut message: Message, events: impl IntoIterator<Item = &'a (Seq, Event)>) -> Message {
    for (seq, event) in events {
        message.apply(*seq, event);
    }
    message
}

/// Who reacted, whatever the order in which they did.
fn reactions_as_sets(mut message: Message) -> Message {
    for reaction in &mut message.reactions {
        reaction.users.sort_unstable();
    }
    message.reactions.sort_by(|a, b| a.emoji.cmp(&b.emoji));
    message
}

proptest! {
    #[test]
    fn edits_and_deletions_converge_in_any_order_and_number(
        (events, shuffled) in log().prop_flat_map(|log| {
            let edits: Vec<_> = log.into_iter().filter(|(_, e)| !matches!(e.kind, Kind::Reacted { .. })).collect();
            let twice = [edits.clone(), edits.clone()].concat();
            (Just(edits), Just(twice).prop_shuffle())
        })
    ) {
        prop_assert_eq!(apply(posted(), &shuffled), apply(posted(), &events));
    }

    #[test]
    fn a_row_that_is_ahead_of_the_log_page_converges(
        log in log(), from in any::<prop::sample::Index>(), ahead in any::<prop::sample::Index>()
    ) {
        // History applies the log above the floor to a row that may reflect some of it already.
        let floor = from.index(log.len() + 1);
        let reflected = floor.max(ahead.index(log.len() + 1));
        let row = apply(posted(), &log[..reflected]);
        let page = apply(row, &log[floor..]);
        prop_assert_eq!(reactions_as_sets(page), reactions_as_sets(apply(posted(), &log)));
    }

    #[test]
    fn a_deleted_message_keeps_its_place_and_nothing_else(log in log()) {
        let message = apply(posted(), &log);
        prop_assert_eq!(message.seq, POSTED);
        prop_assert_eq!(message.body.is_none(), message.deleted_at.is_some());
        if message.deleted_at.is_some() {
            prop_assert!(message.reactions.is_empty() && message.edited_at.is_none());
        }
    }
}

#[test]
fn only_a_posted_event_begins_a_message() {
    assert!(Message::posted(1, &event(1, 1, Kind::Deleted { target: 1 })).is_none());
}

#[test]
fn a_reaction_taken_back_by_the_last_one_is_gone() {
    let react =
        |seq, author, on| (seq, event(seq, author, Kind::Reacted { target: POSTED, emoji: "👍".into(), on }));
    let events = [react(11, 1, true), react(12, 2, true), react(13, 1, false), react(14, 1, false)];
    let message = apply(posted(), &events);
    assert_eq!(message.reactions[0].users, [UserId::from_bytes([2; 16])]);
    assert!(apply(message, &[react(15, 2, false)]).reactions.is_empty());
}
