//! The log becomes rows, whatever happens on the way.

use crate::harness::{Harness, PARTITIONS, event, partition, posted};
use natter_nats::{header as headers, subject, topology};
use natter_schemas::{
    event::{Kind, LogEntry, Role, Shape},
    id::{ConversationId, Partition, Seq},
    rpc::{Control, Membership, Window},
};
use natter_store::{ConversationStore, EventStore, MemberStore, MessageStore};
use natter_testkit::until_some;
use natter_workers::Job;

async fn stored(harness: &Harness, room: ConversationId) -> Vec<Seq> {
    let messages = harness.store.messages(room, Window::Newest, Seq::MAX, 1_000).await.unwrap_or_default();
    messages.iter().map(|message| message.seq).collect()
}

async fn floors_reach_the_end(harness: &Harness) {
    until_some("everything is acked", || async {
        let last = harness.dependencies.log.last_seqs().await.unwrap();
        let floors = harness.dependencies.log.floors().await.unwrap();
        floors.iter().zip(&last).all(|(floor, last)| floor >= last).then_some(())
    })
    .await;
}

#[tokio::test]
async fn an_undecodable_event_is_parked_and_the_rest_goes_on() {
    let harness = Harness::with(&[Job::Persist, Job::Conversations]).await;
    let (alice, bob) = (harness.person("alice").await, harness.person("bob").await);
    let room = harness.group(alice, &[bob]).await;
    let p = partition(room);
    let other = Partition((p.0 + 1) % PARTITIONS);

    let first = harness.post(alice, room, "before").await;
    let publisher = &harness.dependencies.publisher;
    let noise = bytes::Bytes::from_static(b"\x01not an event");
    let poison = publisher.publish(subject::conv(p, room), "poison", noise.clone()).await.unwrap().seq;
    // An event under the subject of another conversation, and one in a partition that is not its own.
    let stray = natter_schemas::codec::encode(&event(alice, room, posted("stray")));
    let wrong = subject::conv(p, ConversationId::fresh());
    publisher.publish(wrong, "stray", stray.clone().into()).await.unwrap();
    publisher.publish(subject::conv(other, room), "abroad", stray.into()).await.unwrap();
    let last = harness.post(alice, room, "after").await;

    floors_reach_the_end(&harness).await;
    assert_eq!(stored(&harness, room).await, [first, last]);
    let parked = harness.stored(topology::PARKED).await;
    assert_eq!(parked.len(), 3);
    let poisoned = parked.iter().find(|message| message.payload == noise).unwrap();
    let header = |name| poisoned.headers.get(name).unwrap().as_str();
    assert_eq!(header(headers::PARKED_SEQ), poison.to_string());
    assert_eq!(header(headers::PARKED_SUBJECT), subject::conv(p, room));
    assert!(header(headers::PARKED_REASON).contains("not an event"), "{}", header(headers::PARKED_REASON));
    assert_eq!(poisoned.subject.as_str(), subject::parked("persist", p));
}

#[tokio::test]
async fn a_store_that_fails_for_a_while_loses_nothing() {
    let harness = Harness::with(&[Job::Persist, Job::Conversations]).await;
    let (alice, bob) = (harness.person("alice").await, harness.person("bob").await);
    let room = harness.group(alice, &[bob]).await;
    let mut seqs = vec![harness.post(alice, room, "before").await];
    floors_reach_the_end(&harness).await;

    harness.store.set_away(true);
    for n in 0..200 {
        seqs.push(harness.post(alice, room, &format!("while it is away {n}")).await);
    }
    let failures = harness.store.failures();
    until_some("it was tried more than once", || async {
        (harness.store.failures() > failures + 3).then_some(())
    })
    .await;
    let floor = harness.dependencies.log.floors().await.unwrap()[usize::from(partition(room).0)];
    assert!(floor < seqs[1], "nothing is acked that is not stored");

    harness.store.set_away(false);
    seqs.push(harness.post(alice, room, "after").await);
    floors_reach_the_end(&harness).await;
    assert_eq!(stored(&harness, room).await, seqs);
    assert!(harness.stored(topology::PARKED).await.is_empty());
}

#[tokio::test]
async fn a_server_that_is_killed_and_comes_back_is_followed_again() {
    let harness = Harness::with(&[Job::Persist, Job::Conversations]).await;
    let (alice, bob) = (harness.person("alice").await, harness.person("bob").await);
    let room = harness.group(alice, &[bob]).await;
    let mut seqs = Vec::new();
    for round in 0..3 {
        for n in 0..20 {
            seqs.push(harness.post(alice, room, &format!("{round}.{n}")).await);
        }
        harness.server.restart().await;
    }
    until_some("all messages are stored", || async {
        (stored(&harness, room).await.len() == seqs.len()).then_some(())
    })
    .await;
    assert_eq!(stored(&harness, room).await, seqs);
}

