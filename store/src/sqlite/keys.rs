//! Keys of users.

use async_trait::async_trait;
use natter_schemas::id::UserId;
use rusqlite::{Connection, OptionalExtension, params};

use super::{SqliteStore, columns};
use crate::{KeyPurpose, KeyStore, Result, UserKeys, WrappedDataKey, WrappedUserKey, erasures::NO_ROOT};

#[async_trait]
impl KeyStore for SqliteStore {
    async fn keys(&self, users: &[UserId], purpose: KeyPurpose) -> Result<Vec<UserKeys>> {
        let users = users.to_owned();
        self.readers
            .read(move |db| users.into_iter().map(|user| Ok(keys_of(db, user, purpose)?)).collect())
            .await
    }

    async fn add_user_key(&self, user: UserId, key: &WrappedUserKey) -> Result<bool> {
        let WrappedUserKey { root, wrapped } = key.clone();
        self.writer
            .write(1, move |db| {
                let mut add = db.prepare_cached(
                    "INSERT INTO user_keys (user, root, wrapped) VALUES (?1, ?2, ?3) ON CONFLICT DO NOTHING",
                )?;
                Ok(add.execute(params![user.as_bytes(), root, wrapped])? > 0)
            })
            .await
    }

    async fn user_keys_after(
        &self,
        after: Option<UserId>,
        most: usize,
    ) -> Result<Vec<(UserId, WrappedUserKey)>> {
        self.readers
            .read(move |db| {
                let after = after.as_ref().map_or(&[][..], |user| user.as_bytes().as_slice());
                let mut keys = db.prepare_cached(
                    "SELECT user, root, wrapped FROM user_keys
                      WHERE user > ?1 AND root <> ?3 ORDER BY user LIMIT ?2",
                )?;
                let keys = keys.query_map(params![after, columns::count(most), NO_ROOT], |row| {
                    Ok((columns::user(row, 0)?, WrappedUserKey { root: row.get(1)?, wrapped: row.get(2)? }))
                })?;
                Ok(keys.collect::<rusqlite::Result<_>>()?)
            })
            .await
    }

    async fn replace_user_key(
        &self,
        user: UserId,
        from: &WrappedUserKey,
        to: &WrappedUserKey,
    ) -> Result<bool> {
        let (from, to) = (from.clone(), to.clone());
        self.writer
            .write(1, move |db| {
                let mut replace = db.prepare_cached(
                    "UPDATE user_keys SET root = ?4, wrapped = ?5 WHERE user = ?1 AND root = ?2 AND wrapped = ?3",
                )?;
                let row = params![user.as_bytes(), from.root, from.wrapped, to.root, to.wrapped];
                Ok(replace.execute(row)? > 0)
            })
            .await
    }

    async fn add_data_key(&self, user: UserId, purpose: KeyPurpose, key: &WrappedDataKey) -> Result<bool> {
        let WrappedDataKey { epoch, wrapped } = key.clone();
        self.writer
            .write(1, move |db| {
                let mut add = db.prepare_cached(
                    "INSERT INTO data_keys (user, purpose, epoch, wrapped) VALUES (?1, ?2, ?3, ?4)
                     ON CONFLICT DO NOTHING",
                )?;
                Ok(add.execute(params![user.as_bytes(), purpose.name(), epoch, wrapped])? > 0)
            })
            .await
    }

    async fn remove_data_key(&self, user: UserId, purpose: KeyPurpose, epoch: u32) -> Result<bool> {
        self.writer
            .write(1, move |db| {
                let mut remove = db.prepare_cached(
                    "DELETE FROM data_keys WHERE user = ?1 AND purpose = ?2 AND epoch = ?3",
                )?;
                Ok(remove.execute(params![user.as_bytes(), purpose.name(), epoch])? > 0)
            })
            .await
    }
}

fn keys_of(db: &Connection, user: UserId, purpose: KeyPurpose) -> rusqlite::Result<UserKeys> {
    let own = db
        .prepare_cached("SELECT root, wrapped FROM user_keys WHERE user = ?1 AND root <> ?2")?
        .query_row(params![user.as_bytes(), NO_ROOT], |row| {
            Ok(WrappedUserKey { root: row.get(0)?, wrapped: row.get(1)? })
        })
        .optional()?;
    let mut data = db.prepare_cached(
        "SELECT epoch, wrapped FROM data_keys WHERE user = ?1 AND purpose = ?2 ORDER BY epoch",
    )?;
    let data = data.query_map(params![user.as_bytes(), purpose.name()], |row| {
        Ok(WrappedDataKey { epoch: row.get(0)?, wrapped: row.get(1)? })
    })?;
    Ok(UserKeys { own, data: data.collect::<rusqlite::Result<_>>()? })
}
