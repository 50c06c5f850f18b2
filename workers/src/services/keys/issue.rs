use std::collections::HashSet;

use natter_schemas::{
    code::Code,
    id::UserId,
    limits,
    rpc::{GetDataKeys, GetOwnKey, GetProfileKeys, IssuedKey, KeyName},
};
use natter_store::KeyPurpose;

use super::{Keys, ring::KeyRing};
use crate::services::Failure;

impl Keys {
    pub(super) async fn data_keys(&self, call: GetDataKeys) -> Result<Vec<Option<IssuedKey>>, Failure> {
        self.issue(call.names, KeyPurpose::Messages).await
    }

    pub(super) async fn profile_keys(&self, call: GetProfileKeys) -> Result<Vec<Option<IssuedKey>>, Failure> {
        self.issue(call.names, KeyPurpose::Profile).await
    }

    pub(super) async fn own_key(&self, GetOwnKey { user }: GetOwnKey) -> Result<Option<IssuedKey>, Failure> {
        let newest = KeyName { user, epoch: None };
        Ok(self.issue(vec![newest], KeyPurpose::Messages).await?.pop().flatten())
    }

    async fn issue(
        &self,
        names: Vec<KeyName>,
        purpose: KeyPurpose,
    ) -> Result<Vec<Option<IssuedKey>>, Failure> {
        if names.len() > limits::KEYS_IN_CALL {
            return Err(Code::TooLarge.into());
        }
        let users: HashSet<UserId> = names.iter().map(|name| name.user).collect();
        let ring = KeyRing { store: &*self.store, roots: &self.roots, purpose };
        let mut known = ring.read(users.into_iter().collect()).await?;
        let mut issued = Vec::with_capacity(names.len());
        for KeyName { user, epoch } in names {
            let keys = known.entry(user).or_default();
            let key = match epoch {
                Some(epoch) => keys.data.get(&epoch).map(|key| (epoch, key)),
                None => {
                    if keys.data.is_empty() {
                        *keys = ring.make(user).await?;
                    }
                    keys.data.iter().next_back().map(|(epoch, key)| (*epoch, key))
                }
            };
            issued.push(key.map(|(epoch, key)| IssuedKey { epoch, key: *key.bytes() }));
        }
        Ok(issued)
    }
}
