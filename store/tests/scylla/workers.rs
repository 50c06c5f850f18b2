use std::sync::Arc;

use futures_util::future::join_all;
use natter_schemas::{
    event::{Kind, LogEntry, Role},
    id::{EventId, Seq, UserId},
    rpc::Window,
};
use natter_store::{
    ConversationStore, EventStore, MemberStore, MessageStore, Store, StoreError,
    conformance::fixtures::{SampleLog, posted},
};

use super::fixtures::{fold, long, open};

#[tokio::test(flavor = "multi_thread")]
async fn two_workers_with_batches_of_one_conversation_agree_on_its_rows() {
    let workers = [Arc::new(open().await), Arc::new(open().await)];
    let mut sample = long(2, 300);
    let users: Vec<UserId> = (0..40).map(|_| UserId::fresh()).collect();
    for user in &users {
        sample.add(sample.owner, Kind::MemberAdded { user: *user, role: Role::Member });
        sample.add(*user, posted("hello"));
    }
    for user in &users[..15] {
        sample.add(*user, Kind::MemberRemoved { user: *user });
    }
    // Every event twice, by both, at the same time.
    let jobs = workers.iter().flat_map(|worker| sample.log.chunks(50).map(move |batch| (worker, batch)));
    let partition = sample.partition;
    let persisted = join_all(jobs.map(|(worker, batch)| worker.persist(partition, batch))).await;
    assert!(persisted.into_iter().all(|result| result.is_ok()));

    let store = open().await;
    assert_eq!(store.events_from(sample.id, 0, Seq::MAX, usize::MAX).await.unwrap(), sample.log);
    let messages = store.messages(sample.id, Window::Newest, Seq::MAX, usize::MAX).await.unwrap();
    assert_eq!(messages, fold(&sample.log));
    let row = store.conversation(sample.id).await.unwrap().unwrap();
    assert_eq!((row.members, row.head), (26, sample.log.last().unwrap().seq));
    assert_eq!(store.members(sample.id).await.unwrap().len(), 26);
}

async fn refuses(store: &dyn Store, sample: &SampleLog, strangers: &[LogEntry]) {
    let refused = store.persist(sample.partition, strangers).await;
    assert!(matches!(refused, Err(StoreError::Corrupt(_))), "{refused:?}");
    assert_eq!(store.events_from(sample.id, 0, Seq::MAX, usize::MAX).await.unwrap(), sample.log);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_log_that_begins_again_at_known_seqs_is_refused_by_every_worker() {
    let (old, idle) = (open().await, open().await);
    let sample = long(1, 100);
    // It has seen the partition, and none of these events.
    idle.persist(sample.partition, &sample.log[..1]).await.unwrap();
    sample.persist(&old).await;
    let mut restarted = sample.log.clone();
    for logged in &mut restarted {
        logged.event.id = EventId::fresh();
    }
    let started_since = open().await;
    refuses(&old, &sample, &restarted[50..]).await;
    refuses(&started_since, &sample, &restarted[50..]).await;
    refuses(&idle, &sample, &restarted).await;
    // A message where there was a change, and the other way round.
    let (first, second) = (sample.log[1].seq, sample.log[1..].iter().find(|l| !is_message(l)).unwrap().seq);
    let mut other = LogEntry { seq: first, ..sample.log[0].clone() };
    other.event.kind = Kind::Renamed { name: "other".to_owned() };
    refuses(&old, &sample, &[other.clone()]).await;
    (other.seq, other.event.kind) = (second, posted("other"));
    refuses(&old, &sample, &[other]).await;
}

fn is_message(logged: &LogEntry) -> bool {
    matches!(logged.event.kind, Kind::Posted { .. })
}

#[tokio::test(flavor = "multi_thread")]
async fn one_seq_with_two_events_in_a_batch_is_refused() {
    let store = open().await;
    let mut sample = SampleLog::of(&[]);
    sample.add(sample.owner, posted("one"));
    let mut other = sample.log[1].clone();
    other.event.id = EventId::fresh();
    let batch = [sample.log[0].clone(), sample.log[1].clone(), other];
    let refused = store.persist(sample.partition, &batch).await;
    assert!(matches!(refused, Err(StoreError::Corrupt(_))), "{refused:?}");
    assert!(store.events_from(sample.id, 0, Seq::MAX, 10).await.unwrap().is_empty());
}
