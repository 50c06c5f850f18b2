//! A deployment as child processes, and independent clients of it.

mod cluster; // the deployment
mod device; // a WebSocket that keeps what it heard
mod process; // a child that never outlives its parent
mod user; // an account, its calls and its rooms

use std::time::Duration;

pub use cluster::{Cluster, TTL, shared};
pub use device::{Device, chain, kind, seq};
pub use process::{Home, Process};
pub use user::{Room, User, text};

/// Longer than anything here takes on two busy cores.
pub const PATIENCE: Duration = Duration::from_secs(30);
pub const LOOK: Duration = Duration::from_millis(20);

/// Waits for a condition.
pub async fn until(what: &str, mut holds: impl AsyncFnMut() -> bool) {
    let waited = tokio::time::timeout(PATIENCE, async {
        while !holds().await {
            tokio::time::sleep(LOOK).await;
        }
    });
    assert!(waited.await.is_ok(), "{what}: not so after {PATIENCE:?}");
}
