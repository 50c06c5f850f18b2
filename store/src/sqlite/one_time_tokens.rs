//! Tokens that were sent to users.

use async_trait::async_trait;
use natter_schemas::{event::Timestamp, id::UserId};
use rusqlite::{OptionalExtension, params};

use super::{SqliteStore, columns::time};
use crate::{OneTimeToken, OneTimeTokenStore, Result, TokenHash, TokenPurpose};

/// Expired tokens removed when one is stored: more than expire between two, so that none are left in the end.
const EXPIRED_REMOVED: i64 = 10;

#[async_trait]
impl OneTimeTokenStore for SqliteStore {
    async fn put_one_time_token(
        &self,
        user: UserId,
        purpose: TokenPurpose,
        token: &OneTimeToken,
        now: Timestamp,
    ) -> Result<()> {
        let OneTimeToken { hash, expires_at } = *token;
        self.writer
            .write(1, move |db| {
                db.prepare_cached(
                    "DELETE FROM one_time_tokens WHERE (user, purpose) IN
                     (SELECT user, purpose FROM one_time_tokens WHERE expires_at <= ?1 LIMIT ?2)",
                )?
                .execute(params![now.0, EXPIRED_REMOVED])?;
                db.prepare_cached(
                    "INSERT OR REPLACE INTO one_time_tokens (user, purpose, hash, expires_at)
                     VALUES (?1, ?2, ?3, ?4)",
                )?
                .execute(params![user.as_bytes(), purpose.name(), hash, expires_at.0])?;
                Ok(())
            })
            .await
    }

    async fn take_one_time_token(
        &self,
        user: UserId,
        purpose: TokenPurpose,
        hash: &TokenHash,
    ) -> Result<Option<Timestamp>> {
        let hash = *hash;
        self.writer
            .write(1, move |db| {
                let mut take = db.prepare_cached(
                    "DELETE FROM one_time_tokens WHERE user = ?1 AND purpose = ?2 AND hash = ?3
                     RETURNING expires_at",
                )?;
                let taken =
                    take.query_row(params![user.as_bytes(), purpose.name(), hash], |row| time(row, 0));
                Ok(taken.optional()?)
            })
            .await
    }

    async fn find_one_time_token(
        &self,
        user: UserId,
        purpose: TokenPurpose,
        hash: &TokenHash,
    ) -> Result<Option<Timestamp>> {
        let hash = *hash;
        self.readers
            .read(move |db| {
                let mut find = db.prepare_cached(
                    "SELECT expires_at FROM one_time_tokens WHERE user = ?1 AND purpose = ?2 AND hash = ?3",
                )?;
                let found =
                    find.query_row(params![user.as_bytes(), purpose.name(), hash], |row| time(row, 0));
                Ok(found.optional()?)
            })
            .await
    }

    async fn remove_one_time_tokens(&self, user: UserId) -> Result<()> {
        self.writer
            .write(1, move |db| {
                db.prepare_cached("DELETE FROM one_time_tokens WHERE user = ?1")?
                    .execute([user.as_bytes()])?;
                Ok(())
            })
            .await
    }
}
