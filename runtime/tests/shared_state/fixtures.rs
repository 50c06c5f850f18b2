use std::{sync::Arc, time::Duration};

use natter_runtime::shared_state::{Heartbeat, Presence, Redis, SharedState};
use natter_schemas::{id::UserId, rpc::PresenceChange};
use natter_testkit::until_some;

pub type State = Arc<dyn SharedState>;

/// For a busy test machine: only the tests about time-outs use the real one.
const TIMEOUT: Duration = Duration::from_secs(5);
/// Long against the 20 ms between sweeps here, short against a test.
pub const TTL: Duration = Duration::from_millis(500);
/// A TTL that no test outlives.
pub const LONG: Duration = Duration::from_mins(5);
pub const MANY: usize = 1_000;

pub async fn connected(server: &natter_testkit::Redis) -> Redis {
    Redis::connect(&server.url()).await.expect("redis is up").with_timeout(TIMEOUT)
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
    until_some("a user to go offline", async || {
        let gone = state.sweep(MANY).await.ok()?;
        (!gone.is_empty()).then_some(gone)
    })
    .await
}
