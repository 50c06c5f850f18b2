//! Events as they were logged: their bytes in order of arrival, and what those of a conversation are and where.

use async_trait::async_trait;
use natter_schemas::{
    event::LogEntry,
    id::{ConversationId, EventId, Partition, Seq},
};
use rusqlite::{CachedStatement, Connection, Params, params};
use tracing::warn;

use super::{
    SqliteStore,
    columns::{count, int, logged, of_kind, seq as seq_in},
    erasures, ids,
    persist::{self, EventRow},
    reseal,
};
use crate::{EventStore, Result, StoreError};

#[async_trait]
impl EventStore for SqliteStore {
    async fn persist(&self, partition: Partition, events: &[LogEntry]) -> Result<()> {
        let rows = persist::rows(events);
        self.writer.write(rows.len(), move |db| persist::apply(db, partition, &rows)).await
    }

    async fn highest(&self, partition: Partition) -> Result<Seq> {
        self.readers.read(move |db| persist::highest(db, partition)).await
    }

    async fn events_from(
        &self,
        conversation: ConversationId,
        after: Seq,
        up_to: Seq,
        limit: usize,
    ) -> Result<Vec<LogEntry>> {
        self.readers
            .read(move |db| {
                let mut both = db.prepare_cached(
                    "SELECT seq, (SELECT data FROM events WHERE events.place = entry.place) FROM (
                         SELECT seq, place FROM messages WHERE conversation = ?1 AND seq >= ?2 AND seq <= ?3
                         UNION ALL
                         SELECT seq, place FROM changes WHERE conversation = ?1 AND seq >= ?2 AND seq <= ?3
                          ORDER BY seq LIMIT ?4) AS entry",
                )?;
                all(&mut both, params![conversation.as_bytes(), int(after), int(up_to), count(limit)])
            })
            .await
    }

    async fn find_event(&self, conversation: ConversationId, id: EventId) -> Result<Option<LogEntry>> {
        self.readers
            .read(move |db| {
                let Some(seq) = ids::seq_of(db, conversation, id)? else { return Ok(None) };
                first(
                    db,
                    "SELECT seq, (SELECT data FROM events WHERE events.place = entry.place) FROM (
                         SELECT seq, place FROM messages WHERE conversation = ?1 AND seq = ?2 AND id = ?3
                         UNION ALL
                         SELECT seq, place FROM changes WHERE conversation = ?1 AND seq = ?2 AND id = ?3) AS entry",
                    params![conversation.as_bytes(), int(seq), id.as_bytes()],
                )
            })
            .await
    }

    async fn reseal(&self, conversation: ConversationId, events: &[LogEntry]) -> Result<()> {
        let rows = reseal::rows(events);
        self.writer.write(rows.len(), move |db| reseal::apply(db, conversation, &rows)).await
    }

    /// What is replaced is overwritten where it was, but not what pages still have between their rows of rows that were
    /// moved to others as these grew. Users and their words are few, and are always written again.
    async fn forget_replaced(&self, rewrite: bool) -> Result<()> {
        self.writer.write(1, erasures::rewrite_users).await?;
        if rewrite {
            self.rewrite().await?;
        }
        self.empty_wal().await
    }
}

/// Reserves so many consecutive places; returns the first. None was ever used, whatever was lost or inserted by
/// hand.
pub fn reserve_places(db: &Connection, places: usize) -> Result<i64> {
    let first = db
        .prepare_cached(
            "INSERT INTO places (only, next)
             VALUES (1, (SELECT coalesce(max(place), 0) FROM events) + 1 + ?1)
             ON CONFLICT (only) DO UPDATE SET next = max(next + ?1, excluded.next)
             RETURNING next - ?1",
        )?
        .query_row([count(places)], |row| row.get(0))?;
    Ok(first)
}

/// The event must not be stored yet.
pub fn insert(db: &Connection, row: &EventRow, place: i64) -> Result<()> {
    db.prepare_cached("INSERT INTO events (place, data) VALUES (?1, ?2)")?
        .execute(params![place, row.data])?;
    let (conversation, seq, id) = (row.conversation.as_bytes(), int(row.seq), row.id.as_bytes());
    match &row.change {
        None => db
            .prepare_cached(
                "INSERT INTO messages (conversation, seq, id, author, place) VALUES (?1, ?2, ?3, ?4, ?5)",
            )?
            .execute(params![conversation, seq, id, row.author.as_bytes(), place])?,
        Some(change) => {
            let (kind, target) = of_kind(change);
            db.prepare_cached(
                "INSERT INTO changes (conversation, seq, id, kind, target, place)
                 VALUES (?1, ?2, ?3, ?4, ?5, ?6)",
            )?
            .execute(params![conversation, seq, id, kind, target, place])?
        }
    };
    Ok(())
}

/// Newest seq that is taken, 0 for none. A head may be behind it: rows can be inserted by hand, and heads lost.
pub fn newest(db: &Connection, conversation: ConversationId) -> Result<Seq> {
    let newest = db
        .prepare_cached(
            "SELECT max(coalesce((SELECT max(seq) FROM messages WHERE conversation = ?1), 0),
                        coalesce((SELECT max(seq) FROM changes WHERE conversation = ?1), 0))",
        )?
        .query_row([conversation.as_bytes()], |row| seq_in(row, 0))?;
    Ok(newest)
}

/// By its id, whether or not its bytes can be read. A log that was rebuilt without going above `highest`, or
/// another deployment's log, would lose its events here silently: it is refused.
pub fn is_known(db: &Connection, row: &EventRow) -> Result<bool> {
    let mut at = db.prepare_cached(
        "SELECT id FROM messages WHERE conversation = ?1 AND seq = ?2
         UNION ALL
         SELECT id FROM changes WHERE conversation = ?1 AND seq = ?2",
    )?;
    let mut rows = at.query(params![row.conversation.as_bytes(), int(row.seq)])?;
    let mut known = false;
    while let Some(found) = rows.next()? {
        let id = EventId::from_bytes(found.get(0)?);
        if id != row.id {
            return Err(StoreError::Corrupt(format!(
                "seq {} of conversation {} is event {id} here and {} in the log",
                row.seq, row.conversation, row.id
            )));
        }
        known = true;
    }
    Ok(known)
}

/// Of a query that selects seq and data.
pub fn all(query: &mut CachedStatement<'_>, params: impl Params) -> Result<Vec<LogEntry>> {
    let mut rows = query.query(params)?;
    let mut found = Vec::new();
    while let Some(row) = rows.next()? {
        found.push(logged(row)?);
    }
    Ok(found)
}

/// Those of such a query that can be read. What depends on the others is derived again when they are replayed.
pub fn readable(
    conversation: ConversationId,
    query: &mut CachedStatement<'_>,
    params: impl Params,
) -> Result<Vec<LogEntry>> {
    let mut rows = query.query(params)?;
    let (mut found, mut unreadable) = (Vec::new(), None);
    while let Some(row) = rows.next()? {
        match logged(row) {
            Ok(entry) => found.push(entry),
            Err(error) => {
                metrics::counter!("natter_store_unreadable_events_total").increment(1);
                unreadable = Some((seq_in(row, 0)?, error));
            }
        }
    }
    if let Some((seq, error)) = unreadable {
        warn!(%conversation, seq, %error, "stored events cannot be decoded; reactions are derived without them");
    }
    Ok(found)
}

/// The first of such a query.
pub fn first(db: &Connection, sql: &str, params: impl Params) -> Result<Option<LogEntry>> {
    let mut query = db.prepare_cached(sql)?;
    let mut rows = query.query(params)?;
    rows.next()?.map(logged).transpose()
}
