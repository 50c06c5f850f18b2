//! The access tokens of users who are here: what proves to services that an edge asks for them.

use std::sync::Arc;

use moka::sync::Cache;
use natter_nats::{clock::LogClock, service::ProofSource};
use natter_schemas::id::UserId;
use parking_lot::Mutex;

use crate::{auth::Identity, revoked_sessions::RevokedSessions};

/// Users: with a token of 300 B each 60 MB, at the very worst eight times as much. Those who were not asked for longest go
/// first: a user whose token is gone is refused until it is renewed.
const USERS: u64 = 200_000;
/// Sessions of one user: more than one person has on one edge.
const SESSIONS: usize = 8;

#[derive(Clone)]
struct Held {
    identity: Identity,
    token: Arc<str>,
}

/// Kept until they expire or their session ends.
pub struct HeldTokens {
    users: Cache<UserId, Arc<[Held]>>,
    /// The one that was taken last, for calls that anyone's token proves.
    last: Mutex<Option<Held>>,
    revoked: Arc<RevokedSessions>,
    clock: LogClock,
}

impl HeldTokens {
    pub fn new(revoked: Arc<RevokedSessions>, clock: LogClock) -> Self {
        let users =
            Cache::builder().max_capacity(USERS).eviction_policy(moka::policy::EvictionPolicy::lru()).build();
        Self { users, last: Mutex::default(), revoked, clock }
    }

    /// A token that was verified.
    pub fn put(&self, identity: &Identity, token: &str) {
        let known = self.users.get(&identity.user);
        let newer = |held: &Held| held.identity.expires_at >= identity.expires_at;
        let same = |held: &Held| held.identity.session == identity.session && newer(held);
        if known.as_ref().is_some_and(|known| known.iter().any(same)) {
            return;
        }
        let held = Held { identity: *identity, token: token.into() };
        let others = known.iter().flat_map(|known| known.iter());
        let mut all: Vec<Held> = others
            .filter(|held| held.identity.session != identity.session && self.counts(held))
            .cloned()
            .collect();
        all.sort_unstable_by_key(|held| std::cmp::Reverse(held.identity.expires_at));
        all.truncate(SESSIONS - 1);
        all.push(held.clone());
        self.users.insert(identity.user, all.into());
        *self.last.lock() = Some(held);
    }

    /// Whether it still proves something.
    fn counts(&self, held: &Held) -> bool {
        !held.identity.has_expired(self.clock.now()) && !self.revoked.contains_now(held.identity.session)
    }

    /// The one that is taken longest.
    fn best<'a>(&self, held: impl IntoIterator<Item = &'a Held>) -> Option<Arc<str>> {
        let counting = held.into_iter().filter(|held| self.counts(held));
        counting.max_by_key(|held| held.identity.expires_at).map(|held| Arc::clone(&held.token))
    }
}

impl ProofSource for HeldTokens {
    fn of(&self, user: UserId) -> Option<Arc<str>> {
        self.best(self.users.get(&user)?.iter())
    }

    fn of_anyone(&self) -> Option<Arc<str>> {
        let last = self.last.lock().clone();
        if let Some(token) = self.best(&last) {
            return Some(token);
        }
        let found =
            self.users.iter().find_map(|(_, held)| held.iter().find(|held| self.counts(held)).cloned());
        let token = found.as_ref().map(|held| Arc::clone(&held.token));
        *self.last.lock() = found;
        token
    }
}

#[cfg(test)]
mod tests {
    use natter_schemas::{event::Timestamp, id::SessionId};

    use super::*;

    fn held() -> (HeldTokens, i64) {
        let now = Timestamp::now().0 / 1000;
        (HeldTokens::new(Arc::default(), LogClock::own()), now)
    }

    fn identity(user: UserId, expires_at: i64) -> Identity {
        Identity { user, session: SessionId::fresh(), expires_at }
    }

    #[tokio::test]
    async fn a_user_is_proven_by_a_token_that_still_counts() {
        let (tokens, now) = held();
        let (alice, bob) = (UserId::fresh(), UserId::fresh());
        let (expired, good, longer) =
            (identity(alice, now - 60), identity(alice, now + 60), identity(alice, now + 90));
        tokens.put(&expired, "expired");
        assert_eq!((tokens.of(alice), tokens.of_anyone()), (None, None));
        tokens.put(&good, "good");
        tokens.put(&longer, "longer");
        assert_eq!(tokens.of(alice).as_deref(), Some("longer"));
        assert_eq!(tokens.of(bob), None);
        // Renewed in its session, and that session ended.
        tokens.put(&Identity { expires_at: now + 120, ..longer }, "renewed");
        assert_eq!(tokens.of_anyone().as_deref(), Some("renewed"));
        tokens.revoked.insert(longer.session).await;
        assert_eq!(tokens.of(alice).as_deref(), Some("good"));
        tokens.revoked.insert(good.session).await;
        assert_eq!((tokens.of(alice), tokens.of_anyone()), (None, None));
    }

    #[test]
    fn sessions_of_one_user_are_bounded_and_the_newest_is_held() {
        let (tokens, now) = held();
        let user = UserId::fresh();
        for number in 0..50 {
            tokens.put(&identity(user, now + 1_000 - number), &number.to_string());
        }
        let all = tokens.users.get(&user).expect("held");
        assert_eq!(all.len(), SESSIONS);
        assert!(all.iter().any(|held| &*held.token == "49"), "it was taken last");
    }
}
