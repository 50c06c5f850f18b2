//! Data keys that this process has, for some minutes. Pure: the time is an argument.

use std::{
    collections::HashMap,
    time::{Duration, Instant},
};

use natter_schemas::{limits, rpc::KeyName};

use crate::key::Key;

/// A key that is not there, as when the user was erased, is asked for again after this.
const ABSENT_FOR: Duration = Duration::from_secs(30);

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
#[derive(Default)]
pub struct Cache {
    young: HashMap<KeyName, Entry>,
    old: HashMap<KeyName, Entry>,
}

struct Entry {
    /// When the service was asked: it may be a little older than the answer.
    since: Instant,
    key: Option<DataKey>,
}

impl Entry {
    fn is_valid(&self, now: Instant) -> bool {
        let most = if self.key.is_some() { limits::KEY_CACHED } else { ABSENT_FOR };
        now.saturating_duration_since(self.since) < most
    }
}

impl Cache {
    pub fn get(&self, name: KeyName, now: Instant) -> Known {
        let entry = self.young.get(&name).or_else(|| self.old.get(&name));
        match entry.filter(|entry| entry.is_valid(now)) {
            Some(Entry { key: Some(key), .. }) => Known::Key(key.clone()),
            Some(Entry { key: None, .. }) => Known::Absent,
            None => Known::No,
        }
    }

    pub fn put(&mut self, name: KeyName, key: Option<DataKey>, asked: Instant) {
        if self.young.len() >= limits::KEYS_CACHED / 2 {
            self.old = std::mem::take(&mut self.young);
        }
        self.young.insert(name, Entry { since: asked, key });
    }

    /// Drops what is too old; keys are overwritten as they are dropped.
    pub fn expire(&mut self, now: Instant) {
        self.young.retain(|_, entry| entry.is_valid(now));
        self.old.retain(|_, entry| entry.is_valid(now));
    }

    #[cfg(test)]
    fn len(&self) -> usize {
        self.young.len() + self.old.len()
    }
}

#[cfg(test)]
mod tests {
    use natter_schemas::id::UserId;

    use super::*;

    fn name() -> KeyName {
        KeyName { user: UserId::fresh(), epoch: Some(1) }
    }

    fn key() -> DataKey {
        DataKey { epoch: 1, key: Key::from([7; 32]) }
    }

    #[test]
    fn a_key_is_known_for_five_minutes_and_then_dropped() {
        let (mut cache, name, asked) = (Cache::default(), name(), Instant::now());
        cache.put(name, Some(key()), asked);
        let nearly = asked + limits::KEY_CACHED.saturating_sub(Duration::from_millis(1));
        assert_eq!(cache.get(name, nearly), Known::Key(key()));
        assert_eq!(cache.get(name, asked + limits::KEY_CACHED), Known::No);
        cache.expire(nearly);
        assert_eq!(cache.len(), 1);
        cache.expire(asked + limits::KEY_CACHED);
        assert_eq!(cache.len(), 0);
    }

    #[test]
    fn a_key_that_is_not_there_is_asked_for_again_soon() {
        let (mut cache, name, asked) = (Cache::default(), name(), Instant::now());
        cache.put(name, None, asked);
        assert_eq!(cache.get(name, asked), Known::Absent);
        assert_eq!(cache.get(name, asked + ABSENT_FOR), Known::No);
    }

    #[test]
    fn the_cache_has_a_bound_and_keeps_the_newest_half() {
        let (mut cache, now) = (Cache::default(), Instant::now());
        let names: Vec<KeyName> = (0..3 * limits::KEYS_CACHED).map(|_| name()).collect();
        for name in &names {
            cache.put(*name, Some(key()), now);
        }
        assert!(cache.len() <= limits::KEYS_CACHED);
        for name in names.iter().rev().take(limits::KEYS_CACHED / 2) {
            assert_eq!(cache.get(*name, now), Known::Key(key()));
        }
    }
}
