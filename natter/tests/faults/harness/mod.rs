//! The program as a child process, and an independent client of it.

mod program; // natter itself: settings in, addresses out
mod socket; // a WebSocket that keeps what it heard
mod user; // an account, its calls and its sockets

use std::time::Duration;

pub use program::{Natter, alive, command};
pub use socket::{Heard, Socket, chain, say, seq, upgrade};
pub use user::{Answer, Room, User};

/// Longer than anything here takes on two busy cores.
pub const PATIENCE: Duration = Duration::from_secs(40);
const LOOK: Duration = Duration::from_millis(20);

/// Waits for a condition.
pub async fn until(what: &str, mut holds: impl AsyncFnMut() -> bool) {
    let waited = tokio::time::timeout(PATIENCE, async {
        while !holds().await {
            tokio::time::sleep(LOOK).await;
        }
    });
    assert!(waited.await.is_ok(), "{what}: not so after {PATIENCE:?}");
}
