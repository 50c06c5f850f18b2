//! Which seq an event's id has. Ids are random, so each that is inserted alone touches a page of the index; a
//! conversation's newest are left out of it until there are enough to share pages, and are scanned until then.

use natter_schemas::id::{ConversationId, EventId, Seq};
use rusqlite::{Connection, OptionalExtension, params};

use super::{
    columns::{int, seq as seq_in},
    conversations::{self, Progress},
    persist::EventRow,
};
use crate::Result;

/// Events of one conversation outside the index. Scanning them reads about 16 KiB.
const UNINDEXED_MAX: u64 = 256;

/// A new event: it stays unindexed, unless the events around it are indexed already.
pub fn add(db: &Connection, row: &EventRow, progress: &mut Progress) -> Result<()> {
    if row.seq > progress.indexed {
        progress.unindexed += 1;
        return Ok(());
    }
    db.prepare_cached("INSERT OR IGNORE INTO ids (conversation, id, seq) VALUES (?1, ?2, ?3)")?
        .execute(params![row.conversation.as_bytes(), row.id.as_bytes(), int(row.seq)])?;
    Ok(())
}

/// Indexes the unindexed when there are enough.
pub fn index_waiting(db: &Connection, conversation: ConversationId, progress: &mut Progress) -> Result<()> {
    if progress.unindexed < UNINDEXED_MAX {
        return Ok(());
    }
    // In the index's order: each of its pages is visited once.
    db.prepare_cached(
        "INSERT OR IGNORE INTO ids (conversation, id, seq)
         SELECT ?1, id, seq FROM (
             SELECT id, seq FROM messages WHERE conversation = ?1 AND seq > ?2
             UNION ALL
             SELECT id, seq FROM changes WHERE conversation = ?1 AND seq > ?2)
          ORDER BY id, seq",
    )?
    .execute(params![conversation.as_bytes(), int(progress.indexed)])?;
    progress.indexed = progress.head.max(progress.indexed);
    progress.unindexed = 0;
    Ok(())
}

/// The lowest, should the log hold the id twice.
pub fn seq_of(db: &Connection, conversation: ConversationId, id: EventId) -> Result<Option<Seq>> {
    let entered = db
        .prepare_cached("SELECT seq FROM ids WHERE conversation = ?1 AND id = ?2 ORDER BY seq LIMIT 1")?
        .query_row(params![conversation.as_bytes(), id.as_bytes()], |row| seq_in(row, 0))
        .optional()?;
    if entered.is_some() {
        return Ok(entered);
    }
    let progress = conversations::progress(db, conversation)?;
    let unindexed = db
        .prepare_cached(
            "SELECT seq FROM (
                 SELECT id, seq FROM messages WHERE conversation = ?1 AND seq > ?2
                 UNION ALL
                 SELECT id, seq FROM changes WHERE conversation = ?1 AND seq > ?2)
              WHERE id = ?3 ORDER BY seq LIMIT 1",
        )?
        .query_row(params![conversation.as_bytes(), int(progress.indexed), id.as_bytes()], |row| {
            seq_in(row, 0)
        })
        .optional()?;
    Ok(unindexed)
}
