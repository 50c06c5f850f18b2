//! Keys of users. Added conditionally: two workers that make a key at once must not each seal with their own.

use async_trait::async_trait;
use natter_schemas::id::UserId;
use uuid::Uuid;

use super::{ScyllaStore, columns::raw, concurrent::each};
use crate::{
    KeyPurpose, KeyStore, Result, StoreError, UserKeys, WrappedDataKey, WrappedUserKey, erasures::NO_ROOT,
};

#[async_trait]
impl KeyStore for ScyllaStore {
    async fn keys(&self, users: &[UserId], purpose: KeyPurpose) -> Result<Vec<UserKeys>> {
        each(users.to_owned(), |user| self.keys_of(user, purpose)).await
    }

    async fn add_user_key(&self, user: UserId, key: &WrappedUserKey) -> Result<bool> {
        let row = (raw(user.as_bytes()), &key.root, &key.wrapped);
        self.db.applied(&self.db.statements.add_user_key, row).await
    }

    async fn user_keys_after(
        &self,
        after: Option<UserId>,
        most: usize,
    ) -> Result<Vec<(UserId, WrappedUserKey)>> {
        let s = &self.db.statements;
        let key = |(user, root, wrapped): (Uuid, String, Vec<u8>)| {
            let key = (root != NO_ROOT).then_some(WrappedUserKey { root, wrapped });
            Ok(key.map(|key| (UserId::from_uuid(user), key)))
        };
        match after {
            None => self.db.scan(&s.user_keys, (), most, key).await,
            Some(after) => self.db.scan(&s.user_keys_after, (raw(after.as_bytes()),), most, key).await,
        }
    }

    async fn replace_user_key(
        &self,
        user: UserId,
        from: &WrappedUserKey,
        to: &WrappedUserKey,
    ) -> Result<bool> {
        let row = (&to.root, &to.wrapped, raw(user.as_bytes()), &from.root, &from.wrapped);
        self.db.applied(&self.db.statements.replace_user_key, row).await
    }

    async fn add_data_key(&self, user: UserId, purpose: KeyPurpose, key: &WrappedDataKey) -> Result<bool> {
        let row = (raw(user.as_bytes()), purpose.name(), i64::from(key.epoch), &key.wrapped);
        self.db.applied(&self.db.statements.add_data_key, row).await
    }

    async fn remove_data_key(&self, user: UserId, purpose: KeyPurpose, epoch: u32) -> Result<bool> {
        let row = (raw(user.as_bytes()), purpose.name(), i64::from(epoch));
        self.db.applied(&self.db.statements.delete_data_key, row).await
    }
}

impl ScyllaStore {
    async fn keys_of(&self, user: UserId, purpose: KeyPurpose) -> Result<UserKeys> {
        let (id, s) = (raw(user.as_bytes()), &self.db.statements);
        let own = self.db.first::<(String, Vec<u8>)>(&s.user_key, (id,)).await?;
        let data = self.db.all::<(i64, Vec<u8>)>(&s.data_keys, (id, purpose.name())).await?;
        let key = |(epoch, wrapped)| match u32::try_from(epoch) {
            Ok(epoch) => Ok(WrappedDataKey { epoch, wrapped }),
            Err(_) => Err(StoreError::Corrupt(format!("user {user} has a data key of epoch {epoch}"))),
        };
        Ok(UserKeys {
            own: own
                .filter(|(root, _)| root != NO_ROOT)
                .map(|(root, wrapped)| WrappedUserKey { root, wrapped }),
            data: data.into_iter().map(key).collect::<Result<_>>()?,
        })
    }
}
