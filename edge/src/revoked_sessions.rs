//! Sessions that have ended while access tokens of theirs are still valid.

use moka::future::Cache;
use natter_schemas::{id::SessionId, limits};

/// 16 B each; sessions end far less often than this per hour.
const CAPACITY: u64 = 1_000_000;

pub struct RevokedSessions(Cache<SessionId, ()>);

impl Default for RevokedSessions {
    fn default() -> Self {
        // Access tokens of an ended session have expired when this forgets it.
        Self(Cache::builder().max_capacity(CAPACITY).time_to_live(limits::CONTROL_AGE).build())
    }
}

impl RevokedSessions {
    pub async fn insert(&self, session: SessionId) {
        self.0.insert(session, ()).await;
    }

    /// The same for whoever cannot wait.
    pub fn contains_now(&self, session: SessionId) -> bool {
        self.0.contains_key(&session)
    }

    pub async fn contains(&self, session: SessionId) -> bool {
        self.0.get(&session).await.is_some()
    }
}
