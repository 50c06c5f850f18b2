//! Whom a user may add to a conversation, and what a blocked user does not learn.

use std::time::Duration;

use crate::harness::{Harness, opening};
use natter_schemas::{
    code::Code,
    event::{Kind, Role, Shape, Timestamp},
    id::{ConversationId, ReservationId, Seq, UserId},
    limits::{self, AddBy, Limits},
    rpc::{
        AddMembers, FindSharingUsers, ListConversations, ListParticipants, MarkRead, OpenConversation,
        Participant, RemoveMember, RpcError, SetBlock, SetRole,
    },
};
use natter_store::{MemberStore, Reservation, ReservationStore};
use natter_workers::Job;

const SERVICES: [Job; 3] = [Job::Conversations, Job::History, Job::Inbox];

async fn deployment<const N: usize>(limits: Limits) -> (Harness, [UserId; N]) {
    let harness = Harness::with_limits(&SERVICES, limits).await;
    let mut users = [UserId::fresh(); N];
    for (n, user) in users.iter_mut().enumerate() {
        *user = harness.person(&format!("user-{n}")).await;
    }
    (harness, users)
}

async fn add(
    harness: &Harness,
    by: UserId,
    conversation: ConversationId,
    users: &[UserId],
) -> Result<(), RpcError> {
    harness.rpc.call(&AddMembers { by, conversation, users: users.to_vec(), traceparent: None }).await
}

async fn remove(harness: &Harness, by: UserId, conversation: ConversationId, user: UserId) {
    harness.rpc.call(&RemoveMember { by, conversation, user, traceparent: None }).await.unwrap();
}

async fn set_role(harness: &Harness, by: UserId, conversation: ConversationId, user: UserId, role: Role) {
    harness.rpc.call(&SetRole { by, conversation, user, role, traceparent: None }).await.unwrap();
}

async fn open(
    harness: &Harness,
    by: UserId,
    shape: Shape,
    others: &[UserId],
) -> Result<ConversationId, RpcError> {
    harness.rpc.call(&opening(by, shape, others)).await.map(|opened| opened.conversation.id)
}

async fn block(harness: &Harness, user: UserId, other: UserId, on: bool) {
    harness.rpc.call(&SetBlock { user, other, on }).await.unwrap();
}

async fn sharing(harness: &Harness, user: UserId, other: UserId) -> bool {
    !harness.rpc.call(&FindSharingUsers { user, others: vec![other] }).await.unwrap().is_empty()
}

fn forbidden() -> RpcError {
    Code::Forbidden.into()
}

#[tokio::test]
async fn a_blocked_user_adds_the_blocker_to_nothing() {
    let (harness, [alice, bob, carol]) = deployment(Limits::default()).await;
    let room = harness.group(bob, &[carol]).await;
    block(&harness, alice, bob, true).await;
    assert_eq!(open(&harness, bob, Shape::Group, &[carol, alice]).await, Err(forbidden()));
    assert_eq!(add(&harness, bob, room, &[alice]).await, Err(forbidden()));
    assert_eq!(open(&harness, bob, Shape::Direct, &[alice]).await, Err(forbidden()));
    // Who has blocked may add, and who is not blocked may add both.
    let hers = open(&harness, alice, Shape::Group, &[bob]).await.unwrap();
    assert_eq!(harness.view(bob, hers).await.unwrap().participant_count, 2);
    set_role(&harness, alice, hers, bob, Role::Admin).await;
    assert_eq!(add(&harness, bob, hers, &[alice]).await, Ok(()), "she is in already");
    assert!(open(&harness, carol, Shape::Group, &[alice, bob]).await.is_ok());
    block(&harness, alice, bob, false).await;
    assert_eq!(add(&harness, bob, room, &[alice]).await, Ok(()));
}

#[tokio::test]
async fn a_group_made_before_a_block_is_found_again_by_its_key() {
    let (harness, [alice, bob]) = deployment(Limits::default()).await;
    let call = OpenConversation { key: Some("k".to_owned()), ..opening(bob, Shape::Group, &[alice]) };
    let made = harness.rpc.call(&call).await.unwrap();
    block(&harness, alice, bob, true).await;
    let again = harness.rpc.call(&call).await.unwrap();
    assert_eq!((again.conversation.id, again.existed), (made.conversation.id, true));
}

