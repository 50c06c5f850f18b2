use std::{sync::Arc, time::Duration};

use natter_runtime::shared_state::{Heartbeat, Presence, SharedState};
use natter_schemas::{id::UserId, rpc::PresenceChange};
use tokio::time::{Instant, sleep};

pub type State = Arc<dyn SharedState>;

const TIMEOUT: Duration = Duration::from_secs(30);
/// Long against the 20 ms between sweeps here, short against a test.
pub const TTL: Duration = Duration::from_millis(500);
/// A TTL that no test outlives.
pub const LONG: Duration = Duration::from_mins(5);
pub const MANY: usize = 1_000;

/// Waits for a condition, not for a time.
pub async fn until<T>(what: &str, mut holds: impl AsyncFnMut() -> Option<T>) -> T {
    let deadline = Instant::now() + TIMEOUT;
    loop {
        if let Some(value) = holds().await {
            return value;
        }
        assert!(Instant::now() < deadline, "waited in vain: {what}");
        sleep(Duration::from_millis(10)).await;
    }
}

pub fn device(user: UserId, session: &str) -> Heartbeat {
    Heartbeat { user, session: session.to_owned() }
}

pub fn users(count: usize) -> Vec<UserId> {
    (0..count).map(|_| UserId::fresh()).collect()
}

/// One device of each.
pub fn devices(users: &[UserId]) -> Vec<Heartbeat> {
    users.iter().map(|user| device(*user, "phone")).collect()
}

pub async fn of(state: &State, user: UserId) -> Presence {
    state.presence(&[user]).await.expect("answers")[0]
}

/// Sweeps until a user goes offline.
pub async fn swept(state: &State) -> Vec<PresenceChange> {
    until("a user to go offline", async || {
        let gone = state.sweep(MANY).await.ok()?;
        (!gone.is_empty()).then_some(gone)
    })
    .await
}
