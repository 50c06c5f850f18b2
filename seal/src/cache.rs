//! Data keys that this process has, for some minutes. Pure: the time is an argument.

use std::{
    collections::HashMap,
    time::{Duration, Instant},
};

use natter_schemas::{id::UserId, limits, rpc::KeyName};

use crate::key::Key;

/// A key that is not there, as when the user was erased, is asked for again after this.
const ABSENT_FOR: Duration = Duration::from_secs(30);
/// No answer is on its way for longer: what was revoked so long ago need not be remembered.
const REMEMBERED: Duration = Duration::from_secs(2 * limits::RPC.as_secs());

/// A data key and which of its user's it is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DataKey {
    /// As in `key_version` of a body.
    pub epoch: u32,
    /// The key.
    pub key: Key,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Known {
    Key(DataKey),
    /// There is no such key.
    Absent,
    /// It must be asked for.
    No,
}

/// Bounded: what does not fit takes the place of everything older than the newest half.
pub struct Cache {
    /// How long a key is used.
    kept: Duration,
    young: HashMap<KeyName, Entry>,
    old: HashMap<KeyName, Entry>,
    revoked: Revoked,
}

/// What was asked for before this is not used any more: an answer may be older than the change that revoked it.
#[derive(Default)]
struct Revoked {
    users: HashMap<UserId, Instant>,
    everyone: Option<Instant>,
    /// Something of them may still be in memory.
    unswept: bool,
}

impl Revoked {
    fn allows(&self, user: UserId, asked: Instant) -> bool {
        let before = |revoked: Option<&Instant>| revoked.is_some_and(|revoked| asked <= *revoked);
        !before(self.everyone.as_ref()) && !before(self.users.get(&user))
    }
}

struct Entry {
    /// When the service was asked: it may be a little older than the answer.
    since: Instant,
    key: Option<DataKey>,
}

impl Entry {
    fn is_valid(&self, kept: Duration, now: Instant) -> bool {
        let most = if self.key.is_some() { kept } else { ABSENT_FOR.min(kept) };
        now.saturating_duration_since(self.since) < most
    }
}

impl Cache {
    /// A key is used so long after it was asked for.
    pub fn keeping(kept: Duration) -> Self {
        Self { kept, young: HashMap::new(), old: HashMap::new(), revoked: Revoked::default() }
    }

    pub fn get(&self, name: KeyName, now: Instant) -> Known {
        let entry = self.young.get(&name).or_else(|| self.old.get(&name));
        let usable =
            |entry: &&Entry| entry.is_valid(self.kept, now) && self.revoked.allows(name.user, entry.since);
        match entry.filter(usable) {
            Some(Entry { key: Some(key), .. }) => Known::Key(key.clone()),
            Some(Entry { key: None, .. }) => Known::Absent,
            None => Known::No,
        }
    }

    /// Answers whether it is used: not if it was revoked after it was asked for.
    pub fn put(&mut self, name: KeyName, key: Option<DataKey>, asked: Instant) -> bool {
        if !self.revoked.allows(name.user, asked) {
            return false;
        }
        if self.young.len() >= limits::KEYS_CACHED / 2 {
            self.old = std::mem::take(&mut self.young);
        }
        self.young.insert(name, Entry { since: asked, key });
        true
    }

    /// Nothing of this user that is known now is used again.
    pub fn revoke(&mut self, user: UserId, now: Instant) {
        if self.revoked.users.len() >= limits::KEYS_REVOKED {
            return self.revoke_all(now);
        }
        self.revoked.users.insert(user, now);
        self.revoked.unswept = true;
    }

    /// Nothing that is known now is used again.
    pub fn revoke_all(&mut self, now: Instant) {
        self.young.clear();
        self.old.clear();
        self.revoked = Revoked { everyone: Some(now), ..Revoked::default() };
    }

    /// Drops what was revoked; keys are overwritten as they are dropped.
    pub fn sweep(&mut self) {
        if !std::mem::take(&mut self.revoked.unswept) {
            return;
        }
        let Self { young, old, revoked, .. } = self;
        young.retain(|name, entry| revoked.allows(name.user, entry.since));
        old.retain(|name, entry| revoked.allows(name.user, entry.since));
    }

    /// Drops what is too old.
    pub fn expire(&mut self, now: Instant) {
        self.sweep();
        let kept = self.kept;
        self.young.retain(|_, entry| entry.is_valid(kept, now));
        self.old.retain(|_, entry| entry.is_valid(kept, now));
        self.revoked.users.retain(|_, revoked| now.saturating_duration_since(*revoked) < REMEMBERED);
    }

