//! Stored keys changed for an operator, beside workers: any part of it may be done again, and two may do it at once.

use std::collections::BTreeMap;

use futures_util::{StreamExt, TryStreamExt, stream};
use natter_nats::{
    log::LogError,
    publisher::{PublishError, Publisher},
};
use natter_schemas::{id::UserId, rpc::NO_USER};
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
    /// Also a root that has wrapped the key of look-ups alone.
    pub by_root: BTreeMap<String, u64>,
    /// The root that has wrapped the key of look-ups ([`NO_USER`]); `None`: it was not made.
    pub look_ups: Option<String>,
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

impl Change {
    /// Of both keys of one user.
    const fn and(self, other: Self) -> Self {
        match (self, other) {
            (Self::Unopened, _) | (_, Self::Unopened) => Self::Unopened,
            (Self::Changed, _) | (_, Self::Changed) => Self::Changed,
            (Self::Unchanged, Self::Unchanged) => Self::Unchanged,
        }
    }
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
            for (user, key) in page {
                if user == NO_USER {
                    wrapped.look_ups = Some(key.root.clone());
                }
                *wrapped.by_root.entry(key.root).or_default() += u64::from(user != NO_USER);
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
            done.unchanged += current.iter().filter(|(user, _)| *user != NO_USER).count() as u64;
            let opened = self.open(&due).await?;
            let changes = stream::iter(due.iter().zip(opened))
                .map(|((user, from), own)| self.rewrap_one(*user, from, own))
                .buffer_unordered(AT_ONCE);
            let changes: Vec<Option<Change>> = changes.try_collect().await?;
            done.count(changes.into_iter().flatten().collect(), last);
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

    /// The key of look-ups stays: what was hashed with it would be found no more.
    async fn rotate_page(
        &self,
        mut page: Vec<(UserId, WrappedUserKey)>,
    ) -> Result<Vec<Change>, MaintainError> {
        page.retain(|(user, _)| *user != NO_USER);
        let users: Vec<UserId> = page.iter().map(|(user, _)| *user).collect();
        let own = self.open(&page).await?;
        let mut changes = vec![Change::Unchanged; users.len()];
        for purpose in KeyPurpose::ALL {
            let stored = self.store.keys(&users, purpose).await?;
            let rotated = stream::iter(users.iter().zip(&own).zip(&stored))
                .map(|((user, own), stored)| self.rotate_one((*user, purpose), own.as_ref(), stored))
                .buffered(AT_ONCE);
            let rotated: Vec<Change> = rotated.try_collect().await?;
            for (change, rotated) in changes.iter_mut().zip(rotated) {
                *change = change.and(rotated);
            }
        }
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
    ) -> Result<Option<Change>, MaintainError> {
        let Some(own) = own else { return Ok(Some(Change::Unopened)) };
        let to = self.roots.wrap(user, &own).await?;
        let replaced = self.store.replace_user_key(user, from, &to).await?;
        // That of look-ups is no user's.
        Ok((user != NO_USER).then_some(if replaced { Change::Changed } else { Change::Unchanged }))
    }

    async fn rotate_one(
        &self,
        (user, purpose): (UserId, KeyPurpose),
        own: Option<&Key>,
        stored: &UserKeys,
    ) -> Result<Change, MaintainError> {
        let Some(own) = own else { return Ok(Change::Unopened) };
        let Some(epoch) = stored.data.last().and_then(|newest| newest.epoch.checked_add(1)) else {
            return Ok(Change::Unchanged);
        };
        let wrapped = wrap(&Key::random()?, own, &place(user, purpose, epoch))?;
        let data = WrappedDataKey { epoch, wrapped };
        let added = self.store.add_data_key(user, purpose, &data).await?;
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