#[tokio::test]
async fn two_workers_on_one_log_store_everything_once_and_either_may_stop() {
    let mut harness = Harness::with(&[Job::Persist, Job::Conversations]).await;
    let (alice, bob) = (harness.person("alice").await, harness.person("bob").await);
    let room = harness.group(alice, &[bob]).await;
    harness.start(&[Job::Persist]).await;
    let mut seqs = Vec::new();
    for n in 0..100 {
        seqs.push(harness.post(alice, room, &n.to_string()).await);
    }
    harness.stop().await;
    for n in 0..100 {
        seqs.push(harness.post(bob, room, &n.to_string()).await);
    }
    harness.start(&[Job::Persist]).await;
    floors_reach_the_end(&harness).await;
    assert_eq!(stored(&harness, room).await, seqs);
}

#[tokio::test]
async fn a_crash_between_publish_and_store_heals() {
    let harness = Harness::with(&[]).await;
    let (alice, bob) = (harness.person("alice").await, harness.person("bob").await);
    // What a service leaves behind that dies right after its publish.
    let room = ConversationId::fresh();
    let members = [(alice, Role::Owner), (bob, Role::Member)];
    let members = members.map(|(user, role)| natter_schemas::event::Member { user, role }).to_vec();
    let created = event(alice, room, Kind::Created { shape: Shape::Group, name: None, members });
    let seq = harness.publish(&created).await;
    assert!(harness.store.conversation(room).await.unwrap().is_none());

    harness.start(&[Job::Persist]).await;
    floors_reach_the_end(&harness).await;
    let membership = harness.store.membership(room, bob).await.unwrap().unwrap();
    assert_eq!(membership.role, Some(Role::Member));
    let published = harness.stored(topology::CONTROL).await;
    let mut subjects: Vec<_> = published.iter().map(|message| message.subject.to_string()).collect();
    subjects.sort();
    let mut expected = [subject::control_user(alice), subject::control_user(bob)];
    expected.sort();
    assert_eq!(subjects, expected);
    let to_bob =
        published.iter().find(|message| message.subject.as_str() == subject::control_user(bob)).unwrap();
    let expected =
        Membership { conversation: room, shape: Shape::Group, role: Some(Role::Member), version: seq };
    assert_eq!(postcard::from_bytes::<Control>(&to_bob.payload), Ok(Control::Membership(expected)));

    // The service and the persister both announce it; whoever listens receives it once.
    natter_workers::control::notify_members(
        &*harness.dependencies.store,
        &harness.dependencies.publisher,
        &LogEntry { seq, event: created },
    )
    .await
    .unwrap();
    assert_eq!(harness.stored(topology::CONTROL).await.len(), 2);
}

#[tokio::test]
async fn an_event_the_store_refuses_again_and_again_is_parked_and_the_rest_goes_on() {
    let harness = Harness::with(&[Job::Persist, Job::Conversations]).await;
    let (alice, bob) = (harness.person("alice").await, harness.person("bob").await);
    let room = harness.group(alice, &[bob]).await;
    let p = partition(room);
    let first = harness.post(alice, room, "before").await;
    floors_reach_the_end(&harness).await;
    // Where the next event belongs lies another one, as in the store of another deployment.
    let taken = first + 1;
    let squatter = LogEntry { seq: taken, event: event(bob, room, posted("squatter")) };
    harness.store.persist(p, &[squatter]).await.unwrap();

    assert_eq!(harness.post(alice, room, "refused").await, taken);
    let last = until_some("it is parked, since others are taken", || async {
        let last = harness.post(alice, room, "after").await;
        (!harness.stored(topology::PARKED).await.is_empty()).then_some(last)
    })
    .await;
    floors_reach_the_end(&harness).await;
    let expected: Vec<Seq> = (first..=last).collect();
    assert_eq!(stored(&harness, room).await, expected);
    let parked = harness.stored(topology::PARKED).await;
    assert_eq!(parked.len(), 1);
    let header = |name| parked[0].headers.get(name).unwrap().as_str();
    assert_eq!(header(headers::PARKED_SEQ), taken.to_string());
    assert!(header(headers::PARKED_REASON).contains("in the log"), "{}", header(headers::PARKED_REASON));
}
