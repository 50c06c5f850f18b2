//! Stored keys changed for an operator, beside workers: any part of it may be done again, and two may do it at once.

use std::collections::BTreeMap;

use futures_util::{StreamExt, TryStreamExt, stream};
use natter_nats::{
    log::LogError,
    publisher::{PublishError, Publisher},
};
use natter_schemas::id::UserId;
use natter_seal::{Key, NoRandomness, wrap};
use natter_store::{KeyPurpose, Store, StoreError, UserKeys, WrappedDataKey, WrappedUserKey};

use super::{
    place::place,
    roots::{RootError, Roots},
};
use crate::{control::publish_keys_changed, services::Failure};

/// Users whose keys are read at once.
pub const PAGE: usize = 500;
/// Of a page at once: as many as a store's connections serve, and a KMS.
const AT_ONCE: usize = 64;

/// Why it stopped. What was done stays done.
#[derive(Debug, thiserror::Error)]
pub enum MaintainError {
    #[error(transparent)]
    Store(#[from] StoreError),
    #[error(transparent)]
    Root(#[from] RootError),
    #[error(transparent)]
    Random(#[from] NoRandomness),
    #[error("the change of keys was not announced to edges: {0}")]
    Publish(#[from] PublishError),
    #[error("the log cannot be read: {0}")]
    Log(#[from] LogError),
    #[error(transparent)]
    Keys(#[from] Failure),
}

/// Which roots have wrapped the keys of how many users.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Wrapped {
    pub by_root: BTreeMap<String, u64>,
}

/// What became of users' keys.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
pub struct Done {
    pub changed: u64,
    /// They were already as they should be, or another command changed them at the same time.
    pub unchanged: u64,
    /// No root that is set opens them: they are as they were.
    pub unopened: u64,
    /// The last user that was looked at: those after it remain.
    pub last: Option<UserId>,
}

#[derive(Clone, Copy)]
enum Change {
    Changed,
    Unchanged,
    Unopened,
}

pub struct Maintenance<'a> {
    pub store: &'a dyn Store,
    pub roots: &'a Roots,
    pub publisher: &'a Publisher,
}

impl Maintenance<'_> {
    pub async fn wrapped(&self) -> Result<Wrapped, MaintainError> {
        let mut wrapped = Wrapped::default();
        let mut after = None;
        loop {
            let page = self.store.user_keys_after(after, PAGE).await?;
            let Some((last, _)) = page.last() else { return Ok(wrapped) };
            after = Some(*last);
            for (_, key) in page {
                *wrapped.by_root.entry(key.root).or_default() += 1;
            }
        }
    }

    /// Wraps every user's key by the first root, if another has wrapped it; `again`: or an older version of that one. Data keys
    /// and what they sealed stay as they are.
    pub async fn rewrap(&self, again: bool, progress: impl Fn(&Done)) -> Result<Done, MaintainError> {
        let mut done = Done::default();
        loop {
            let page = self.store.user_keys_after(done.last, PAGE).await?;
            let Some((last, _)) = page.last() else { return Ok(done) };
            let last = *last;
            let (due, current): (Vec<_>, Vec<_>) =
                page.into_iter().partition(|(_, key)| again || !self.roots.wraps_by_first(key));
            done.unchanged += current.len() as u64;
            let opened = self.open(&due).await?;
            let changes = stream::iter(due.iter().zip(opened))
                .map(|((user, from), own)| self.rewrap_one(*user, from, own))
                .buffer_unordered(AT_ONCE);
            done.count(changes.try_collect().await?, last);
            progress(&done);
        }
    }

    /// A new data key for every user who has one; those up to `after` have it already.
    pub async fn rotate(
        &self,
        after: Option<UserId>,
        progress: impl Fn(&Done),
    ) -> Result<Done, MaintainError> {
        let mut done = Done { last: after, ..Done::default() };
        loop {
            let page = self.store.user_keys_after(done.last, PAGE).await?;
            let Some((last, _)) = page.last() else { return Ok(done) };
            let last = *last;
            done.count(self.rotate_page(page).await?, last);
            progress(&done);
        }
    }

    /// A new data key for this user alone.
    pub async fn rotate_user(&self, user: UserId) -> Result<Done, MaintainError> {
        let own = self.store.keys(&[user], KeyPurpose::Messages).await?.pop().and_then(|keys| keys.own);
        let mut done = Done::default();
        done.count(self.rotate_page(own.map(|own| (user, own)).into_iter().collect()).await?, user);
        Ok(done)
    }

    async fn rotate_page(&self, page: Vec<(UserId, WrappedUserKey)>) -> Result<Vec<Change>, MaintainError> {
        let users: Vec<UserId> = page.iter().map(|(user, _)| *user).collect();
        let own = self.open(&page).await?;
        let stored = self.store.keys(&users, KeyPurpose::Messages).await?;
        let changes = stream::iter(users.iter().zip(own).zip(&stored))
            .map(|((user, own), stored)| self.rotate_one(*user, own, stored))
            .buffered(AT_ONCE);
        let changes: Vec<Change> = changes.try_collect().await?;
        // Also about those that another command has changed: it may have ended before it said so.
        publish_keys_changed(self.publisher, &users).await?;
        Ok(changes)
    }

    async fn open(&self, page: &[(UserId, WrappedUserKey)]) -> Result<Vec<Option<Key>>, RootError> {
        self.roots.unwrap(&page.iter().map(|(user, key)| (*user, key)).collect::<Vec<_>>()).await
    }

    async fn rewrap_one(
        &self,
        user: UserId,
        from: &WrappedUserKey,
        own: Option<Key>,
    ) -> Result<Change, MaintainError> {
        let Some(own) = own else { return Ok(Change::Unopened) };
        let to = self.roots.wrap(user, &own).await?;
        let replaced = self.store.replace_user_key(user, from, &to).await?;
        Ok(if replaced { Change::Changed } else { Change::Unchanged })
    }

    async fn rotate_one(
        &self,
        user: UserId,
        own: Option<Key>,
        stored: &UserKeys,
    ) -> Result<Change, MaintainError> {
        let Some(own) = own else { return Ok(Change::Unopened) };
        let Some(epoch) = stored.data.last().and_then(|newest| newest.epoch.checked_add(1)) else {
            return Ok(Change::Unchanged);
        };
        let wrapped = wrap(&Key::random()?, &own, &place(user, epoch))?;
        let data = WrappedDataKey { epoch, wrapped };
        let added = self.store.add_data_key(user, KeyPurpose::Messages, &data).await?;
        Ok(if added { Change::Changed } else { Change::Unchanged })
    }
}

impl Done {
    fn count(&mut self, changes: Vec<Change>, last: UserId) {
        for change in changes {
            match change {
                Change::Changed => self.changed += 1,
                Change::Unchanged => self.unchanged += 1,
                Change::Unopened => self.unopened += 1,
            }
        }
        self.last = Some(last);
    }

    /// All that were looked at.
    pub const fn looked_at(&self) -> u64 {
        self.changed + self.unchanged + self.unopened
    }
}
