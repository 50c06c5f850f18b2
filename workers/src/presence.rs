//! The presence sweep: sessions whose heartbeats stopped expire here, and users who are offline by that are published to all edges.
//! Any number of workers may sweep; the shared state gives each change to one of them.

use std::{sync::Arc, time::Duration};

use natter_nats::{async_nats::Client, message, subject};
use natter_runtime::shared_state::{Heartbeat, SharedState};
use natter_schemas::{
    id::{SessionId, UserId},
    rpc::PresenceChange,
};
use tokio::time::{MissedTickBehavior, interval};
use tokio_util::sync::CancellationToken;
use tracing::warn;

/// With a TTL of 45 s the dead are offline after 47 s at most.
const EVERY: Duration = Duration::from_secs(2);
/// Users taken offline in one round trip; more are taken at once after it.
const LIMIT: usize = 1_000;

pub async fn sweep(shared: Arc<dyn SharedState>, bus: Client, stop: CancellationToken) {
    let mut ticks = interval(EVERY);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let mut was_down = false;
    while stop.run_until_cancelled(ticks.tick()).await.is_some() {
        loop {
            let gone = match shared.sweep(LIMIT).await {
                Ok(gone) => gone,
                Err(down) => {
                    if !was_down {
                        warn!(error = %down, "shared state away: expired sessions stay online until it is back");
                    }
                    was_down = true;
                    break;
                }
            };
            was_down = false;
            let more = gone.len() == LIMIT;
            for change in gone {
                publish(&bus, &change).await;
            }
            if !more {
                break;
            }
        }
    }
}

/// Ends the heartbeats that a session sent without a socket; its sockets end theirs.
pub async fn end_session(shared: &dyn SharedState, bus: &Client, user: UserId, session: SessionId) {
    match shared.leave(&Heartbeat::without_socket(user, session)).await {
        Ok(Some(change)) => publish(bus, &change).await,
        Ok(None) => {}
        Err(error) => {
            warn!(%error, %user, "end of a session not written; it stays online for one TTL at most");
        }
    }
}

async fn publish(bus: &Client, change: &PresenceChange) {
    if let Err(error) = message::send(bus, subject::presence(change.user), change).await {
        warn!(%error, user = %change.user, "offline presence not published; edges show the user online until their next look-up");
    }
}
