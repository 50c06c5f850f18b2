use std::collections::HashSet;

use natter_schemas::{
    code::Code,
    id::UserId,
    limits,
    rpc::{GetDataKeys, IssuedKey, KeyName},
};

use super::{Keys, ring::KeyRing};
use crate::services::Failure;

impl Keys {
    pub(super) async fn data_keys(&self, call: GetDataKeys) -> Result<Vec<Option<IssuedKey>>, Failure> {
        if call.names.len() > limits::KEYS_IN_CALL {
            return Err(Code::TooLarge.into());
        }
        let users: HashSet<UserId> = call.names.iter().map(|name| name.user).collect();
        let ring = KeyRing { store: &*self.store, roots: &self.roots };
        let mut known = ring.read(users.into_iter().collect()).await?;
        let mut issued = Vec::with_capacity(call.names.len());
        for KeyName { user, epoch } in call.names {
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
