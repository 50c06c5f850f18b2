use std::time::Duration;

use natter_schemas::{id::Seq, rpc::Window};
use natter_store::{
    EventStore, MessageStore, Store, StoreError,
    conformance::fixtures::{SampleLog, posted, unique_name, user},
    scylla::ScyllaStore,
};
use natter_testkit::{Cassandra, until};

use super::fixtures::{long, migrated_keyspace, open};

/// Six seconds are promised, for one request; a loaded machine may report it later.
const SAYS_SO: Duration = Duration::from_mins(1);

async fn unavailable<T>(what: &str, call: impl Future<Output = natter_store::Result<T>>) {
    match tokio::time::timeout(SAYS_SO, call).await {
        Ok(Err(StoreError::Unavailable(_))) => {}
        Ok(Err(StoreError::Corrupt(why))) => panic!("{what}: {why}"),
        Ok(Ok(_)) => panic!("{what}: answered"),
        Err(tokio::time::error::Elapsed { .. }) => panic!("{what}: neither answered nor gave up"),
    }
}

/// What fails first: history, a log-in, the persister, the health check.
async fn nothing_works(store: &dyn Store, sample: &SampleLog) {
    let anna = user(&unique_name());
    tokio::join!(
        unavailable("history", store.messages(sample.id, Window::Newest, Seq::MAX, 50)),
        unavailable("registering", store.add_user(&anna, "h")),
        unavailable("persisting", store.persist(sample.partition, &sample.log)),
        unavailable("the probe", store.ready()),
    );
}

async fn all_works(store: &dyn Store, sample: &SampleLog) {
    until("it answers", async || store.ready().await.is_ok()).await;
    until("it persists", async || store.persist(sample.partition, &sample.log).await.is_ok()).await;
    assert_eq!(store.events_from(sample.id, 0, Seq::MAX, usize::MAX).await.unwrap(), sample.log);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_cluster_that_is_paused_or_gone_is_unavailable_until_it_is_back() {
    let cassandra = Cassandra::start().await;
    let options = migrated_keyspace(&cassandra).await;
    let store = Box::pin(ScyllaStore::open(&options)).await.unwrap();
    let mut sample = long(1, 400);
    all_works(&store, &sample).await;

    cassandra.pause();
    sample.add(sample.owner, posted("while it stands still"));
    nothing_works(&store, &sample).await;
    cassandra.resume();
    all_works(&store, &sample).await;

    cassandra.kill();
    sample.add(sample.owner, posted("while it is gone"));
    nothing_works(&store, &sample).await;
    unavailable("opening", Box::pin(ScyllaStore::open(&options))).await;
    cassandra.restart().await;
    all_works(&store, &sample).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_under_way_is_finished_before_it_closes() {
    let store = open().await;
    let sample = long(1, 400);
    let (persisted, ()) =
        tokio::join!(biased; store.persist(sample.partition, &sample.log[..200]), store.close());
    // Whether it came before or after: it is not half an answer.
    if persisted.is_ok() {
        let store = open().await;
        assert_eq!(store.events_from(sample.id, 0, Seq::MAX, 500).await.unwrap(), sample.log[..200]);
    }
    unavailable("a closed store", store.ready()).await;
    unavailable("a closed store", store.message(sample.id, 1, 1)).await;
    store.close().await;
}
