//! Whoever is not in a conversation reads nothing of it by any call, whatever the edge that asks has checked.

use std::time::{Duration, Instant};

use crate::harness::{Harness, event, posted};
use natter_nats::topology;
use natter_schemas::{
    code::Code,
    event::{Kind, LogEntry, Role},
    id::{ConversationId, EventId, Seq, UserId},
    limits,
    rpc::{
        Call, EventsAfter, FindEvent, FindOlderEvents, GetConversation, GetHead, GetMessage, GetPage,
        GetTarget, ListParticipants, ListReactors, MarkRead, Page, Reads, RemoveMember, ReplayPart, Window,
    },
};
use natter_store::EventStore;
use natter_testkit::until;
use natter_workers::Job;

const SERVICES: [Job; 3] = [Job::Conversations, Job::History, Job::Inbox];
/// Guarantee 7.
const ENDS_WITHIN: Duration = Duration::from_secs(2);

/// What a call is answered with; an answer is as good as any other.
async fn outcome<C: Call>(harness: &Harness, call: C) -> (&'static str, Result<(), Code>) {
    assert!(matches!(call.reads(), Reads::ForUsers(_) | Reads::DecidedByHandler), "{}", C::NAME);
    (C::NAME, harness.rpc.call(&call).await.map(drop).map_err(|refused| refused.code))
}

/// Every call that reads something of the conversation for a user.
async fn every_read(
    harness: &Harness,
    user: UserId,
    conversation: ConversationId,
    seq: Seq,
) -> Vec<(&'static str, Result<(), Code>)> {
    let page = Page { conversation, window: Window::Newest, limit: 10 };
    let part = ReplayPart { conversation, after: 0, limit: 10, scanned: 0 };
    let find = FindEvent { user, conversation, event: EventId::fresh() };
    let emoji = "👍".to_owned();
    vec![
        outcome(harness, GetPage { user, page }).await,
        outcome(harness, EventsAfter { user, part }).await,
        outcome(harness, GetHead { user, conversation }).await,
        outcome(harness, find).await,
        outcome(harness, FindOlderEvents { events: vec![find] }).await,
        outcome(harness, GetMessage { user, conversation, seq }).await,
        outcome(harness, GetTarget { user, conversation, seq }).await,
        outcome(harness, ListReactors { user, conversation, seq, emoji, after: None, limit: 10 }).await,
        outcome(harness, GetConversation { user, conversation }).await,
        outcome(harness, ListParticipants { user, conversation, after: None, limit: 10 }).await,
        outcome(harness, MarkRead { user, conversation, seq, private: false, unread: false }).await,
    ]
}

async fn may_read(harness: &Harness, user: UserId, conversation: ConversationId) -> bool {
    match harness.rpc.call(&GetHead { user, conversation }).await {
        Ok(_) => true,
        Err(refused) => {
            assert_eq!(refused.code, Code::NotFound);
            false
        }
    }
}

/// Whether this read asks the store who is a member: a head is read from the log alone.
async fn is_looked_up(harness: &Harness, user: UserId, conversation: ConversationId) -> bool {
    let before = harness.store.calls();
    assert!(may_read(harness, user, conversation).await);
    harness.store.calls() > before
}

async fn remove(harness: &Harness, by: UserId, conversation: ConversationId, user: UserId) {
    harness.rpc.call(&RemoveMember { by, conversation, user, traceparent: None }).await.unwrap();
}

async fn three(harness: &Harness) -> (ConversationId, UserId, UserId, UserId) {
    let (alice, bob, carol) =
        (harness.person("alice").await, harness.person("bob").await, harness.person("carol").await);
    (harness.group(alice, &[bob]).await, alice, bob, carol)
}

