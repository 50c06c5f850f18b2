//! Content sealed at rest, in deployments of real processes: what is on disk, what people see, and what happens without
//! keys.
#![allow(clippy::unwrap_used, clippy::missing_panics_doc)]

mod rest; // what is at rest is sealed, and nothing that is shown
mod profiles; //   also of who people are
mod keys; // without keys
mod moved; // what is sealed for another place
mod kafka; // what consumers see
mod kms; // the root is elsewhere
mod commands; // natter keys
mod audited; //   in the audit log
mod reseal; //   also over texts, and of old keys
mod revoked; // keys that are gone
mod erased; // users who are gone
mod erased_cluster; //   in the files of a cluster
mod switch; // switched on and off

use std::time::Duration;

use natter_testkit::Cluster;
use rusqlite::Connection;

/// Hands in the store.
fn store(cluster: &Cluster) -> Connection {
    let store = Connection::open(cluster.database()).unwrap();
    store.busy_timeout(Duration::from_secs(30)).unwrap();
    store
}

/// The program under test.
const NATTER: &str = env!("CARGO_BIN_EXE_natter");

/// A root of keys, as `openssl rand -hex 32` makes one.
const ROOT: &str = "8f1d2c3b4a5968778695a4b3c2d1e0f00123456789abcdeffedcba9876543210";

const SEALED: [(&str, &str); 2] = [("CHAT_ENCRYPTION_ENABLED", "true"), ("CHAT_MESSAGE_KEY", ROOT)];
