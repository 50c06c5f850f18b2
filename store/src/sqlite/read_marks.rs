//! Read marks, and what is beyond them.

use async_trait::async_trait;
use natter_schemas::{
    event::Timestamp,
    id::{ConversationId, Seq, UserId},
};
use rusqlite::{Connection, OptionalExtension, params};

use super::{
    SqliteStore,
    columns::{count, int, seq as seq_of},
};
use crate::{ReadMarkStore, Result};

#[async_trait]
impl ReadMarkStore for SqliteStore {
    async fn advance_read(
        &self,
        conversation: ConversationId,
        user: UserId,
        seq: Seq,
        at: Timestamp,
    ) -> Result<Seq> {
        self.writer
            .write(1, move |db| {
                advance(db, conversation, user, seq, at)?;
                mark(db, conversation, user)
            })
            .await
    }

    async fn read_mark(&self, conversation: ConversationId, user: UserId) -> Result<Seq> {
        self.readers.read(move |db| mark(db, conversation, user)).await
    }

    async fn countable(
        &self,
        conversation: ConversationId,
        user: UserId,
        after: Seq,
        up_to: Seq,
        limit: usize,
    ) -> Result<Vec<Seq>> {
        self.readers
            .read(move |db| {
                let mut countable = db.prepare_cached(COUNTABLE)?;
                let (id, user) = (conversation.as_bytes(), user.as_bytes());
                let params = params![id, int(after), int(up_to), user, count(limit)];
                Ok(countable.query_map(params, |row| seq_of(row, 0))?.collect::<rusqlite::Result<_>>()?)
            })
            .await
    }
}

const COUNTABLE: &str = "
    SELECT m.seq FROM messages m
     WHERE m.conversation = ?1 AND m.seq > ?2 AND m.seq <= ?3 AND m.author <> ?4
       AND NOT EXISTS (SELECT 1 FROM changes d INDEXED BY changes_by_target
                        WHERE d.conversation = m.conversation AND d.target = m.seq AND d.kind = 3
                          AND d.seq > m.seq)
     ORDER BY m.seq LIMIT ?5";

/// Forward only.
pub fn advance(
    db: &Connection,
    conversation: ConversationId,
    user: UserId,
    seq: Seq,
    at: Timestamp,
) -> Result<()> {
    db.prepare_cached(
        "INSERT INTO reads (conversation, user, seq, at) VALUES (?1, ?2, ?3, ?4)
         ON CONFLICT (conversation, user) DO UPDATE SET seq = excluded.seq, at = excluded.at
          WHERE excluded.seq > reads.seq",
    )?
    .execute(params![conversation.as_bytes(), user.as_bytes(), int(seq), at.0])?;
    Ok(())
}

fn mark(db: &Connection, conversation: ConversationId, user: UserId) -> Result<Seq> {
    let found = db
        .prepare_cached("SELECT seq FROM reads WHERE conversation = ?1 AND user = ?2")?
        .query_row(params![conversation.as_bytes(), user.as_bytes()], |row| seq_of(row, 0))
        .optional()?;
    Ok(found.unwrap_or(0))
}
