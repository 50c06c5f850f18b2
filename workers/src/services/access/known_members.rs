use std::{
    sync::atomic::{AtomicU64, Ordering},
    time::Duration,
};

use moka::future::Cache;
use natter_schemas::{id::UserId, rpc::UserRead};
use parking_lot::Mutex;
use tokio::time::Instant;

/// About 25 MB. What is beyond is looked up.
const KNOWN: u64 = 100_000;
/// As long as an edge knows a user.
const IDLE: Duration = Duration::from_mins(10);
/// Counters of removals, by user id modulo this: users who share one are looked up again when one is removed.
const SLOTS: usize = 4_096;

/// Users found to be in a conversation, and whether that still counts.
pub struct KnownMembers {
    /// With the counter of the user's removals from before the look-up.
    members: Cache<UserRead, u64>,
    removals: Vec<AtomicU64>,
    /// No later removal can have been missed until then; `None`: CONTROL was not followed yet.
    trusted_until: Mutex<Option<Instant>>,
}

impl Default for KnownMembers {
    fn default() -> Self {
        Self {
            members: Cache::builder().max_capacity(KNOWN).time_to_idle(IDLE).build(),
            removals: (0..SLOTS).map(|_| AtomicU64::new(0)).collect(),
            trusted_until: Mutex::new(None),
        }
    }
}

impl KnownMembers {
    pub async fn contains(&self, read: UserRead) -> bool {
        let trusted = self.trusted_until.lock().is_some_and(|until| Instant::now() < until);
        trusted && self.members.get(&read).await == Some(self.removals(read.user))
    }

    /// Of the user, so far: read before a look-up whose result is added.
    pub fn removals(&self, user: UserId) -> u64 {
        self.slot(user).load(Ordering::SeqCst)
    }

    /// A member by a look-up that began after `removals` were counted: one that came in between ends it at once.
    pub async fn add(&self, read: UserRead, removals: u64) {
        self.members.insert(read, removals).await;
    }

    /// The user is no longer in some conversation.
    pub fn removed(&self, user: UserId) {
        self.slot(user).fetch_add(1, Ordering::SeqCst);
    }

    /// Anyone may have been removed.
    pub fn forget_all(&self) {
        for slot in &self.removals {
            slot.fetch_add(1, Ordering::SeqCst);
        }
    }

    pub fn trust_until(&self, until: Instant) {
        *self.trusted_until.lock() = Some(until);
    }

    fn slot(&self, user: UserId) -> &AtomicU64 {
        let bytes = user.as_bytes();
        // The last bytes of a UUIDv7 are random.
        &self.removals[usize::from(u16::from_be_bytes([bytes[14], bytes[15]])) % SLOTS]
    }
}

#[cfg(test)]
mod tests {
    use natter_schemas::id::ConversationId;

    use super::*;

    const SOON: Duration = Duration::from_secs(1);

    fn read(last: u8) -> UserRead {
        let mut user = [7; 16];
        user[15] = last;
        UserRead { user: UserId::from_bytes(user), conversation: ConversationId::fresh() }
    }

    #[tokio::test(start_paused = true)]
    async fn a_member_is_known_until_a_removal_and_while_it_would_be_noticed() {
        let (known, one, other) = (KnownMembers::default(), read(1), read(2));
        known.add(one, known.removals(one.user)).await;
        known.add(other, known.removals(other.user)).await;
        assert!(!known.contains(one).await, "nothing is followed yet");
        known.trust_until(Instant::now() + SOON);
        assert!(known.contains(one).await && known.contains(other).await);
        assert!(!known.contains(read(1)).await, "in another conversation");
        known.removed(one.user);
        assert!(!known.contains(one).await && known.contains(other).await);
        known.forget_all();
        assert!(!known.contains(other).await);
        known.add(other, known.removals(other.user)).await;
        assert!(known.contains(other).await);
        tokio::time::advance(SOON).await;
        assert!(!known.contains(other).await, "a removal may have been missed by now");
    }

    #[tokio::test(start_paused = true)]
    async fn a_removal_during_the_look_up_ends_what_it_found() {
        let (known, one) = (KnownMembers::default(), read(1));
        known.trust_until(Instant::now() + SOON);
        let before = known.removals(one.user);
        known.removed(one.user);
        known.add(one, before).await;
        assert!(!known.contains(one).await);
    }
}
