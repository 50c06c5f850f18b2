//! Stored addresses and names sealed with their users' newest keys: those that are in clear, and those of earlier keys.

use std::num::NonZeroU32;

use natter_schemas::{
    id::UserId,
    rpc::{NO_USER, User},
};
use natter_seal::{DataKey, Key};
use natter_store::KeyPurpose;

use super::{
    maintain::{MaintainError, Maintenance},
    ring::{KeyRing, OpenKeys},
    texts::Pace,
};
use crate::services::profiles::{self, Sealer};

/// Users read at once.
const PAGE: usize = 200;

/// What became of users' addresses and names.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
pub struct ResealedProfiles {
    /// Sealed with the user's newest key now.
    pub sealed: u64,
    /// They were before, or the user is erased.
    pub unchanged: u64,
    /// Of users who have no key any more.
    pub without_key: u64,
    /// Their key is wrapped by a root that is not set, or they are damaged.
    pub unopened: u64,
    /// As they were: the account is being closed, or another account has the address.
    pub refused: u64,
    /// All users up to this one are done: those after it remain.
    pub last: Option<UserId>,
}

impl ResealedProfiles {
    /// All that were looked at.
    pub const fn users(&self) -> u64 {
        self.sealed + self.unchanged + self.without_key + self.unopened + self.refused
    }
}

enum Outcome {
    Sealed,
    Unchanged,
    WithoutKey,
    Unopened,
    Refused,
}

impl Maintenance<'_> {
    /// Goes over all users behind `after`, at most so many a second.
    pub async fn reseal_profiles(
        &self,
        after: Option<UserId>,
        a_second: NonZeroU32,
        progress: impl Fn(&ResealedProfiles),
    ) -> Result<ResealedProfiles, MaintainError> {
        let (mut done, pace) =
            (ResealedProfiles { last: after, ..ResealedProfiles::default() }, Pace::of(a_second));
        let ring = KeyRing { store: self.store, roots: self.roots, purpose: KeyPurpose::Profile };
        let look_up = ring.make(NO_USER).await?.data.pop_last();
        loop {
            let page = self.store.users_after(done.last, PAGE).await?;
            let Some(last) = page.last() else { return Ok(done) };
            let last = last.id;
            pace.wait(page.len()).await;
            let mut keys = ring.read(page.iter().map(|user| user.id).collect()).await?;
            for user in &page {
                let own = keys.remove(&user.id).unwrap_or_default();
                let outcome = match &look_up {
                    Some((_, look_up)) => self.reseal_profile(&ring, user, own, look_up).await?,
                    None => Outcome::Unopened,
                };
                done.count(&outcome);
            }
            done.last = Some(last);
            progress(&done);
        }
    }

    async fn reseal_profile(
        &self,
        ring: &KeyRing<'_>,
        user: &User,
        mut own: OpenKeys,
        look_up: &Key,
    ) -> Result<Outcome, MaintainError> {
        if user.is_erased() {
            return Ok(Outcome::Unchanged);
        }
        if own.data.is_empty() && !own.locked {
            own = ring.make(user.id).await?;
        }
        let Some((epoch, key)) = own.data.last_key_value() else {
            return Ok(if own.locked { Outcome::Unopened } else { Outcome::WithoutKey });
        };
        let key = DataKey { epoch: *epoch, key: key.clone() };
        let sealer = Sealer { user: user.id, key, look_up: look_up.clone() };
        let mut stored = user.clone();
        // Whoever changes it at the same moment seals it as well, with this key or an earlier one.
        for _ in 0..2 {
            let Ok(opened) = profiles::open(&stored, |epoch| own.data.get(&epoch).cloned()) else {
                return Ok(Outcome::Unopened);
            };
            if profiles::is_current(&stored, &opened, &sealer) {
                return Ok(Outcome::Unchanged);
            }
            if self.store.replace_profile(&stored, &profiles::sealed(&opened, &sealer)?).await? {
                return Ok(Outcome::Sealed);
            }
            match self.store.users(&[user.id]).await?.pop() {
                Some(now) if !now.is_erased() => stored = now,
                _ => return Ok(Outcome::Unchanged),
            }
        }
        Ok(Outcome::Refused)
    }
}

impl ResealedProfiles {
    const fn count(&mut self, outcome: &Outcome) {
        let counted = match outcome {
            Outcome::Sealed => &mut self.sealed,
            Outcome::Unchanged => &mut self.unchanged,
            Outcome::WithoutKey => &mut self.without_key,
            Outcome::Unopened => &mut self.unopened,
            Outcome::Refused => &mut self.refused,
        };
        *counted += 1;
    }
}
