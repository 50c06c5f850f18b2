//! Who has blocked whom.

use async_trait::async_trait;
use natter_schemas::{event::Timestamp, id::UserId};
use rusqlite::params;

use super::{SqliteStore, columns::user as user_of};
use crate::{BlockStore, Result};

#[async_trait]
impl BlockStore for SqliteStore {
    async fn set_block(&self, user: UserId, other: UserId, on: bool, at: Timestamp) -> Result<()> {
        self.writer
            .write(1, move |db| {
                if on {
                    db.prepare_cached(
                        "INSERT INTO blocks (user, other, at) VALUES (?1, ?2, ?3)
                         ON CONFLICT (user, other) DO NOTHING",
                    )?
                    .execute(params![user.as_bytes(), other.as_bytes(), at.0])?;
                } else {
                    db.prepare_cached("DELETE FROM blocks WHERE user = ?1 AND other = ?2")?
                        .execute(params![user.as_bytes(), other.as_bytes()])?;
                }
                Ok(())
            })
            .await
    }

    async fn blocks_of(&self, user: UserId) -> Result<Vec<UserId>> {
        self.readers
            .read(move |db| {
                let mut of =
                    db.prepare_cached("SELECT other FROM blocks WHERE user = ?1 ORDER BY at, other")?;
                let others = of.query_map([user.as_bytes()], |row| user_of(row, 0))?;
                Ok(others.collect::<rusqlite::Result<_>>()?)
            })
            .await
    }

    async fn blocked_with(&self, user: UserId) -> Result<Vec<UserId>> {
        self.readers
            .read(move |db| {
                let mut with = db.prepare_cached(
                    "SELECT other FROM blocks WHERE user = ?1 UNION SELECT user FROM blocks WHERE other = ?1",
                )?;
                let others = with.query_map([user.as_bytes()], |row| user_of(row, 0))?;
                Ok(others.collect::<rusqlite::Result<_>>()?)
            })
            .await
    }

    async fn blocked_by(&self, user: UserId, others: &[UserId]) -> Result<Vec<UserId>> {
        let others = others.to_owned();
        self.readers
            .read(move |db| {
                let mut block = db.prepare_cached("SELECT 1 FROM blocks WHERE user = ?1 AND other = ?2")?;
                let mut found = Vec::new();
                for other in others {
                    if block.exists(params![other.as_bytes(), user.as_bytes()])? {
                        found.push(other);
                    }
                }
                Ok(found)
            })
            .await
    }
}
