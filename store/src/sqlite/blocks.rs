//! Who has blocked whom.

use natter_schemas::{event::Timestamp, id::UserId};
use rusqlite::{Connection, params};

use super::columns::user as user_of;
use crate::Result;

pub fn set(db: &Connection, user: UserId, other: UserId, on: bool, at: Timestamp) -> Result<()> {
    if on {
        db.prepare_cached(
            "INSERT INTO blocks (user, other, at) VALUES (?1, ?2, ?3) ON CONFLICT (user, other) DO NOTHING",
        )?
        .execute(params![user.as_bytes(), other.as_bytes(), at.0])?;
    } else {
        db.prepare_cached("DELETE FROM blocks WHERE user = ?1 AND other = ?2")?
            .execute(params![user.as_bytes(), other.as_bytes()])?;
    }
    Ok(())
}

pub fn of(db: &Connection, user: UserId) -> Result<Vec<UserId>> {
    let mut of = db.prepare_cached("SELECT other FROM blocks WHERE user = ?1 ORDER BY at, other")?;
    Ok(of.query_map([user.as_bytes()], |row| user_of(row, 0))?.collect::<rusqlite::Result<_>>()?)
}

pub fn with(db: &Connection, user: UserId) -> Result<Vec<UserId>> {
    let mut with = db.prepare_cached(
        "SELECT other FROM blocks WHERE user = ?1 UNION SELECT user FROM blocks WHERE other = ?1",
    )?;
    Ok(with.query_map([user.as_bytes()], |row| user_of(row, 0))?.collect::<rusqlite::Result<_>>()?)
}
