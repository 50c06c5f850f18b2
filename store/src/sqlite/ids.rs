//! Which seq an event's id has. Ids are random, so each that is entered alone costs a page of the tree of ids; a
//! conversation's newest are left out of it until there are enough to share pages, and are looked through.

use rusqlite::{Connection, OptionalExtension, params};
use schemas::{
    event::Logged,
    id::{ConversationId, EventId, Seq},
};

use super::{
    columns::{int, seq as seq_in},
    conversations::{self, Reach},
    events,
    persist::Row,
};
use crate::Result;

/// Events of one conversation outside the tree of ids. Looking through them reads about 100 KiB.
const LATE: u64 = 256;

/// A new event: it waits, unless those around it have been entered already.
pub fn note(db: &Connection, row: &Row, reach: &mut Reach) -> Result<()> {
    if row.seq > reach.indexed {
        reach.unindexed += 1;
        return Ok(());
    }
    enter(db, row.conversation, row.id, row.seq)
}

/// Enters those that wait when there are enough.
pub fn catch_up(db: &Connection, conversation: ConversationId, reach: &mut Reach) -> Result<()> {
    if reach.unindexed < LATE {
        return Ok(());
    }
    let mut late: Vec<_> =
        waiting(db, conversation, *reach)?.into_iter().map(|logged| (logged.event.id, logged.seq)).collect();
    // In the tree's order: each of its pages is visited once.
    late.sort_unstable();
    for (id, seq) in late {
        enter(db, conversation, id, seq)?;
    }
    reach.indexed = reach.head;
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
    let late = waiting(db, conversation, reach)?;
    Ok(late.into_iter().find(|logged| logged.event.id == id).map(|logged| logged.seq))
}

fn waiting(db: &Connection, conversation: ConversationId, reach: Reach) -> Result<Vec<Logged>> {
    events::from(db, conversation, (reach.indexed + 1, Seq::MAX), usize::MAX)
}

fn enter(db: &Connection, conversation: ConversationId, id: EventId, seq: Seq) -> Result<()> {
    db.prepare_cached("INSERT INTO ids (conversation, id, seq) VALUES (?1, ?2, ?3) ON CONFLICT DO NOTHING")?
        .execute(params![conversation.as_bytes(), id.as_bytes(), int(seq)])?;
    Ok(())
}