    #[cfg(test)]
    fn len(&self) -> usize {
        self.young.len() + self.old.len()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn name() -> KeyName {
        KeyName { user: UserId::fresh(), epoch: Some(1) }
    }

    fn cache() -> Cache {
        Cache::keeping(limits::KEY_CACHED)
    }

    fn key() -> DataKey {
        DataKey { epoch: 1, key: Key::from([7; 32]) }
    }

    #[test]
    fn a_key_is_known_for_as_long_as_is_set_and_then_dropped() {
        for kept in [limits::KEY_CACHED, Duration::from_secs(2)] {
            let (mut cache, name, asked) = (Cache::keeping(kept), name(), Instant::now());
            cache.put(name, Some(key()), asked);
            let nearly = asked + kept.saturating_sub(Duration::from_millis(1));
            assert_eq!(cache.get(name, nearly), Known::Key(key()));
            assert_eq!(cache.get(name, asked + kept), Known::No);
            cache.expire(nearly);
            assert_eq!(cache.len(), 1);
            cache.expire(asked + kept);
            assert_eq!(cache.len(), 0);
        }
    }

    #[test]
    fn a_key_that_is_not_there_is_asked_for_again_soon() {
        let (mut cache, name, asked) = (cache(), name(), Instant::now());
        cache.put(name, None, asked);
        assert_eq!(cache.get(name, asked), Known::Absent);
        assert_eq!(cache.get(name, asked + ABSENT_FOR), Known::No);
    }

    #[test]
    fn the_cache_has_a_bound_and_keeps_the_newest_half() {
        let (mut cache, now) = (cache(), Instant::now());
        let names: Vec<KeyName> = (0..3 * limits::KEYS_CACHED).map(|_| name()).collect();
        for name in &names {
            cache.put(*name, Some(key()), now);
        }
        assert!(cache.len() <= limits::KEYS_CACHED);
        for name in names.iter().rev().take(limits::KEYS_CACHED / 2) {
            assert_eq!(cache.get(*name, now), Known::Key(key()));
        }
    }

    #[test]
    fn a_revoked_key_is_gone_and_those_of_others_stay() {
        let (mut cache, revoked, other, asked) = (cache(), name(), name(), Instant::now());
        let newest = KeyName { epoch: None, ..revoked };
        for name in [revoked, newest, other] {
            cache.put(name, Some(key()), asked);
        }
        let now = asked + Duration::from_millis(1);
        cache.revoke(revoked.user, now);
        assert_eq!([cache.get(revoked, now), cache.get(newest, now)], [Known::No, Known::No]);
        cache.sweep();
        assert_eq!(cache.len(), 1);
        assert_eq!(cache.get(other, now), Known::Key(key()));
        cache.revoke_all(now);
        assert_eq!((cache.get(other, now), cache.len()), (Known::No, 0));
    }

    #[test]
    fn an_answer_from_before_a_revocation_is_not_used() {
        let (mut cache, name, asked) = (cache(), name(), Instant::now());
        let revoked = asked + Duration::from_secs(1);
        cache.revoke(name.user, revoked);
        cache.expire(revoked + limits::RPC);
        assert!(!cache.put(name, Some(key()), asked));
        assert_eq!(cache.get(name, revoked), Known::No);
        let again = revoked + Duration::from_millis(1);
        assert!(cache.put(name, Some(key()), again));
        assert_eq!(cache.get(name, again), Known::Key(key()));
        cache.revoke_all(again);
        assert!(!cache.put(name, Some(key()), again));
    }

    #[test]
    fn what_is_remembered_of_revocations_has_a_bound() {
        let (mut cache, kept, asked) = (cache(), name(), Instant::now());
        cache.put(kept, Some(key()), asked);
        let now = asked + Duration::from_millis(1);
        for _ in 0..limits::KEYS_REVOKED {
            cache.revoke(UserId::fresh(), now);
        }
        assert_eq!(cache.get(kept, now), Known::Key(key()));
        cache.revoke(UserId::fresh(), now);
        assert_eq!(cache.get(kept, now), Known::No, "rather all than one too few");
        assert!(cache.revoked.users.is_empty());
        cache.revoke(kept.user, now);
        cache.expire(now + REMEMBERED);
        assert!(cache.revoked.users.is_empty());
    }
}
