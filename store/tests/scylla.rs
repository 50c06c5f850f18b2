//! The store at scale on a real Apache Cassandra: the suite every store passes, and what only a cluster can get
//! wrong.
#![allow(clippy::unwrap_used)]

use std::sync::Arc;

use store::{
    Store,
    scylla::{Options, ScyllaStore},
    testkit,
};
use tokio::sync::OnceCell;

/// One keyspace for the whole suite: every sentence makes its own people, conversations and partitions.
async fn keyspace() -> &'static Options {
    static KEYSPACE: OnceCell<Options> = OnceCell::const_new();
    KEYSPACE.get_or_init(async || testkit::shared().await.fresh_keyspace().await).await
}

async fn fresh() -> (Arc<dyn Store>, ()) {
    (Arc::new(ScyllaStore::open(keyspace().await).await.unwrap()), ())
}

store::conformance!(fresh);
