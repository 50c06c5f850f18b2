use std::collections::{BTreeMap, HashMap};

use natter_schemas::id::UserId;
use natter_seal::{Key, unwrap, wrap};
use natter_store::{KeyPurpose, Store, UserKeys, WrappedDataKey};
use tracing::error;

use super::{place::place, roots::Roots};
use crate::services::Failure;

/// Of the first data key of a user.
const FIRST: u32 = 1;

/// Stored keys, and what opens them.
#[derive(Clone, Copy)]
pub struct KeyRing<'a> {
    pub store: &'a dyn Store,
    pub roots: &'a Roots,
    pub purpose: KeyPurpose,
}

impl KeyRing<'_> {
    /// What there is of the users' keys. A key that no root unwraps is reported, and its user is `locked`.
    pub async fn read(&self, users: Vec<UserId>) -> Result<HashMap<UserId, OpenKeys>, Failure> {
        let stored = self.store.keys(&users, self.purpose).await?;
        let stored: Vec<(UserId, UserKeys)> = users.into_iter().zip(stored).collect();
        let wrapped: Vec<_> =
            stored.iter().filter_map(|(user, keys)| Some((*user, keys.own.as_ref()?))).collect();
        let own = self.roots.unwrap(&wrapped).await?;
        let own: HashMap<UserId, Key> =
            wrapped.iter().zip(own).filter_map(|((user, _), key)| Some((*user, key?))).collect();
        let opened = stored.into_iter().map(|(user, keys)| match own.get(&user) {
            Some(own) => {
                let data = open(user, own, (self.purpose, &keys.data));
                (user, OpenKeys { data, own: Some(own.clone()), locked: false })
            }
            None => (user, OpenKeys { locked: keys.own.is_some(), ..OpenKeys::default() }),
        });
        Ok(opened.collect())
    }

    /// Makes what the user lacks of a key of their own and a first data key. Of workers that do so at once each goes on with
    /// what was stored first. No second key takes the place of one that does not open: then there is none.
    pub async fn make(&self, user: UserId) -> Result<OpenKeys, Failure> {
        let before = self.read_one(user).await?;
        let own = match before.own {
            Some(own) => own,
            None => {
                let key = Key::random()?;
                self.store.add_user_key(user, &self.roots.wrap(user, &key).await?).await?;
                match self.read_one(user).await?.own {
                    Some(own) => own,
                    None => return Ok(OpenKeys::default()),
                }
            }
        };
        let wrapped = wrap(&Key::random()?, &own, &place(user, self.purpose, FIRST))?;
        let data = WrappedDataKey { epoch: FIRST, wrapped };
        self.store.add_data_key(user, self.purpose, &data).await?;
        self.read_one(user).await
    }

    async fn read_one(&self, user: UserId) -> Result<OpenKeys, Failure> {
        Ok(self.read(vec![user]).await?.remove(&user).unwrap_or_default())
    }
}

/// Keys of one user in clear.
#[derive(Default)]
pub struct OpenKeys {
    own: Option<Key>,
    /// By epoch.
    pub data: BTreeMap<u32, Key>,
    /// There is a key of the user's own, and no root that is set opens it.
    pub locked: bool,
}

fn open(user: UserId, own: &Key, (purpose, data): (KeyPurpose, &[WrappedDataKey])) -> BTreeMap<u32, Key> {
    let open = |data: &WrappedDataKey| {
        let key = unwrap(&data.wrapped, own, &place(user, purpose, data.epoch));
        if key.is_none() {
            error!(%user, epoch = data.epoch, "a stored data key is damaged: what it sealed cannot be read");
        }
        Some((data.epoch, key?))
    };
    data.iter().filter_map(open).collect()
}