#[tokio::test]
async fn who_left_a_group_comes_back_only_by_their_own_call() {
    let (harness, [owner, admin, leaver, other]) = deployment(Limits::default()).await;
    let room = harness.group(owner, &[admin, leaver]).await;
    set_role(&harness, owner, room, admin, Role::Admin).await;
    for _ in 0..2 {
        remove(&harness, leaver, room, leaver).await;
        for by in [owner, admin] {
            assert_eq!(add(&harness, by, room, &[other, leaver]).await, Err(forbidden()));
        }
        assert_eq!(harness.view(leaver, room).await.unwrap_err().code, Code::NotFound);
        assert_eq!(add(&harness, leaver, room, &[leaver]).await, Ok(()));
        assert_eq!(harness.view(leaver, room).await.unwrap().role, Role::Member);
    }
    assert_eq!(harness.view(owner, room).await.unwrap().participant_count, 3, "no one else was added");
}

#[tokio::test]
async fn who_was_removed_does_not_come_back_alone_but_may_be_added() {
    let (harness, [owner, member, stranger]) = deployment(Limits::default()).await;
    let room = harness.group(owner, &[member]).await;
    remove(&harness, owner, room, member).await;
    for user in [member, stranger] {
        assert_eq!(add(&harness, user, room, &[user]).await, Err(Code::NotFound.into()));
    }
    assert_eq!(add(&harness, owner, room, &[member]).await, Ok(()));
    remove(&harness, owner, room, member).await;
    remove(&harness, owner, room, owner).await;
    assert_eq!(
        add(&harness, owner, room, &[owner]).await,
        Err(Code::NotFound.into()),
        "it has no members now"
    );
}

#[tokio::test]
async fn with_add_by_shared_only_acquaintances_are_added() {
    let limits = Limits { add_by: AddBy::Shared, ..Limits::default() };
    let (harness, [alice, bob, carol]) = deployment(limits).await;
    assert_eq!(open(&harness, alice, Shape::Group, &[bob]).await, Err(forbidden()));
    open(&harness, alice, Shape::Direct, &[bob]).await.unwrap();
    let room = open(&harness, alice, Shape::Group, &[bob]).await.unwrap();
    assert_eq!(add(&harness, alice, room, &[carol]).await, Err(forbidden()));
    open(&harness, carol, Shape::Direct, &[alice]).await.unwrap();
    assert_eq!(add(&harness, alice, room, &[carol]).await, Ok(()));
}

#[tokio::test]
async fn no_user_is_in_more_conversations_than_the_deployment_allows() {
    let (harness, [alice, bob, carol]) = deployment(Limits { memberships: 2, ..Limits::default() }).await;
    let (first, second) = (harness.group(alice, &[bob]).await, harness.group(bob, &[carol]).await);
    open(&harness, bob, Shape::Direct, &[alice]).await.unwrap_err();
    assert_eq!(
        open(&harness, bob, Shape::Direct, &[carol]).await,
        Err(Code::Conflict.into()),
        "his own bound"
    );
    assert_eq!(open(&harness, alice, Shape::Group, &[bob]).await, Err(forbidden()), "another's bound");
    assert_eq!(open(&harness, carol, Shape::Direct, &[bob]).await, Err(forbidden()));
    let third = harness.group(alice, &[carol]).await;
    assert_eq!(add(&harness, alice, third, &[bob]).await, Err(forbidden()));
    remove(&harness, bob, second, bob).await;
    assert_eq!(add(&harness, alice, third, &[bob]).await, Ok(()));
    assert_eq!(add(&harness, bob, second, &[bob]).await, Err(Code::Conflict.into()), "no room to come back");
    remove(&harness, bob, first, bob).await;
    assert_eq!(add(&harness, bob, second, &[bob]).await, Ok(()));
}

