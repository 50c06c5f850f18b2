//! Read marks and what is left unread.

use crate::harness::{Harness, PARTITIONS, partition};
use natter_nats::{async_nats::jetstream::message::StreamMessage, subject, topology};
use natter_schemas::{
    code::Code,
    event::Kind,
    id::{ConversationId, Seq, UserId},
    limits,
    rpc::{
        GetConversation, MarkRead, OwnMark, ReadMark, ReadMarkHead, ReadMarkPage, ReadMarksAfter, ReadState,
    },
};
use natter_testkit::until;
use natter_workers::Job;

const SERVICES: [Job; 3] = [Job::Conversations, Job::History, Job::Inbox];

async fn pair() -> (Harness, ConversationId, UserId, UserId) {
    let harness = Harness::with(&SERVICES).await;
    let (room, alice, bob) = harness.group_of_two().await;
    (harness, room, alice, bob)
}

async fn mark(harness: &Harness, user: UserId, conversation: ConversationId, seq: Seq) -> ReadState {
    harness.rpc.call(&MarkRead { user, conversation, seq, private: false, unread: false }).await.unwrap()
}

async fn mark_unread(harness: &Harness, user: UserId, conversation: ConversationId, seq: Seq) -> ReadState {
    harness.rpc.call(&MarkRead { user, conversation, seq, private: false, unread: true }).await.unwrap()
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
    let ask = MarkRead { user: carol, conversation: room, seq: 1, private: false, unread: false };
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

#[tokio::test]
async fn what_is_marked_as_unread_is_so_until_it_is_read_again() {
    let (mut harness, room, alice, bob) = pair().await;
    let mut seqs = Vec::new();
    for n in 0..5 {
        seqs.push(harness.post(bob, room, &n.to_string()).await);
    }
    mark(&harness, alice, room, seqs[4]).await;
    let before = |seq| seq - 1;
    let state = mark_unread(&harness, alice, room, seqs[2]).await;
    assert_eq!(state, ReadState { seq: before(seqs[2]), unread: 3 });
    for persisted in [false, true] {
        if persisted {
            harness.settle(&SERVICES).await;
        }
        let view = harness.rpc.call(&GetConversation { user: alice, conversation: room }).await.unwrap();
        assert_eq!((view.read, view.unread), (before(seqs[2]), 3));
        // Others see what she had read.
        let read = view.participants.unwrap().iter().find(|p| p.user == alice).unwrap().read;
        assert_eq!(read, seqs[4]);
    }
    // Further on it is unread already; further back it is not.
    assert_eq!(mark_unread(&harness, alice, room, seqs[3]).await.unread, 3);
    assert_eq!(mark_unread(&harness, alice, room, seqs[1]).await.unread, 4);
    // Read step by step, then up to where it was read before.
    assert_eq!(mark(&harness, alice, room, seqs[1]).await, ReadState { seq: seqs[1], unread: 3 });
    assert_eq!(mark(&harness, alice, room, seqs[0]).await, ReadState { seq: seqs[1], unread: 3 });
    assert_eq!(mark(&harness, alice, room, seqs[4]).await, ReadState { seq: seqs[4], unread: 0 });
    assert_eq!(mark(&harness, alice, room, 0).await, ReadState { seq: seqs[4], unread: 0 });
}

#[tokio::test]
async fn a_post_or_a_read_of_something_newer_ends_a_mark_as_unread() {
    let (mut harness, room, alice, bob) = pair().await;
    let first = harness.post(bob, room, "first").await;
    mark(&harness, alice, room, first).await;
    assert_eq!(mark_unread(&harness, alice, room, first).await.unread, 1);
    let own = harness.post(alice, room, "own").await;
    for persisted in [false, true] {
        if persisted {
            harness.settle(&SERVICES).await;
        }
        assert_eq!(mark(&harness, alice, room, 0).await, ReadState { seq: own, unread: 0 });
    }
    assert_eq!(mark_unread(&harness, alice, room, first).await.unread, 1);
    let newer = harness.post(bob, room, "newer").await;
    assert_eq!(mark(&harness, alice, room, newer).await, ReadState { seq: newer, unread: 0 });
}

#[tokio::test]
async fn marks_as_unread_are_published_with_rising_versions() {
    let (harness, room, alice, bob) = pair().await;
    let seq = harness.post(bob, room, "read me").await;
    mark(&harness, alice, room, seq).await;
    mark_unread(&harness, alice, room, seq).await;
    mark(&harness, alice, room, seq).await;
    mark_unread(&harness, alice, room, seq).await;
    let published = harness.stored(topology::READS).await;
    let last: ReadMark = postcard::from_bytes(&published.last().unwrap().payload).unwrap();
    assert_eq!((last.seq, last.own), (seq, OwnMark { seq: seq - 1, version: 3 }));
}

#[tokio::test]
async fn an_edge_that_missed_read_marks_is_given_the_last_of_each() {
    let (harness, room, alice, bob) = pair().await;
    let after = async |after| harness.rpc.call(&ReadMarksAfter { after }).await.unwrap();
    let none = |up_to| ReadMarkPage { marks: Vec::new(), up_to, more: false };
    assert_eq!(after(0).await, none(0));
    let seqs = [harness.post(bob, room, "one").await, harness.post(bob, room, "two").await];
    mark(&harness, alice, room, seqs[0]).await;
    mark(&harness, bob, room, seqs[1]).await;
    mark(&harness, alice, room, seqs[1]).await;
    let page = after(0).await;
    let marks: Vec<_> = page.marks.iter().map(|mark| (mark.user, mark.seq)).collect();
    assert_eq!((marks, page.up_to, page.more), (vec![(bob, seqs[1]), (alice, seqs[1])], 3, false));
    assert_eq!(after(2).await.marks.len(), 1);
    assert_eq!(after(3).await, none(3));
    until("the head is known", async || harness.rpc.call(&ReadMarkHead).await.unwrap() == 3).await;
}

#[tokio::test]
async fn a_read_mark_that_cannot_be_published_is_published_later() {
    let (harness, room, alice, bob) = pair().await;
    let seq = harness.post(bob, room, "read me").await;
    harness.server.js().await.delete_stream(topology::READS).await.unwrap();
    assert_eq!(mark(&harness, alice, room, seq).await, ReadState { seq, unread: 0 });
    harness.server.provision(PARTITIONS).await;
    let published = async || {
        let stored = harness.stored(topology::READS).await;
        let mark = |message: &StreamMessage| postcard::from_bytes::<ReadMark>(&message.payload).unwrap();
        stored.last().is_some_and(|last| (mark(last).user, mark(last).seq) == (alice, seq))
    };
    until("the mark is published", published).await;
}
