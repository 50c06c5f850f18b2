//! Which seq an event's id has. Ids are random, so each that is entered alone costs a page of the tree of ids; a
//! conversation's newest are left out of it until there are enough to share pages, and are looked through.

use natter_schemas::id::{ConversationId, EventId, Seq};
use rusqlite::{Connection, OptionalExtension, params};

use super::{
    columns::{int, seq as seq_in},
    conversations::{self, Reach},
    persist::Row,
};
use crate::Result;

/// Events of one conversation outside the tree of ids. Looking through them reads about 16 KiB.
const LATE: u64 = 256;

/// A new event: it waits, unless those around it have been entered already.
pub fn note(db: &Connection, row: &Row, reach: &mut Reach) -> Result<()> {
    if row.seq > reach.indexed {
        reach.unindexed += 1;
        return Ok(());
    }
    db.prepare_cached("INSERT OR IGNORE INTO ids (conversation, id, seq) VALUES (?1, ?2, ?3)")?
        .execute(params![row.conversation.as_bytes(), row.id.as_bytes(), int(row.seq)])?;
    Ok(())
}

/// Enters those that wait when there are enough.
pub fn catch_up(db: &Connection, conversation: ConversationId, reach: &mut Reach) -> Result<()> {
    if reach.unindexed < LATE {
        return Ok(());
    }
    // In the tree's order: each of its pages is visited once.
    db.prepare_cached(
        "INSERT OR IGNORE INTO ids (conversation, id, seq)
         SELECT ?1, id, seq FROM (
             SELECT id, seq FROM messages WHERE conversation = ?1 AND seq > ?2
             UNION ALL
             SELECT id, seq FROM changes WHERE conversation = ?1 AND seq > ?2)
          ORDER BY id, seq",
    )?
    .execute(params![conversation.as_bytes(), int(reach.indexed)])?;
    reach.indexed = reach.head.max(reach.indexed);
    reach.unindexed = 0;
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
    let reach = conversations::reach(db, conversation)?;
    let waiting = db
        .prepare_cached(
            "SELECT seq FROM (
                 SELECT id, seq FROM messages WHERE conversation = ?1 AND seq > ?2
                 UNION ALL
                 SELECT id, seq FROM changes WHERE conversation = ?1 AND seq > ?2)
              WHERE id = ?3 ORDER BY seq LIMIT 1",
        )?
        .query_row(params![conversation.as_bytes(), int(reach.indexed), id.as_bytes()], |row| seq_in(row, 0))
        .optional()?;
    Ok(waiting)
}