#[tokio::test]
async fn what_a_crash_left_reserved_counts_as_its_event_says() {
    let (mut harness, [alice, bob, carol]) = deployment(Limits { memberships: 2, ..Limits::default() }).await;
    let room = harness.group(alice, &[carol]).await;
    let at = |age: Duration| Timestamp(Timestamp::now().0 - i64::try_from(age.as_millis()).unwrap());
    let reserved = |conversation, at| Reservation { id: ReservationId::fresh(), conversation, at };
    let old = at(limits::RESERVED_FOR + Duration::from_secs(1));
    // Of a worker that ended before the log had the event, and one that ended right after it.
    let (lost, logged) = (reserved(ConversationId::fresh(), old), reserved(room, old));
    for reservation in [lost, logged] {
        assert_eq!(harness.store.reserve(reservation, &[bob], 2).await.unwrap(), []);
    }
    harness.say(alice, room, Kind::MemberAdded { user: bob, role: Role::Member }).await;
    assert_eq!(harness.store.membership(room, bob).await.unwrap(), None, "nothing persists here");
    let second = open(&harness, alice, Shape::Group, &[bob]).await.unwrap();
    assert_eq!(open(&harness, bob, Shape::Direct, &[alice]).await, Err(Code::Conflict.into()));
    assert!(harness.store.membership(room, bob).await.unwrap().is_some());
    assert_eq!(harness.store.reservations(bob).await.unwrap(), []);

    // One that is not old may still be at it.
    remove(&harness, bob, second, bob).await;
    let young = reserved(ConversationId::fresh(), at(Duration::from_secs(1)));
    assert_eq!(harness.store.reserve(young, &[bob], 2).await.unwrap(), []);
    assert_eq!(add(&harness, bob, second, &[bob]).await, Err(Code::Conflict.into()));
    assert_eq!(harness.store.reservations(bob).await.unwrap(), [young]);
    harness.store.release(young, &[bob]).await.unwrap();
    assert_eq!(add(&harness, bob, second, &[bob]).await, Ok(()));
    harness.settle(&SERVICES).await;
    assert_eq!(harness.store.memberships(bob).await.unwrap().len(), 2);
}

#[tokio::test]
async fn calls_that_are_refused_leave_nothing_reserved() {
    let (harness, [alice, bob, carol]) = deployment(Limits::default()).await;
    let room = harness.group(alice, &[bob]).await;
    assert_eq!(add(&harness, bob, room, &[carol]).await, Err(forbidden()));
    assert_eq!(add(&harness, alice, room, &[carol, UserId::fresh()]).await.unwrap_err().code, Code::Invalid);
    block(&harness, carol, alice, true).await;
    assert_eq!(add(&harness, alice, room, &[carol]).await, Err(forbidden()));
    assert_eq!(open(&harness, alice, Shape::Group, &[carol]).await, Err(forbidden()));
    remove(&harness, alice, room, bob).await;
    assert_eq!(add(&harness, bob, room, &[bob]).await, Err(Code::NotFound.into()));
    for user in [alice, bob, carol] {
        assert_eq!(harness.store.reservations(user).await.unwrap(), []);
    }
}

#[tokio::test]
async fn a_block_hides_presence_and_read_marks_unless_a_group_is_shared() {
    let (mut harness, [alice, bob]) = deployment(Limits::default()).await;
    let room = open(&harness, alice, Shape::Direct, &[bob]).await.unwrap();
    let seq = harness.post(bob, room, "hello").await;
    harness
        .rpc
        .call(&MarkRead { user: alice, conversation: room, seq, private: false, unread: false })
        .await
        .unwrap();
    let read_of = async |harness: &Harness, viewer: UserId, reader: UserId| -> [Seq; 3] {
        let of = |people: Vec<Participant>| people.iter().find(|p| p.user == reader).unwrap().read;
        let list = ListConversations { user: viewer, limit: 10, after: None };
        let listed = harness.rpc.call(&list).await.unwrap().items.into_iter().find(|item| item.id == room);
        let page = ListParticipants { user: viewer, conversation: room, after: None, limit: 10 };
        let page = harness.rpc.call(&page).await.unwrap();
        let views = [harness.view(viewer, room).await.unwrap(), listed.unwrap()];
        let [shown, listed] = views.map(|view| of(view.participants.unwrap()));
        [shown, listed, of(page.items)]
    };
    assert_eq!(read_of(&harness, bob, alice).await, [seq; 3]);
    assert!(sharing(&harness, bob, alice).await);
    block(&harness, alice, bob, true).await;
    for _ in 0..2 {
        assert_eq!(read_of(&harness, bob, alice).await, [0; 3]);
        assert_eq!(read_of(&harness, alice, bob).await, [0; 3]);
        assert_eq!(read_of(&harness, alice, alice).await, [seq; 3], "her own");
        harness.settle(&SERVICES).await;
    }
    assert!(!sharing(&harness, bob, alice).await && !sharing(&harness, alice, bob).await);
    harness.group(alice, &[bob]).await;
    assert!(sharing(&harness, bob, alice).await, "who share a group see each other there");
    block(&harness, alice, bob, false).await;
    assert_eq!(read_of(&harness, bob, alice).await, [seq; 3]);
}