#[tokio::test]
async fn every_read_is_answered_for_members_and_no_one_else() {
    let harness = Harness::with(&SERVICES).await;
    let (room, alice, bob, stranger) = three(&harness).await;
    let seq = harness.post(alice, room, "secret").await;
    for user in [alice, bob] {
        for (call, outcome) in every_read(&harness, user, room, seq).await {
            assert_eq!(outcome, Ok(()), "{call}");
        }
    }
    remove(&harness, alice, room, bob).await;
    until("the removal has ended what was known", async || !may_read(&harness, bob, room).await).await;
    for user in [stranger, bob] {
        for (call, outcome) in every_read(&harness, user, room, seq).await {
            assert_eq!(outcome, Err(Code::NotFound), "{call}");
        }
        let nowhere = every_read(&harness, user, ConversationId::fresh(), seq).await;
        assert!(nowhere.iter().all(|(_, outcome)| *outcome == Err(Code::NotFound)), "{nowhere:?}");
    }
}

#[tokio::test]
async fn one_stranger_among_many_readers_is_noticed() {
    let harness = Harness::with(&SERVICES).await;
    let (room, alice, bob, stranger) = three(&harness).await;
    let sent = event(alice, room, posted("hi"));
    harness.publish(&sent).await;
    let find = |user| FindEvent { user, conversation: room, event: sent.id };
    let ask = async |events| harness.rpc.call(&FindOlderEvents { events }).await.map_err(|e| e.code);
    assert_eq!(ask(vec![find(alice), find(bob)]).await.map(|found| found.len()), Ok(2));
    assert_eq!(ask(vec![find(alice), find(stranger), find(bob)]).await, Err(Code::NotFound));
    assert_eq!(ask(vec![find(alice); limits::LOOKUP_BATCH + 1]).await, Err(Code::Malformed));
}

#[tokio::test]
async fn a_known_member_costs_nothing_until_the_removal() {
    let harness = Harness::with(&SERVICES).await;
    let (room, alice, bob, _) = three(&harness).await;
    for _ in 0..3 {
        until("members are remembered", async || !is_looked_up(&harness, bob, room).await).await;
        until("members are remembered", async || !is_looked_up(&harness, alice, room).await).await;
        let begun = Instant::now();
        remove(&harness, alice, room, bob).await;
        until("the removal counts", async || !may_read(&harness, bob, room).await).await;
        assert!(begun.elapsed() < ENDS_WITHIN, "{:?}", begun.elapsed());
        assert!(!may_read(&harness, bob, room).await);
        // A member again at once: who is none is not remembered.
        harness.say(alice, room, Kind::MemberAdded { user: bob, role: Role::Member }).await;
        assert!(may_read(&harness, bob, room).await);
    }
}

#[tokio::test]
async fn who_was_added_reads_before_the_event_is_stored() {
    let harness = Harness::with(&SERVICES).await;
    let (room, alice, _, carol) = three(&harness).await;
    assert!(!may_read(&harness, carol, room).await);
    harness.say(alice, room, Kind::MemberAdded { user: carol, role: Role::Member }).await;
    assert!(may_read(&harness, carol, room).await);
}

#[tokio::test]
async fn without_control_every_reader_is_looked_up() {
    let harness = Harness::with(&SERVICES).await;
    let (room, alice, bob, _) = three(&harness).await;
    until("members are remembered", async || !is_looked_up(&harness, bob, room).await).await;
    harness.server.js().await.delete_stream(topology::CONTROL).await.unwrap();
    until("nothing is trusted", async || is_looked_up(&harness, bob, room).await).await;
    // As a worker does it that no longer gets to notifying anyone.
    let removed = event(alice, room, Kind::MemberRemoved { user: bob });
    let seq = harness.publish(&removed).await;
    let stored = LogEntry { seq, event: removed };
    harness.store.persist(crate::harness::partition(room), &[stored]).await.unwrap();
    assert!(!may_read(&harness, bob, room).await);
}

#[tokio::test]
async fn while_the_store_is_away_the_log_knows_the_members() {
    let harness = Harness::with(&SERVICES).await;
    let (room, alice, bob, stranger) = three(&harness).await;
    remove(&harness, alice, room, bob).await;
    harness.store.set_away(true);
    assert!(may_read(&harness, alice, room).await);
    assert!(!may_read(&harness, bob, room).await);
    assert!(!may_read(&harness, stranger, room).await, "the log has all of its members");
    let elsewhere = GetHead { user: alice, conversation: ConversationId::fresh() };
    assert_eq!(harness.rpc.call(&elsewhere).await.unwrap_err().code, Code::Unavailable);
}
