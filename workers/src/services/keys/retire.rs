//! Data keys that are not needed any more. An old one is removed only when no stored text and none in the log is sealed with it.

use std::collections::{HashMap, HashSet};

use natter_nats::{log::LogReader, subject};
use natter_schemas::{
    codec,
    event::LogEntry,
    id::{Partition, Seq, UserId},
    rpc::User,
};
use natter_store::{KeyPurpose, UserKeys};
use parking_lot::Mutex;

use super::{
    maintain::{MaintainError, Maintenance, PAGE},
    texts::{self, Chunk},
};
use crate::{control::publish_keys_changed, persist, services::profiles};

/// Texts by whether they need an old data key.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
pub struct Needed {
    /// In the store.
    pub store: u64,
    /// In the log, which forgets them when they are old enough.
    pub log: u64,
    /// Among the parked events.
    pub parked: u64,
    /// Addresses and names of users, each user once.
    pub profiles: u64,
    /// Old keys of users.
    pub keys: u64,
}

impl Needed {
    /// No text needs one of them.
    pub const fn by_none(&self) -> bool {
        self.store == 0 && self.log == 0 && self.parked == 0 && self.profiles == 0
    }
}

/// Old keys are those up to this epoch that are not their user's newest.
#[derive(Debug, Clone, Copy)]
pub struct UpTo(pub u32);

impl UpTo {
    fn old(self, keys: &UserKeys) -> impl Iterator<Item = u32> {
        let newest = keys.data.last().map_or(0, |newest| newest.epoch);
        keys.data.iter().map(|key| key.epoch).filter(move |epoch| *epoch <= self.0 && *epoch < newest)
    }
}

impl Maintenance<'_> {
    /// How many texts are sealed with old keys.
    pub async fn needed(&self, old: UpTo, log: &LogReader, partitions: u16) -> Result<Needed, MaintainError> {
        let keys = self.old_keys(old).await?;
        if keys == 0 {
            return Ok(Needed::default());
        }
        Ok(Needed {
            keys,
            store: self.needed_in_store(old).await?,
            log: self.needed_in_log(old, log, partitions).await?,
            parked: self.needed_by_parked(old, log).await?,
            profiles: self.needed_by_profiles(old).await?,
        })
    }

    /// Removes old keys; answers how many. Only after none was [`Maintenance::needed`], and later than processes used them
    /// that had them as the newest.
    pub async fn remove(&self, old: UpTo) -> Result<u64, MaintainError> {
        let (mut removed, mut after) = (0, None);
        loop {
            let page = self.store.user_keys_after(after, PAGE).await?;
            let Some((last, _)) = page.last() else { return Ok(removed) };
            after = Some(*last);
            let users: Vec<UserId> = page.iter().map(|(user, _)| *user).collect();
            let mut concerned = Vec::new();
            for purpose in KeyPurpose::ALL {
                for (user, keys) in users.iter().zip(self.store.keys(&users, purpose).await?) {
                    let mut epochs = old.old(&keys).peekable();
                    if epochs.peek().is_some() {
                        concerned.push(*user);
                    }
                    for epoch in epochs {
                        removed += u64::from(self.store.remove_data_key(*user, purpose, epoch).await?);
                    }
                }
            }
            publish_keys_changed(self.publisher, &concerned).await?;
        }
    }

    async fn old_keys(&self, old: UpTo) -> Result<u64, MaintainError> {
        let (mut count, mut after) = (0, None);
        loop {
            let page = self.store.user_keys_after(after, PAGE).await?;
            let Some((last, _)) = page.last() else { return Ok(count) };
            after = Some(*last);
            let users: Vec<UserId> = page.iter().map(|(user, _)| *user).collect();
            for purpose in KeyPurpose::ALL {
                let keys = self.store.keys(&users, purpose).await?;
                count += keys.iter().map(|keys| old.old(keys).count() as u64).sum::<u64>();
            }
        }
    }

    async fn needed_by_profiles(&self, old: UpTo) -> Result<u64, MaintainError> {
        let (mut count, mut after) = (0, None);
        loop {
            let page = self.store.users_after(after, PAGE).await?;
            let Some(last) = page.last() else { return Ok(count) };
            after = Some(last.id);
            let users: Vec<UserId> = page.iter().map(|user| user.id).collect();
            let keys = self.store.keys(&users, KeyPurpose::Profile).await?;
            let needs = |(user, keys): &(&User, &UserKeys)| {
                profiles::epochs(user).any(|epoch| old.old(keys).any(|old| old == epoch))
            };
            count += page.iter().zip(&keys).filter(needs).count() as u64;
        }
    }

    async fn needed_in_store(&self, old: UpTo) -> Result<u64, MaintainError> {
        let count = Mutex::new(0);
        let visit = async |chunk: Chunk| -> Result<(), MaintainError> {
            let needed = self.count(old, &chunk.texts).await?;
            *count.lock() += needed;
            Ok(())
        };
        texts::each(self.store, None, visit, |_, _| ()).await?;
        Ok(count.into_inner())
    }

    async fn needed_in_log(&self, old: UpTo, log: &LogReader, partitions: u16) -> Result<u64, MaintainError> {
        let mut count = 0;
        for partition in Partition::all(partitions) {
            let end = log.extent(partition).await?.last;
            let mut next: Seq = 1;
            while next <= end {
                let some = log.in_order(partition, next).await?;
                let Some(last) = some.last() else { break };
                next = last.seq + 1;
                let read = some
                    .into_iter()
                    .filter_map(|message| persist::read(&message.into(), partition, partitions).ok());
                count += self.count(old, &read.collect::<Vec<_>>()).await?;
            }
        }
        Ok(count)
    }

    async fn needed_by_parked(&self, old: UpTo, log: &LogReader) -> Result<u64, MaintainError> {
        let (mut count, mut next) = (0, 1);
        loop {
            let some = log.parked_in_order(&subject::parked_by(None, None), next).await?;
            let Some(last) = some.last() else { return Ok(count) };
            next = last.seq + 1;
            let read = some.into_iter().filter_map(|message| {
                let event = codec::decode(&message.payload).ok()?;
                Some(LogEntry { seq: message.seq, event })
            });
            count += self.count(old, &read.collect::<Vec<_>>()).await?;
        }
    }

    /// Texts among these that are sealed with old keys.
    async fn count(&self, old: UpTo, entries: &[LogEntry]) -> Result<u64, MaintainError> {
        let sealed = || {
            let all = entries.iter().map(|entry| (entry.event.author, entry.event.key_version()));
            all.filter(|(_, epoch)| *epoch > 0 && *epoch <= old.0)
        };
        let authors: Vec<UserId> =
            sealed().map(|(author, _)| author).collect::<HashSet<_>>().into_iter().collect();
        if authors.is_empty() {
            return Ok(0);
        }
        let keys = self.store.keys(&authors, KeyPurpose::Messages).await?;
        let keys: HashMap<UserId, UserKeys> = authors.into_iter().zip(keys).collect();
        let is_old = |(author, epoch): &(UserId, u32)| {
            keys.get(author).is_some_and(|keys| old.old(keys).any(|old| old == *epoch))
        };
        Ok(sealed().filter(is_old).count() as u64)
    }
}
