use std::collections::{BTreeMap, HashMap, HashSet};

use natter_schemas::{
    code::Code,
    id::UserId,
    limits,
    rpc::{GetDataKeys, IssuedKey, KeyName},
};
use natter_seal::{Key, unwrap, wrap};
use natter_store::{KeyPurpose, UserKeys, WrappedDataKey};
use tracing::error;

use super::{Keys, place::place};
use crate::services::Failure;

/// Of the first data key of a user.
const FIRST: u32 = 1;

impl Keys {
    pub(super) async fn data_keys(&self, call: GetDataKeys) -> Result<Vec<Option<IssuedKey>>, Failure> {
        if call.names.len() > limits::KEYS_IN_CALL {
            return Err(Code::TooLarge.into());
        }
        let users: HashSet<UserId> = call.names.iter().map(|name| name.user).collect();
        let mut known = self.read(users.into_iter().collect()).await?;
        let mut issued = Vec::with_capacity(call.names.len());
        for KeyName { user, epoch } in call.names {
            let keys = known.entry(user).or_default();
            let key = match epoch {
                Some(epoch) => keys.data.get(&epoch).map(|key| (epoch, key)),
                None => {
                    if keys.data.is_empty() {
                        *keys = self.make(user).await?;
                    }
                    keys.data.iter().next_back().map(|(epoch, key)| (*epoch, key))
                }
            };
            issued.push(key.map(|(epoch, key)| IssuedKey { epoch, key: *key.bytes() }));
        }
        Ok(issued)
    }

    /// What there is of the users' keys. A key that no root unwraps is reported and left out.
    async fn read(&self, users: Vec<UserId>) -> Result<HashMap<UserId, OpenKeys>, Failure> {
        let stored = self.store.keys(&users, KeyPurpose::Messages).await?;
        let stored: Vec<(UserId, UserKeys)> = users.into_iter().zip(stored).collect();
        let wrapped: Vec<_> =
            stored.iter().filter_map(|(user, keys)| Some((*user, keys.own.as_ref()?))).collect();
        let own = self.roots.unwrap(&wrapped).await?;
        let own: HashMap<UserId, Key> =
            wrapped.iter().zip(own).filter_map(|((user, _), key)| Some((*user, key?))).collect();
        let opened = stored.into_iter().filter_map(|(user, keys)| {
            let own = own.get(&user)?;
            Some((user, OpenKeys { data: open(user, own, &keys.data), own: Some(own.clone()) }))
        });
        Ok(opened.collect())
    }

    /// Makes what the user lacks of a key of their own and a first data key. Of workers that do so at once each goes on with
    /// what was stored first. No second key takes the place of one that does not open: then there is none.
    async fn make(&self, user: UserId) -> Result<OpenKeys, Failure> {
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
        let wrapped = wrap(&Key::random()?, &own, &place(user, FIRST))?;
        let data = WrappedDataKey { epoch: FIRST, wrapped };
        self.store.add_data_key(user, KeyPurpose::Messages, &data).await?;
        self.read_one(user).await
    }

    async fn read_one(&self, user: UserId) -> Result<OpenKeys, Failure> {
        Ok(self.read(vec![user]).await?.remove(&user).unwrap_or_default())
    }
}

/// Keys of one user in clear.
#[derive(Default)]
struct OpenKeys {
    own: Option<Key>,
    /// By epoch.
    data: BTreeMap<u32, Key>,
}

fn open(user: UserId, own: &Key, data: &[WrappedDataKey]) -> BTreeMap<u32, Key> {
    let open = |data: &WrappedDataKey| {
        let key = unwrap(&data.wrapped, own, &place(user, data.epoch));
        if key.is_none() {
            error!(%user, epoch = data.epoch, "a stored data key is damaged: what it sealed cannot be read");
        }
        Some((data.epoch, key?))
    };
    data.iter().filter_map(open).collect()
}
