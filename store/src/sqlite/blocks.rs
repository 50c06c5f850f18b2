//! Who has blocked whom.

use async_trait::async_trait;
use natter_schemas::{event::Timestamp, id::UserId};
use rusqlite::{Connection, params};

use super::{
    SqliteStore,
    columns::{count, user as user_of},
};
use crate::{BlockStore, Result};

#[async_trait]
impl BlockStore for SqliteStore {
    async fn block(&self, user: UserId, other: UserId, at: Timestamp, most: usize) -> Result<bool> {
        self.writer.write(1, move |db| add(db, user, other, at, most)).await
    }

    async fn unblock(&self, user: UserId, other: UserId) -> Result<()> {
        self.writer
            .write(1, move |db| {
                db.prepare_cached("DELETE FROM blocks WHERE user = ?1 AND other = ?2")?
                    .execute(params![user.as_bytes(), other.as_bytes()])?;
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

    async fn blockers(&self, user: UserId, after: Option<UserId>, most: usize) -> Result<Vec<UserId>> {
        self.readers
            .read(move |db| {
                let mut of = db.prepare_cached(
                    "SELECT user FROM blocks WHERE other = ?1 AND user > ?2 ORDER BY user LIMIT ?3",
                )?;
                let after = after.map_or([0; 16], |after| *after.as_bytes());
                let users =
                    of.query_map(params![user.as_bytes(), after, count(most)], |row| user_of(row, 0))?;
                Ok(users.collect::<rusqlite::Result<_>>()?)
            })
            .await
    }

    async fn blocked_with(&self, user: UserId, others: &[UserId]) -> Result<Vec<UserId>> {
        let others = others.to_owned();
        self.readers
            .read(move |db| {
                let mut found = Vec::new();
                for other in others {
                    if exists(db, user, other)? || exists(db, other, user)? {
                        found.push(other);
                    }
                }
                Ok(found)
            })
            .await
    }

    async fn blocked_by(&self, user: UserId, others: &[UserId]) -> Result<Vec<UserId>> {
        let others = others.to_owned();
        self.readers
            .read(move |db| {
                let mut found = Vec::new();
                for other in others {
                    if exists(db, other, user)? {
                        found.push(other);
                    }
                }
                Ok(found)
            })
            .await
    }
}

/// The one writer of the file decides: nothing comes between the count and the row.
fn add(db: &Connection, user: UserId, other: UserId, at: Timestamp, most: usize) -> Result<bool> {
    if exists(db, user, other)? {
        return Ok(true);
    }
    let full = db
        .prepare_cached("SELECT count(*) >= ?2 FROM (SELECT 1 FROM blocks WHERE user = ?1 LIMIT ?2)")?
        .query_row(params![user.as_bytes(), count(most)], |row| row.get(0))?;
    if full {
        return Ok(false);
    }
    db.prepare_cached("INSERT INTO blocks (user, other, at) VALUES (?1, ?2, ?3)")?.execute(params![
        user.as_bytes(),
        other.as_bytes(),
        at.0
    ])?;
    Ok(true)
}

fn exists(db: &Connection, user: UserId, other: UserId) -> Result<bool> {
    let found = db
        .prepare_cached("SELECT 1 FROM blocks WHERE user = ?1 AND other = ?2")?
        .exists(params![user.as_bytes(), other.as_bytes()])?;
    Ok(found)
}
