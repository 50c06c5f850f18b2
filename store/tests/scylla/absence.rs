use std::time::Duration;

use natter_schemas::{id::Seq, rpc::Window};
use natter_store::{
    EventStore, MessageStore, Store, StoreError,
    conformance::scene::{Room, posted, user, word},
    scylla::ScyllaStore,
    testkit::Cassandra,
};

use super::scene::{long, open, until};

/// Six seconds are promised, for one request; a loaded machine may take its time to say so.
const SAYS_SO: Duration = Duration::from_mins(1);

async fn unavailable<T>(what: &str, call: impl Future<Output = natter_store::Result<T>>) {
    match tokio::time::timeout(SAYS_SO, call).await {
        Ok(Err(StoreError::Unavailable(_))) => {}
        Ok(Err(StoreError::Corrupt(why))) => panic!("{what}: {why}"),
        Ok(Ok(_)) => panic!("{what}: answered"),
        Err(tokio::time::error::Elapsed { .. }) => panic!("{what}: neither answered nor gave up"),
    }
}

/// What people notice first: history, a log-in, the persister, the probe.
async fn nothing_works(store: &dyn Store, room: &Room) {
    let anna = user(&word());
    tokio::join!(
        unavailable("history", store.messages(room.id, Window::Newest, Seq::MAX, 50)),
        unavailable("registering", store.add_user(&anna, "h")),
        unavailable("persisting", store.persist(room.partition, &room.log)),
        unavailable("the probe", store.ready()),
    );
}

async fn all_works(store: &dyn Store, room: &Room) {
    until("it answers", async || store.ready().await.is_ok()).await;
    until("it persists", async || store.persist(room.partition, &room.log).await.is_ok()).await;
    assert_eq!(store.events_from(room.id, 0, Seq::MAX, usize::MAX).await.unwrap(), room.log);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_cluster_that_stands_still_or_is_gone_is_unavailable_until_it_is_back() {
    let cassandra = Cassandra::start().await;
    let options = cassandra.fresh_keyspace().await;
    let store = Box::pin(ScyllaStore::open(&options)).await.unwrap();
    let mut room = long(1, 400);
    all_works(&store, &room).await;

    cassandra.pause();
    room.add(room.owner, posted("while it stands still"));
    nothing_works(&store, &room).await;
    cassandra.unpause();
    all_works(&store, &room).await;

    cassandra.kill();
    room.add(room.owner, posted("while it is gone"));
    nothing_works(&store, &room).await;
    unavailable("opening", Box::pin(ScyllaStore::open(&options))).await;
    cassandra.restart().await;
    all_works(&store, &room).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_under_way_is_finished_before_it_closes() {
    let store = open().await;
    let room = long(1, 400);
    let (persisted, ()) =
        tokio::join!(biased; store.persist(room.partition, &room.log[..200]), store.close());
    // Whether it came before or after: it is not half an answer.
    if persisted.is_ok() {
        let store = open().await;
        assert_eq!(store.events_from(room.id, 0, Seq::MAX, 500).await.unwrap(), room.log[..200]);
    }
    unavailable("a closed store", store.ready()).await;
    unavailable("a closed store", store.message(room.id, 1, 1)).await;
    store.close().await;
}
