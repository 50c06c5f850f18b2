//! Read marks and what is left unread.
#![allow(clippy::unwrap_used)]

mod scene;

use natter_nats::{subject, topology};
use natter_schemas::{
    code::Code,
    event::Kind,
    id::{ConversationId, Seq, UserId},
    limits,
    rpc::{GetConversation, MarkRead, ReadMark, ReadState},
};
use natter_workers::Job;
use scene::{Scene, partition};

const SERVICES: [Job; 3] = [Job::Conversations, Job::History, Job::Inbox];

async fn pair() -> (Scene, ConversationId, UserId, UserId) {
    let scene = Scene::with(&SERVICES).await;
    let (alice, bob) = (scene.person("alice").await, scene.person("bob").await);
    let room = scene.group(alice, &[bob]).await;
    (scene, room, alice, bob)
}

async fn mark(scene: &Scene, user: UserId, conversation: ConversationId, seq: Seq) -> ReadState {
    scene.rpc.call(&MarkRead { user, conversation, seq }).await.unwrap()
}

#[tokio::test]
async fn a_read_mark_moves_forward_only_and_not_past_the_head() {
    let (scene, room, alice, bob) = pair().await;
    let mut seqs = Vec::new();
    for n in 0..4 {
        seqs.push(scene.post(bob, room, &n.to_string()).await);
    }
    assert_eq!(mark(&scene, alice, room, 0).await, ReadState { seq: 0, unread: 4 });
    assert_eq!(mark(&scene, alice, room, seqs[1]).await, ReadState { seq: seqs[1], unread: 2 });
    assert_eq!(mark(&scene, alice, room, seqs[0]).await, ReadState { seq: seqs[1], unread: 2 });
    assert_eq!(mark(&scene, alice, room, Seq::MAX).await, ReadState { seq: seqs[3], unread: 0 });
    let next = scene.post(bob, room, "next").await;
    assert_eq!(mark(&scene, alice, room, 0).await, ReadState { seq: seqs[3], unread: 1 });
    assert_eq!(mark(&scene, bob, room, 0).await, ReadState { seq: next, unread: 0 });
}

#[tokio::test]
async fn only_members_have_a_read_mark() {
    let (scene, room, _, _) = pair().await;
    let carol = scene.person("carol").await;
    let ask = MarkRead { user: carol, conversation: room, seq: 1 };
    assert_eq!(scene.rpc.call(&ask).await.unwrap_err().code, Code::NotFound);
}

#[tokio::test]
async fn every_device_hears_of_a_mark() {
    let (scene, room, alice, bob) = pair().await;
    let seq = scene.post(bob, room, "read me").await;
    mark(&scene, alice, room, seq).await;
    mark(&scene, alice, room, seq).await;
    let told = scene.stored(topology::READS).await;
    assert_eq!(told.len(), 1);
    assert_eq!(told[0].subject.as_str(), subject::reads(partition(room), room, alice));
    let heard: ReadMark = postcard::from_bytes(&told[0].payload).unwrap();
    assert_eq!((heard.conversation, heard.user, heard.seq), (room, alice, seq));
}

#[tokio::test]
async fn unread_is_counted_to_a_hundred_and_deleted_messages_do_not_count() {
    let (mut scene, room, alice, bob) = pair().await;
    let mut seqs = Vec::new();
    for n in 0..limits::UNREAD + 20 {
        seqs.push(scene.post(bob, room, &n.to_string()).await);
    }
    for persisted in [false, true] {
        if persisted {
            scene.settle(&SERVICES).await;
        }
        assert_eq!(mark(&scene, alice, room, 0).await.unread, limits::UNREAD);
    }
    // Rows below the floor, deleted above it.
    for target in &seqs[..50] {
        scene.say(bob, room, Kind::Deleted { target: *target }).await;
    }
    assert_eq!(mark(&scene, alice, room, 0).await.unread, 70);
    scene.settle(&SERVICES).await;
    assert_eq!(mark(&scene, alice, room, 0).await.unread, 70);
}

#[tokio::test]
async fn a_send_moves_the_senders_own_mark_before_it_is_stored() {
    let (mut scene, room, alice, bob) = pair().await;
    scene.post(bob, room, "hello").await;
    let own = scene.post(alice, room, "hello yourself").await;
    for persisted in [false, true] {
        if persisted {
            scene.settle(&SERVICES).await;
        }
        let view = scene.rpc.call(&GetConversation { user: alice, conversation: room }).await.unwrap();
        assert_eq!((view.read, view.unread), (own, 0));
        let read = view.participants.unwrap().iter().find(|p| p.user == alice).unwrap().read;
        assert_eq!(read, own);
        assert_eq!(mark(&scene, alice, room, 0).await, ReadState { seq: own, unread: 0 });
    }
}
