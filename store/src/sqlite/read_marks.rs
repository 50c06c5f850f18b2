//! Read marks, and what is beyond them.

use async_trait::async_trait;
use natter_schemas::{
    event::Timestamp,
    id::{ConversationId, Seq, UserId},
};
use rusqlite::{Connection, OptionalExtension, Row, params};

use super::{
    SqliteStore,
    columns::{count, int, seq as seq_of},
};
use crate::{ReadMarkStore, ReadPosition, Result, UnreadMark};

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

    async fn read_position(&self, conversation: ConversationId, user: UserId) -> Result<ReadPosition> {
        self.readers
            .read(move |db| {
                let found = db
                    .prepare_cached(
                        "SELECT seq, unread_version, unread_position, unread_over, unread_ended
                           FROM reads WHERE conversation = ?1 AND user = ?2",
                    )?
                    .query_row(params![conversation.as_bytes(), user.as_bytes()], |row| position(row, 0))
                    .optional()?;
                Ok(found.unwrap_or_default())
            })
            .await
    }

    async fn mark_unread(&self, conversation: ConversationId, user: UserId, mark: UnreadMark) -> Result<()> {
        self.writer
            .write(1, move |db| {
                let UnreadMark { version, position, over } = mark;
                db.prepare_cached(
                    "INSERT INTO reads (conversation, user, seq, at, unread_version, unread_position, unread_over)
                     VALUES (?1, ?2, 0, 0, ?3, ?4, ?5)
                     ON CONFLICT (conversation, user) DO UPDATE
                        SET unread_version = excluded.unread_version,
                            unread_position = excluded.unread_position, unread_over = excluded.unread_over
                      WHERE (excluded.unread_version, excluded.unread_position)
                          > (reads.unread_version, reads.unread_position)",
                )?
                .execute(params![
                    conversation.as_bytes(),
                    user.as_bytes(),
                    int(version),
                    int(position),
                    int(over)
                ])?;
                Ok(())
            })
            .await
    }

    async fn end_unread(&self, conversation: ConversationId, user: UserId, version: u64) -> Result<()> {
        self.writer
            .write(1, move |db| {
                db.prepare_cached(
                    "UPDATE reads SET unread_ended = max(unread_ended, ?3) WHERE conversation = ?1 AND user = ?2",
                )?
                .execute(params![conversation.as_bytes(), user.as_bytes(), int(version)])?;
                Ok(())
            })
            .await
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

/// Of a row's columns from `first` on.
pub fn position(row: &Row<'_>, first: usize) -> rusqlite::Result<ReadPosition> {
    let unread = UnreadMark {
        version: seq_of(row, first + 1)?,
        position: seq_of(row, first + 2)?,
        over: seq_of(row, first + 3)?,
    };
    Ok(ReadPosition { read: seq_of(row, first)?, unread, ended: seq_of(row, first + 4)? })
}

fn mark(db: &Connection, conversation: ConversationId, user: UserId) -> Result<Seq> {
    let found = db
        .prepare_cached("SELECT seq FROM reads WHERE conversation = ?1 AND user = ?2")?
        .query_row(params![conversation.as_bytes(), user.as_bytes()], |row| seq_of(row, 0))
        .optional()?;
    Ok(found.unwrap_or(0))
}
