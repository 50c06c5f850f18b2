//! Events as they were logged: their bytes in order of arrival, and where those of a conversation are.

use rusqlite::{CachedStatement, Connection, Params, params};
use schemas::{
    event::Logged,
    id::{ConversationId, EventId, Seq},
};

use super::{
    columns::{int, limit, logged, of_kind},
    persist::Row,
};
use crate::{Result, StoreError};

/// It is not known yet.
pub fn insert(db: &Connection, row: &Row) -> Result<()> {
    db.prepare_cached("INSERT INTO events (data) VALUES (?1)")?.execute(params![row.data])?;
    let (conversation, seq, place) = (row.conversation.as_bytes(), int(row.seq), db.last_insert_rowid());
    match &row.change {
        None => db
            .prepare_cached(
                "INSERT INTO messages (conversation, seq, author, place) VALUES (?1, ?2, ?3, ?4)",
            )?
            .execute(params![conversation, seq, row.author.as_bytes(), place])?,
        Some(change) => {
            let (kind, target) = of_kind(change);
            db.prepare_cached(
                "INSERT INTO changes (conversation, seq, kind, target, place) VALUES (?1, ?2, ?3, ?4, ?5)",
            )?
            .execute(params![conversation, seq, kind, target, place])?
        }
    };
    Ok(())
}

/// A log that was rebuilt without going above `highest`, or another deployment's log, would lose its events
/// here without a word: it is refused.
pub fn is_known(db: &Connection, row: &Row) -> Result<bool> {
    let Some(known) = from(db, row.conversation, (row.seq, row.seq), 1)?.pop() else { return Ok(false) };
    if known.event.id == row.id {
        return Ok(true);
    }
    Err(StoreError::Corrupt(format!(
        "seq {} of conversation {} is event {} here and {} in the log",
        row.seq, row.conversation, known.event.id, row.id
    )))
}

/// Those with `first` ≤ seq ≤ `last`, ascending.
pub fn from(
    db: &Connection,
    conversation: ConversationId,
    (first, last): (Seq, Seq),
    most: usize,
) -> Result<Vec<Logged>> {
    let mut both = db.prepare_cached(
        "SELECT seq, (SELECT data FROM events WHERE events.place = entry.place) FROM (
             SELECT seq, place FROM messages WHERE conversation = ?1 AND seq >= ?2 AND seq <= ?3
             UNION ALL
             SELECT seq, place FROM changes WHERE conversation = ?1 AND seq >= ?2 AND seq <= ?3
              ORDER BY seq LIMIT ?4) AS entry",
    )?;
    all(&mut both, params![conversation.as_bytes(), int(first), int(last), limit(most)])
}

pub fn find(db: &Connection, conversation: ConversationId, id: EventId) -> Result<Option<Logged>> {
    let seq = super::ids::seq_of(db, conversation, id)?;
    let found = seq.map(|seq| from(db, conversation, (seq, seq), 1)).transpose()?;
    Ok(found.and_then(|mut found| found.pop()))
}

/// Of a query that selects seq and data.
pub fn all(query: &mut CachedStatement<'_>, params: impl Params) -> Result<Vec<Logged>> {
    let mut rows = query.query(params)?;
    let mut found = Vec::new();
    while let Some(row) = rows.next()? {
        found.push(logged(row)?);
    }
    Ok(found)
}

/// The first of such a query.
pub fn first(db: &Connection, sql: &str, params: impl Params) -> Result<Option<Logged>> {
    let mut query = db.prepare_cached(sql)?;
    let mut rows = query.query(params)?;
    rows.next()?.map(logged).transpose()
}
