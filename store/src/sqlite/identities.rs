//! Identities at providers.

use async_trait::async_trait;
use natter_schemas::id::UserId;
use rusqlite::{OptionalExtension, params};

use super::{SqliteStore, columns::user as user_id};
use crate::{Identity, IdentityStore, Result};

const HOLDER: &str = "SELECT user FROM identities WHERE issuer = ?1 AND subject = ?2";

#[async_trait]
impl IdentityStore for SqliteStore {
    async fn user_of_identity(&self, identity: &Identity) -> Result<Option<UserId>> {
        let Identity { issuer, subject } = identity.clone();
        self.readers
            .read(move |db| {
                let mut holder = db.prepare_cached(HOLDER)?;
                Ok(holder.query_row(params![issuer, subject], |row| user_id(row, 0)).optional()?)
            })
            .await
    }

    async fn claim_identity(&self, identity: &Identity, user: UserId) -> Result<UserId> {
        let Identity { issuer, subject } = identity.clone();
        self.writer
            .write(1, move |db| {
                db.prepare_cached(
                    "INSERT INTO identities (issuer, subject, user) VALUES (?1, ?2, ?3) ON CONFLICT DO NOTHING",
                )?
                .execute(params![issuer, subject, user.as_bytes()])?;
                let mut holder = db.prepare_cached(HOLDER)?;
                Ok(holder.query_row(params![issuer, subject], |row| user_id(row, 0))?)
            })
            .await
    }

    async fn move_identity(&self, identity: &Identity, from: UserId, to: UserId) -> Result<bool> {
        let Identity { issuer, subject } = identity.clone();
        self.writer
            .write(1, move |db| {
                let mut give = db.prepare_cached(
                    "UPDATE identities SET user = ?4 WHERE issuer = ?1 AND subject = ?2 AND user = ?3",
                )?;
                Ok(give.execute(params![issuer, subject, from.as_bytes(), to.as_bytes()])? > 0)
            })
            .await
    }

    async fn identities_of(&self, user: UserId) -> Result<Vec<Identity>> {
        self.readers
            .read(move |db| {
                let mut all = db.prepare_cached(
                    "SELECT issuer, subject FROM identities WHERE user = ?1 ORDER BY issuer, subject",
                )?;
                let all = all.query_map([user.as_bytes()], |row| {
                    Ok(Identity { issuer: row.get(0)?, subject: row.get(1)? })
                })?;
                Ok(all.collect::<rusqlite::Result<_>>()?)
            })
            .await
    }

    async fn remove_identities(&self, user: UserId) -> Result<()> {
        self.writer
            .write(1, move |db| {
                db.prepare_cached("DELETE FROM identities WHERE user = ?1")?.execute([user.as_bytes()])?;
                Ok(())
            })
            .await
    }
}
