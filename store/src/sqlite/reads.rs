//! Read marks, and what is beyond them.

use natter_schemas::{
    event::Timestamp,
    id::{ConversationId, Seq, UserId},
};
use rusqlite::{Connection, OptionalExtension, params};

use super::columns::{int, limit, seq as seq_of};
use crate::Result;

/// Forward only; answers where the mark is now.
pub fn advance(
    db: &Connection,
    conversation: ConversationId,
    user: UserId,
    seq: Seq,
    at: Timestamp,
) -> Result<Seq> {
    raise(db, conversation, user, seq, at)?;
    mark(db, conversation, user)
}

/// The same, when nobody asks for the answer.
pub fn raise(
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

pub fn mark(db: &Connection, conversation: ConversationId, user: UserId) -> Result<Seq> {
    let found = db
        .prepare_cached("SELECT seq FROM reads WHERE conversation = ?1 AND user = ?2")?
        .query_row(params![conversation.as_bytes(), user.as_bytes()], |row| seq_of(row, 0))
        .optional()?;
    Ok(found.unwrap_or(0))
}

pub fn countable(
    db: &Connection,
    conversation: ConversationId,
    user: UserId,
    (after, up_to): (Seq, Seq),
    most: usize,
) -> Result<Vec<Seq>> {
    let mut countable = db.prepare_cached(
        "SELECT m.seq FROM messages m
          WHERE m.conversation = ?1 AND m.seq > ?2 AND m.seq <= ?3 AND m.author <> ?4
            AND NOT EXISTS (SELECT 1 FROM changes d INDEXED BY changes_by_target
                             WHERE d.conversation = m.conversation AND d.target = m.seq AND d.kind = 3
                               AND d.seq > m.seq)
          ORDER BY m.seq LIMIT ?5",
    )?;
    let params = params![conversation.as_bytes(), int(after), int(up_to), user.as_bytes(), limit(most)];
    let seqs = countable.query_map(params, |row| seq_of(row, 0))?.collect::<rusqlite::Result<_>>()?;
    Ok(seqs)
}
