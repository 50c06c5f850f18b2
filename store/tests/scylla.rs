//! The store at scale on a real Apache Cassandra: the suite every store passes, and what only a cluster can get
//! wrong.
#![allow(clippy::unwrap_used)]

mod scylla {
    pub mod fixtures; // a keyspace, long logs, patience

    mod absence; // a cluster that stands still, is gone, is back
    mod blocks; // of workers of an earlier version
    mod buckets; // conversations over many buckets
    mod clocks; // nodes whose clocks are wrong
    mod damage; // rows that cannot be read
    mod names; // registrations that died half way
    mod workers; // several of them, and a log that is not the one they know
}

use std::sync::Arc;

use natter_store::Store;

async fn fresh() -> (Arc<dyn Store>, ()) {
    (Arc::new(scylla::fixtures::open().await), ())
}

natter_store::conformance!(fresh);
