use std::sync::Arc;

use futures_util::future::join_all;
use natter_schemas::{
    event::{Kind, LogEntry, Role},
    id::{EventId, Seq, UserId},
    rpc::Window,
};
use natter_store::{
    ConversationStore, EventStore, MemberStore, MessageStore, Store, StoreError,
    conformance::scene::{Room, posted},
};

use super::scene::{fold, long, open};

#[tokio::test(flavor = "multi_thread")]
async fn two_workers_with_batches_of_one_conversation_at_once_leave_the_fold_of_its_log() {
    let workers = [Arc::new(open().await), Arc::new(open().await)];
    let mut room = long(2, 300);
    let people: Vec<UserId> = (0..40).map(|_| UserId::fresh()).collect();
    for user in &people {
        room.add(room.owner, Kind::MemberAdded { user: *user, role: Role::Member });
        room.add(*user, posted("hello"));
    }
    for user in &people[..15] {
        room.add(*user, Kind::MemberRemoved { user: *user });
    }
    // Every event twice, by both, at the same time.
    let jobs = workers.iter().flat_map(|worker| room.log.chunks(50).map(move |batch| (worker, batch)));
    let partition = room.partition;
    let persisted = join_all(jobs.map(|(worker, batch)| worker.persist(partition, batch))).await;
    assert!(persisted.into_iter().all(|result| result.is_ok()));

    let store = open().await;
    assert_eq!(store.events_from(room.id, 0, Seq::MAX, usize::MAX).await.unwrap(), room.log);
    let messages = store.messages(room.id, Window::Newest, Seq::MAX, usize::MAX).await.unwrap();
    assert_eq!(messages, fold(&room.log));
    let row = store.conversation(room.id).await.unwrap().unwrap();
    assert_eq!((row.members, row.head), (26, room.log.last().unwrap().seq));
    assert_eq!(store.members(room.id).await.unwrap().len(), 26);
}

async fn refuses(store: &dyn Store, room: &Room, strangers: &[LogEntry]) {
    let refused = store.persist(room.partition, strangers).await;
    assert!(matches!(refused, Err(StoreError::Corrupt(_))), "{refused:?}");
    assert_eq!(store.events_from(room.id, 0, Seq::MAX, usize::MAX).await.unwrap(), room.log);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_log_that_begins_anew_at_known_seqs_is_refused_by_every_worker() {
    let (old, idle) = (open().await, open().await);
    let room = long(1, 100);
    // It has seen the partition, and none of these events.
    idle.persist(room.partition, &room.log[..1]).await.unwrap();
    room.persist(&old).await;
    let mut anew = room.log.clone();
    for logged in &mut anew {
        logged.event.id = EventId::fresh();
    }
    let started_since = open().await;
    refuses(&old, &room, &anew[50..]).await;
    refuses(&started_since, &room, &anew[50..]).await;
    refuses(&idle, &room, &anew).await;
    // A message where there was a change, and the other way round.
    let (first, second) = (room.log[1].seq, room.log[1..].iter().find(|l| !is_message(l)).unwrap().seq);
    let mut other = LogEntry { seq: first, ..room.log[0].clone() };
    other.event.kind = Kind::Renamed { name: "other".to_owned() };
    refuses(&old, &room, &[other.clone()]).await;
    (other.seq, other.event.kind) = (second, posted("other"));
    refuses(&old, &room, &[other]).await;
}

fn is_message(logged: &LogEntry) -> bool {
    matches!(logged.event.kind, Kind::Posted { .. })
}

#[tokio::test(flavor = "multi_thread")]
async fn one_seq_with_two_events_in_a_batch_is_refused() {
    let store = open().await;
    let mut room = Room::of(&[]);
    room.add(room.owner, posted("one"));
    let mut other = room.log[1].clone();
    other.event.id = EventId::fresh();
    let batch = [room.log[0].clone(), room.log[1].clone(), other];
    let refused = store.persist(room.partition, &batch).await;
    assert!(matches!(refused, Err(StoreError::Corrupt(_))), "{refused:?}");
    assert!(store.events_from(room.id, 0, Seq::MAX, 10).await.unwrap().is_empty());
}
