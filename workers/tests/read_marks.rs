//! Read marks and what is left unread.
#![allow(clippy::unwrap_used)]

mod harness;

use harness::{Harness, partition};
use natter_nats::{subject, topology};
use natter_schemas::{
    code::Code,
    event::Kind,
    id::{ConversationId, Seq, UserId},
    limits,
    rpc::{GetConversation, MarkRead, ReadMark, ReadState},
};
use natter_workers::Job;

const SERVICES: [Job; 3] = [Job::Conversations, Job::History, Job::Inbox];

async fn pair() -> (Harness, ConversationId, UserId, UserId) {
    let harness = Harness::with(&SERVICES).await;
    let (alice, bob) = (harness.person("alice").await, harness.person("bob").await);
    let room = harness.group(alice, &[bob]).await;
    (harness, room, alice, bob)
}

async fn mark(harness: &Harness, user: UserId, conversation: ConversationId, seq: Seq) -> ReadState {
    harness.rpc.call(&MarkRead { user, conversation, seq, private: false }).await.unwrap()
}

#[tokio::test]
async fn a_read_mark_moves_forward_only_and_not_past_the_head() {
    let (harness, room, alice, bob) = pair().await;
    let mut seqs = Vec::new();
    for n in 0..4 {
        seqs.push(harness.post(bob, room, &n.to_string()).await);
    }
    assert_eq!(mark(&harness, alice, room, 0).await, ReadState { seq: 0, unread: 4 });
    assert_eq!(mark(&harness, alice, room, seqs[1]).await, ReadState { seq: seqs[1], unread: 2 });
    assert_eq!(mark(&harness, alice, room, seqs[0]).await, ReadState { seq: seqs[1], unread: 2 });
    assert_eq!(mark(&harness, alice, room, Seq::MAX).await, ReadState { seq: seqs[3], unread: 0 });
    let next = harness.post(bob, room, "next").await;
    assert_eq!(mark(&harness, alice, room, 0).await, ReadState { seq: seqs[3], unread: 1 });
    assert_eq!(mark(&harness, bob, room, 0).await, ReadState { seq: next, unread: 0 });
}

#[tokio::test]
async fn only_members_have_a_read_mark() {
    let (harness, room, _, _) = pair().await;
    let carol = harness.person("carol").await;
    let ask = MarkRead { user: carol, conversation: room, seq: 1, private: false };
    assert_eq!(harness.rpc.call(&ask).await.unwrap_err().code, Code::NotFound);
}

#[tokio::test]
async fn every_device_receives_a_read_mark() {
    let (harness, room, alice, bob) = pair().await;
    let seq = harness.post(bob, room, "read me").await;
    mark(&harness, alice, room, seq).await;
    mark(&harness, alice, room, seq).await;
    let published = harness.stored(topology::READS).await;
    assert_eq!(published.len(), 1);
    assert_eq!(published[0].subject.as_str(), subject::reads(partition(room), room, alice));
    let mark: ReadMark = postcard::from_bytes(&published[0].payload).unwrap();
    assert_eq!((mark.conversation, mark.user, mark.seq), (room, alice, seq));
}

#[tokio::test]
async fn unread_is_counted_to_a_hundred_and_deleted_messages_do_not_count() {
    let (mut harness, room, alice, bob) = pair().await;
    let mut seqs = Vec::new();
    for n in 0..limits::UNREAD + 20 {
        seqs.push(harness.post(bob, room, &n.to_string()).await);
    }
    for persisted in [false, true] {
        if persisted {
            harness.settle(&SERVICES).await;
        }
        assert_eq!(mark(&harness, alice, room, 0).await.unread, limits::UNREAD);
    }
    // Rows below the floor, deleted above it.
    for target in &seqs[..50] {
        harness.say(bob, room, Kind::Deleted { target: *target }).await;
    }
    assert_eq!(mark(&harness, alice, room, 0).await.unread, 70);
    harness.settle(&SERVICES).await;
    assert_eq!(mark(&harness, alice, room, 0).await.unread, 70);
}

#[tokio::test]
async fn a_send_moves_the_senders_own_mark_before_it_is_stored() {
    let (mut harness, room, alice, bob) = pair().await;
    harness.post(bob, room, "hello").await;
    let own = harness.post(alice, room, "hello yourself").await;
    for persisted in [false, true] {
        if persisted {
            harness.settle(&SERVICES).await;
        }
        let view = harness.rpc.call(&GetConversation { user: alice, conversation: room }).await.unwrap();
        assert_eq!((view.read, view.unread), (own, 0));
        let read = view.participants.unwrap().iter().find(|p| p.user == alice).unwrap().read;
        assert_eq!(read, own);
        assert_eq!(mark(&harness, alice, room, 0).await, ReadState { seq: own, unread: 0 });
    }
}
