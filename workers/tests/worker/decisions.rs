//! What only workers decide, said by someone else: an edge's NATS user publishes into the same logs.

use crate::harness::{Harness, event, partition};
use natter_nats::{
    apply,
    async_nats::{HeaderMap, jetstream},
    event_log::EventLog,
    header as headers,
    log::{Decisions, LogReader, StoredMessage},
    topology,
};
use natter_schemas::{
    code::Code,
    codec,
    event::{Kind, Role},
    id::{ConversationId, EventId, Seq, UserId},
    rpc::{AddMembers, GetConversation, RemoveMember},
};
use natter_store::MemberStore;
use natter_testkit::until;
use natter_workers::{Dependencies, Job};

const SERVICES: [Job; 2] = [Job::Conversations, Job::History];

/// Three people, and a group of the first two. Only proven decisions count.
async fn judging(jobs: &[Job], accepts_unproven: bool) -> (Harness, ConversationId, [UserId; 3]) {
    let mut harness = Harness::with(&[]).await;
    let js = harness.server.js().await;
    let key = apply::decision_key(&js).await.unwrap();
    let partitions = harness.dependencies.deployment.partitions;
    harness.dependencies.log = LogReader::new(js, partitions).judging(Decisions { key, accepts_unproven });
    harness.start(jobs).await;
    let [alice, bob, mallory] =
        [harness.person("alice").await, harness.person("bob").await, harness.person("mallory").await];
    let room = harness.group(alice, &[bob]).await;
    (harness, room, [alice, bob, mallory])
}

async fn sees(harness: &Harness, user: UserId, conversation: ConversationId) -> bool {
    match harness.rpc.call(&GetConversation { user, conversation }).await {
        Ok(_) => true,
        Err(refused) => {
            assert_eq!(refused.code, Code::NotFound, "{refused:?}");
            false
        }
    }
}

async fn members(harness: &Harness, room: ConversationId) -> usize {
    harness.store.members(room).await.unwrap().len()
}

async fn add(harness: &Harness, by: UserId, conversation: ConversationId, users: &[UserId]) {
    let call = AddMembers { by, conversation, users: users.to_vec(), traceparent: None };
    harness.rpc.call(&call).await.unwrap();
}

async fn remove(harness: &Harness, by: UserId, conversation: ConversationId, user: UserId) {
    harness.rpc.call(&RemoveMember { by, conversation, user, traceparent: None }).await.unwrap();
}

async fn logged(harness: &Harness, room: ConversationId, seq: Seq) -> StoredMessage {
    harness.dependencies.log.stored_at(partition(room), seq).await.unwrap().unwrap()
}

/// As someone does who has received it: the same bytes, under an id that the log does not know.
async fn publish_again(harness: &Harness, received: &StoredMessage) -> Seq {
    let mut header = HeaderMap::new();
    header.insert(headers::DECISION, received.headers.get(headers::DECISION).unwrap().as_str());
    let id = EventId::fresh().to_string();
    let message = jetstream::message::PublishMessage::build()
        .headers(header)
        .payload(received.payload.clone())
        .message_id(id);
    let js = harness.server.js().await;
    js.send_publish(received.subject.clone(), message).await.unwrap().await.unwrap().sequence
}

async fn parked(harness: &Harness) -> Vec<String> {
    let reason = |message: &jetstream::message::StreamMessage| {
        message.headers.get(headers::PARKED_REASON).unwrap().as_str().to_owned()
    };
    harness.stored(topology::PARKED).await.iter().map(reason).collect()
}

async fn persisted(harness: &Harness) {
    until("everything is acked", async || {
        let last = harness.dependencies.log.last_seqs().await.unwrap();
        let floors = harness.dependencies.log.floors().await.unwrap();
        floors.iter().zip(&last).all(|(floor, last)| floor >= last)
    })
    .await;
}

