//! Waiting for a condition, never for a time: every wait has a deadline and a sentence for when it passes.

use std::time::Duration;

use tokio::time::{Instant, sleep, timeout_at};

/// Longer than anything takes on two busy cores.
pub const PATIENCE: Duration = Duration::from_mins(1);
const POLL: Duration = Duration::from_millis(10);

/// Waits until the condition holds.
///
/// # Panics
/// After [`PATIENCE`], with the sentence.
pub async fn until(what: &str, condition: impl AsyncFnMut() -> bool) {
    until_within(PATIENCE, what, condition).await;
}

/// [`until`] with a deadline of its own.
///
/// # Panics
/// After that time, with the sentence.
pub async fn until_within(patience: Duration, what: &str, mut condition: impl AsyncFnMut() -> bool) {
    let deadline = Instant::now() + patience;
    // A condition that hangs passes the deadline as well as one that stays false.
    let holds = async {
        while !condition().await {
            sleep(POLL).await;
        }
    };
    assert!(timeout_at(deadline, holds).await.is_ok(), "not within {patience:?}: {what}");
}

/// Waits until there is a value.
///
/// # Panics
/// After [`PATIENCE`], with the sentence.
pub async fn until_some<T>(what: &str, mut find: impl AsyncFnMut() -> Option<T>) -> T {
    let mut found = None;
    until(what, async || {
        found = find().await;
        found.is_some()
    })
    .await;
    found.expect("the wait ends with a value")
}
