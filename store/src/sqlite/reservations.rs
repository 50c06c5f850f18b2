//! Who is about to become a member. The one writer of the file decides: nothing comes between the count and the row.

use async_trait::async_trait;
use natter_schemas::id::{ReservationId, UserId};
use rusqlite::{Connection, params};

use super::{
    SqliteStore,
    columns::{conversation, count, time},
};
use crate::{Reservation, ReservationStore, Result};

#[async_trait]
impl ReservationStore for SqliteStore {
    async fn reserve(&self, reservation: Reservation, users: &[UserId], most: usize) -> Result<Vec<UserId>> {
        let users = users.to_owned();
        self.writer
            .write(users.len(), move |db| {
                let mut full = Vec::new();
                for user in &users {
                    if taken(db, *user, reservation, most)? >= most {
                        full.push(*user);
                    }
                }
                if full.is_empty() {
                    users.iter().try_for_each(|user| add(db, *user, reservation))?;
                }
                Ok(full)
            })
            .await
    }

    async fn release(&self, reservation: Reservation, users: &[UserId]) -> Result<()> {
        let users = users.to_owned();
        self.writer
            .write(users.len(), move |db| {
                let mut release = db.prepare_cached(
                    "DELETE FROM reservations WHERE user = ?1 AND conversation = ?2 AND id = ?3",
                )?;
                for user in users {
                    let (conversation, id) = (reservation.conversation.as_bytes(), reservation.id.as_bytes());
                    release.execute(params![user.as_bytes(), conversation, id])?;
                }
                Ok(())
            })
            .await
    }

    async fn reservations(&self, user: UserId) -> Result<Vec<Reservation>> {
        self.readers
            .read(move |db| {
                let mut of = db.prepare_cached(
                    "SELECT conversation, id, at FROM reservations WHERE user = ?1 ORDER BY at, conversation, id",
                )?;
                let rows = of.query_map([user.as_bytes()], |row| {
                    let id = row.get(1).map(ReservationId::from_bytes)?;
                    Ok(Reservation { id, conversation: conversation(row, 0)?, at: time(row, 2)? })
                })?;
                Ok(rows.collect::<rusqlite::Result<_>>()?)
            })
            .await
    }
}

/// Conversations other than this that the user is in or is about to be, counted to `most` or a little further.
fn taken(db: &Connection, user: UserId, of: Reservation, most: usize) -> Result<usize> {
    let mut counted = db.prepare_cached(
        "SELECT (SELECT count(*) FROM (SELECT 1 FROM members
                  WHERE user = ?1 AND role IS NOT NULL AND conversation <> ?2 LIMIT ?3))
              + (SELECT count(DISTINCT r.conversation) FROM reservations r
                  WHERE r.user = ?1 AND r.conversation <> ?2
                    AND NOT EXISTS (SELECT 1 FROM members m WHERE m.conversation = r.conversation
                                       AND m.user = ?1 AND m.role IS NOT NULL))",
    )?;
    let found: i64 = counted
        .query_row(params![user.as_bytes(), of.conversation.as_bytes(), count(most)], |row| row.get(0))?;
    Ok(usize::try_from(found).unwrap_or(0))
}

fn add(db: &Connection, user: UserId, Reservation { id, conversation, at }: Reservation) -> Result<()> {
    db.prepare_cached(
        "INSERT OR IGNORE INTO reservations (user, conversation, id, at) VALUES (?1, ?2, ?3, ?4)",
    )?
    .execute(params![user.as_bytes(), conversation.as_bytes(), id.as_bytes(), at.0])?;
    Ok(())
}