#[tokio::test]
async fn who_writes_themselves_into_a_conversation_is_not_in_it() {
    let (mut harness, room, [alice, _, mallory]) = judging(&SERVICES, false).await;
    harness.say(alice, room, Kind::MemberAdded { user: mallory, role: Role::Owner }).await;
    harness.say(mallory, room, Kind::RoleChanged { user: mallory, role: Role::Owner }).await;
    assert!(!sees(&harness, mallory, room).await, "by the log");
    harness.start(&[Job::Persist]).await;
    persisted(&harness).await;
    assert!(!sees(&harness, mallory, room).await, "by the store");
    assert_eq!(members(&harness, room).await, 2);
    assert_eq!(parked(&harness).await, ["no worker decided it"; 2]);
    // Others go on, and what workers decide counts.
    let said = harness.post(alice, room, "hello").await;
    add(&harness, alice, room, &[mallory]).await;
    persisted(&harness).await;
    assert!(sees(&harness, mallory, room).await && said > 0);
    harness.stop().await;
}

#[tokio::test]
async fn a_decision_that_is_published_a_second_time_does_not_count() {
    let (harness, room, [alice, bob, carol]) =
        judging(&[Job::Conversations, Job::History, Job::Persist], false).await;
    let dave = harness.person("dave").await;
    // Of several that were decided together, and of one.
    add(&harness, alice, room, &[carol, dave]).await;
    let head = harness.dependencies.log.from(room, 0, 10).await.unwrap();
    let received: Vec<StoredMessage> =
        futures_util::future::join_all(head.iter().map(|raw| logged(&harness, room, raw.seq))).await;
    for user in [bob, carol, dave] {
        remove(&harness, alice, room, user).await;
    }
    for again in &received {
        publish_again(&harness, again).await;
    }
    for user in [bob, carol, dave] {
        assert!(!sees(&harness, user, room).await, "by the log");
    }
    persisted(&harness).await;
    for user in [bob, carol, dave] {
        assert!(!sees(&harness, user, room).await, "by the store");
    }
    assert_eq!(members(&harness, room).await, 1);
    assert_eq!(parked(&harness).await.len(), received.len());
}

/// Of a worker that ends before it has stored them.
#[tokio::test]
async fn what_workers_decide_counts_though_only_the_log_has_it() {
    let (mut harness, room, [alice, bob, carol]) = judging(&SERVICES, false).await;
    let dave = harness.person("dave").await;
    let Dependencies { publisher, deployment, clock, trace, decision_key, .. } = harness.dependencies.clone();
    let log = EventLog::new(publisher, deployment.partitions, clock, trace).deciding(decision_key);
    let newest = async || harness.dependencies.log.heads(&[room]).await.unwrap()[&room];
    let added = [carol, dave].map(|user| event(alice, room, Kind::MemberAdded { user, role: Role::Member }));
    log.decide_after(newest().await, 0, added.to_vec()).await.unwrap();
    harness.post(alice, room, "hello").await;
    let promoted = event(alice, room, Kind::RoleChanged { user: bob, role: Role::Admin });
    log.decide_after(newest().await, 0, vec![promoted]).await.unwrap();
    for user in [carol, dave] {
        assert!(sees(&harness, user, room).await, "by the log");
    }
    harness.start(&[Job::Persist]).await;
    persisted(&harness).await;
    assert_eq!(members(&harness, room).await, 4);
    assert!(parked(&harness).await.is_empty());
    harness.stop().await;
}

#[tokio::test]
async fn while_workers_of_before_run_decisions_without_a_proof_count() {
    let (harness, room, [alice, _, carol]) =
        judging(&[Job::Conversations, Job::History, Job::Persist], true).await;
    harness.say(alice, room, Kind::MemberAdded { user: carol, role: Role::Member }).await;
    assert!(sees(&harness, carol, room).await);
    persisted(&harness).await;
    assert!(sees(&harness, carol, room).await && parked(&harness).await.is_empty());
    // A proof that is there has to hold.
    let mut forged = logged(&harness, room, harness.post(alice, room, "x").await).await;
    forged.payload = codec::encode(&event(alice, room, Kind::MemberRemoved { user: carol })).into();
    forged.headers.insert(headers::DECISION, format!("0.1.{}", "0".repeat(64)).as_str());
    publish_again(&harness, &forged).await;
    persisted(&harness).await;
    assert!(sees(&harness, carol, room).await);
    assert_eq!(parked(&harness).await.len(), 1);
}
