//! Users with their email addresses and display names in clear, whether the store has them sealed or not.

mod stored; // their form in the store

use std::{collections::HashSet, sync::Arc};

use natter_schemas::{
    code::Code,
    id::UserId,
    limits,
    rpc::{KeyName, NO_USER, RpcError, User},
};
use natter_seal::{DataKeys, Key, NoRandomness, WillNotOpen};
use natter_store::{AddUser, Credentials, KeyPurpose, Store, StoreError, profile};
use tracing::debug;

pub(super) use stored::{Sealer, epochs, is_current, is_sealed, open};

/// Why users cannot be read or written now.
#[derive(Debug, thiserror::Error)]
pub enum ProfileError {
    #[error(transparent)]
    Store(#[from] StoreError),
    #[error("no key of profiles: {0}")]
    Key(#[from] RpcError),
    #[error(transparent)]
    Random(#[from] NoRandomness),
}

/// To change a profile while others do the same.
const ATTEMPTS: usize = 3;

/// What became of [`Profiles::set_email`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum SetEmail {
    /// It is the user's.
    Set {
        /// The one that was there, also if it is the same.
        before: String,
    },
    /// Another user has it.
    Taken,
    /// There is none, or the account is closed.
    NoUser,
}

/// The store's users. Clones share what they know of keys.
#[derive(Clone)]
pub struct Profiles {
    pub store: Arc<dyn Store>,
    /// Of profiles.
    pub keys: DataKeys,
    /// What is written is sealed. What is sealed is opened either way.
    pub seals: bool,
}

impl Profiles {
    /// Those of `ids` that exist, in that order. Who cannot be opened is shown by the username.
    pub async fn users(&self, ids: &[UserId]) -> Result<Vec<User>, ProfileError> {
        Ok(self.open_all(self.store.users(ids).await?).await)
    }

    /// By username or email address, with the user as stored: who is unknown must cost as much as who is known.
    pub async fn credentials(&self, login: &str) -> Result<Option<Credentials>, ProfileError> {
        if login.len() > limits::EMAIL || profile::is_reserved(login) {
            return Ok(None);
        }
        if !login.contains('@') {
            return Ok(self.store.credentials(login).await?);
        }
        let sealed = self.by_sealed_address(login).await;
        match self.store.credentials(login).await? {
            None => sealed,
            found => Ok(found),
        }
    }

    /// One user of the store in clear.
    pub async fn opened(&self, stored: User) -> User {
        self.open_all(vec![stored.clone()]).await.pop().unwrap_or(stored)
    }

    /// A user in clear and nothing else.
    ///
    /// # Errors
    /// `unavailable` without the key, also if it is gone.
    pub async fn whole(&self, user: UserId) -> Result<Option<User>, ProfileError> {
        let Some(user) = self.store.users(&[user]).await?.pop() else { return Ok(None) };
        self.keys.fetch(&key_names(&user).collect::<Vec<_>>()).await?;
        let opened =
            open(&user, |epoch| self.keys.known().key(KeyName { user: user.id, epoch: Some(epoch) }));
        Ok(Some(opened.map_err(|WillNotOpen| RpcError::from(Code::Unavailable))?))
    }

    /// By words of usernames and display names.
    pub async fn search(&self, text: &str, limit: usize) -> Result<Vec<User>, ProfileError> {
        if profile::is_reserved(text) {
            return Ok(Vec::new());
        }
        // Usernames are found without a key.
        let key = self.look_up_key().await.unwrap_or_else(|error| {
            debug!(%error, "no key to search sealed names with");
            None
        });
        let query = key.map(|key| profile::search(text, |word| stored::word_hash(word, &key)));
        let found = self.store.search_users(query.as_deref().unwrap_or(text), limit).await?;
        Ok(self.open_all(found).await)
    }

    /// An address is one user's, whether it is stored sealed or in clear.
    pub async fn add_user(&self, user: &User, password_hash: &str) -> Result<AddUser, ProfileError> {
        let others = |found: Option<Credentials>| found.is_some_and(|found| found.user.id != user.id);
        if !self.seals {
            if !user.email.is_empty() && others(self.by_sealed_address(&user.email).await?) {
                return Ok(AddUser::EmailTaken);
            }
            return Ok(self.store.add_user(user, password_hash).await?);
        }
        // Before a key is made for who is not registered in the end.
        if others(self.store.credentials(&user.username).await?) {
            return Ok(AddUser::UsernameTaken);
        }
        if !user.email.is_empty() && others(self.credentials(&user.email).await?) {
            return Ok(AddUser::EmailTaken);
        }
        let sealer = self.sealer(user.id).await?;
        Ok(self.store.add_user(&sealed(user, &sealer)?, password_hash).await?)
    }

    /// The user as changed; `None`: no such user, or one whose account is closed.
    pub async fn set_display_name(&self, user: UserId, name: &str) -> Result<Option<User>, ProfileError> {
        if !self.seals {
            let Some(changed) = self.store.set_display_name(user, name).await? else { return Ok(None) };
            return Ok(Some(self.opened(changed).await));
        }
        if self.store.credentials_of(user).await?.is_none() {
            return Ok(None);
        }
        let sealer = self.sealer(user).await?;
        let Some(changed) = self.store.set_display_name(user, &sealer.display_name(name)?).await? else {
            return Ok(None);
        };
        // A row is sealed as a whole. Whoever changes it at the same moment does this as well.
        if profile::sealed_part(&changed.email).is_none() {
            let email = sealer.email(&changed.email)?;
            self.store.replace_profile(&changed, &User { email, ..changed.clone() }).await?;
        }
        Ok(Some(self.opened(changed).await))
    }

    /// The same call again, after a crash or a lost answer, goes on.
    pub async fn set_email(&self, user: UserId, email: &str) -> Result<SetEmail, ProfileError> {
        for _ in 0..ATTEMPTS {
            let Some(stored) = self.store.users(&[user]).await?.pop() else { return Ok(SetEmail::NoUser) };
            let Some(before) = self.whole(user).await?.filter(|before| !before.is_erased()) else {
                return Ok(SetEmail::NoUser);
            };
            if self.credentials(email).await?.is_some_and(|holder| holder.user.id != user) {
                return Ok(SetEmail::Taken);
            }
            let (before, wanted) = (before.email.clone(), User { email: email.to_owned(), ..before });
            let to = if self.seals { sealed(&wanted, &self.sealer(user).await?)? } else { wanted };
            if self.store.replace_profile(&stored, &to).await? {
                return Ok(SetEmail::Set { before });
            }
            // Another has got the address in this moment, or the profile was changed: looked at again.
        }
        Err(StoreError::Unavailable("a profile is being changed by others again and again".to_owned()).into())
    }

    async fn sealer(&self, user: UserId) -> Result<Sealer, ProfileError> {
        let look_up = self.keys.newest(NO_USER).await?.key;
        Ok(Sealer { user, key: self.keys.newest(user).await?, look_up })
    }

    async fn by_sealed_address(&self, email: &str) -> Result<Option<Credentials>, ProfileError> {
        let Some(key) = self.look_up_key().await? else { return Ok(None) };
        Ok(self.store.credentials(&profile::word(&stored::email_hash(email, &key))).await?)
    }

    /// What hashes are made with; `None`: nothing is sealed here, and nothing was.
    async fn look_up_key(&self) -> Result<Option<Key>, ProfileError> {
        let name = KeyName { user: NO_USER, epoch: None };
        if !self.seals && self.keys.known().key(name).is_none() {
            let stored = self.store.keys(&[NO_USER], KeyPurpose::Profile).await?;
            if stored.iter().all(|keys| keys.data.is_empty()) {
                return Ok(None);
            }
        }
        Ok(Some(self.keys.newest(NO_USER).await?.key))
    }

    async fn open_all(&self, mut users: Vec<User>) -> Vec<User> {
        let unknown: HashSet<KeyName> =
            users.iter().flat_map(key_names).filter(|name| self.keys.known().key(*name).is_none()).collect();
        let unknown: Vec<KeyName> = unknown.into_iter().collect();
        if !unknown.is_empty()
            && let Err(error) = self.keys.fetch(&unknown).await
        {
            debug!(users = unknown.len(), %error, "no keys for profiles: shown by their usernames");
        }
        for user in users.iter_mut().filter(|user| is_sealed(user)) {
            let known = self.keys.known();
            *user = match open(user, |epoch| known.key(KeyName { user: user.id, epoch: Some(epoch) })) {
                Ok(opened) => opened,
                Err(_) => {
                    metrics::counter!("natter_unopened_profiles_total").increment(1);
                    stored::without_key(user)
                }
            };
        }
        users
    }
}

fn key_names(user: &User) -> impl Iterator<Item = KeyName> {
    let id = user.id;
    epochs(user).map(move |epoch| KeyName { user: id, epoch: Some(epoch) })
}

/// With both fields sealed.
pub(super) fn sealed(user: &User, sealer: &Sealer) -> Result<User, NoRandomness> {
    let (email, display_name) = (sealer.email(&user.email)?, sealer.display_name(&user.display_name)?);
    Ok(User { email, display_name, ..user.clone() })
}
