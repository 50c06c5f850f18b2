//! A conversation's shape, name and activity; a user's list of conversations.

use async_trait::async_trait;
use natter_schemas::{
    event::{Shape, Timestamp},
    id::{ConversationId, Seq, UserId},
    rpc::ListCursor,
};
use rusqlite::{Connection, OptionalExtension, Row, params};

use super::{
    SqliteStore,
    columns::{conversation, count, int, of_shape, readable, role, seq, shape, time},
    read_marks::position,
};
use crate::{ConversationRow, ConversationStore, ListedRow, Result};

#[async_trait]
impl ConversationStore for SqliteStore {
    async fn conversation(&self, id: ConversationId) -> Result<Option<ConversationRow>> {
        self.readers
            .read(move |db| {
                let found = db
                    .prepare_cached(
                        "SELECT id, shape, name, created_at, members, head, last_activity_at
                           FROM conversations WHERE id = ?1 AND created_seq IS NOT NULL",
                    )?
                    .query_row([id.as_bytes()], row)
                    .optional()?;
                Ok(found)
            })
            .await
    }

    async fn list_conversations(
        &self,
        user: UserId,
        after: Option<ListCursor>,
        limit: usize,
    ) -> Result<Vec<ListedRow>> {
        self.readers.read(move |db| list(db, user, after, limit)).await
    }

    async fn unread(&self, user: UserId, most: usize) -> Result<Vec<(ListedRow, usize)>> {
        self.readers.read(move |db| unread(db, user, most)).await
    }

    async fn heads(&self, conversations: &[ConversationId]) -> Result<Vec<Seq>> {
        let ids = conversations.to_owned();
        self.readers
            .read(move |db| {
                let mut head = db.prepare_cached("SELECT head FROM conversations WHERE id = ?1")?;
                let mut heads = Vec::with_capacity(ids.len());
                for id in ids {
                    heads.push(head.query_row([id.as_bytes()], |row| seq(row, 0)).optional()?.unwrap_or(0));
                }
                Ok(heads)
            })
            .await
    }

    async fn conversations_after(
        &self,
        after: Option<ConversationId>,
        most: usize,
    ) -> Result<Vec<ConversationId>> {
        self.readers
            .read(move |db| {
                let after = after.as_ref().map_or(&[][..], |id| id.as_bytes().as_slice());
                let mut ids =
                    db.prepare_cached("SELECT id FROM conversations WHERE id > ?1 ORDER BY id LIMIT ?2")?;
                let ids = ids.query_map(params![after, count(most)], |row| conversation(row, 0))?;
                Ok(ids.collect::<rusqlite::Result<_>>()?)
            })
            .await
    }
}

/// The `Created` event with the lowest seq wins.
pub fn create(db: &Connection, id: ConversationId, of: Shape, at_seq: Seq, at: Timestamp) -> Result<()> {
    db.prepare_cached(
        "INSERT INTO conversations (id, shape, created_seq, created_at) VALUES (?1, ?2, ?3, ?4)
         ON CONFLICT (id) DO UPDATE
            SET shape = excluded.shape, created_seq = excluded.created_seq, created_at = excluded.created_at
          WHERE created_seq IS NULL OR excluded.created_seq < created_seq",
    )?
    .execute(params![id.as_bytes(), of_shape(of), int(at_seq), at.0])?;
    Ok(())
}

/// The name with the highest seq wins.
pub fn rename(db: &Connection, id: ConversationId, name: &str, at_seq: Seq) -> Result<()> {
    db.prepare_cached(
        "INSERT INTO conversations (id, name, name_seq) VALUES (?1, ?2, ?3)
         ON CONFLICT (id) DO UPDATE SET name = excluded.name, name_seq = excluded.name_seq
          WHERE excluded.name_seq > name_seq",
    )?
    .execute(params![id.as_bytes(), name, int(at_seq)])?;
    Ok(())
}

/// How far a conversation has been persisted: read before a batch of its events, written after it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Progress {
    /// Newest seq of any event.
    pub head: Seq,
    pub activity: Timestamp,
    /// Events up to this seq are in `ids`.
    pub indexed: Seq,
    /// How many events above it are not.
    pub unindexed: u64,
}

pub fn progress(db: &Connection, id: ConversationId) -> Result<Progress> {
    let found = db
        .prepare_cached(
            "SELECT head, last_activity_at, indexed_seq, unindexed FROM conversations WHERE id = ?1",
        )?
        .query_row([id.as_bytes()], |row| {
            Ok(Progress {
                head: seq(row, 0)?,
                activity: time(row, 1)?,
                indexed: seq(row, 2)?,
                unindexed: seq(row, 3)?,
            })
        })
        .optional()?;
    Ok(found.unwrap_or_default())
}

pub fn set_progress(db: &Connection, id: ConversationId, to: Progress) -> Result<()> {
    db.prepare_cached(
        "INSERT INTO conversations (id, head, last_activity_at, indexed_seq, unindexed)
         VALUES (?1, ?2, ?3, ?4, ?5)
         ON CONFLICT (id) DO UPDATE
            SET head = excluded.head, last_activity_at = excluded.last_activity_at,
                indexed_seq = excluded.indexed_seq, unindexed = excluded.unindexed",
    )?
    .execute(params![id.as_bytes(), int(to.head), to.activity.0, int(to.indexed), int(to.unindexed)])?;
    Ok(())
}

/// `change`: +1 when a user became a member, -1 when a member left or was removed.
pub fn count_member(db: &Connection, id: ConversationId, change: i64) -> Result<()> {
    db.prepare_cached(
        "INSERT INTO conversations (id, members) VALUES (?1, ?2)
         ON CONFLICT (id) DO UPDATE SET members = members + excluded.members",
    )?
    .execute(params![id.as_bytes(), change])?;
    Ok(())
}

fn list(db: &Connection, user: UserId, after: Option<ListCursor>, most: usize) -> Result<Vec<ListedRow>> {
    let first = (Timestamp(i64::MAX), ConversationId::from_bytes([0xFF; 16]));
    let (activity, id) = after.map_or(first, |cursor| (cursor.last_activity_at, cursor.conversation));
    // The page is chosen on two narrow columns; only its rows are then read in full.
    let mut list = db.prepare_cached(
        "WITH page AS MATERIALIZED (
             SELECT m.role, c.id FROM members m JOIN conversations c ON c.id = m.conversation
              WHERE m.user = ?1 AND m.role IS NOT NULL AND c.created_seq IS NOT NULL
                AND (c.last_activity_at, c.id) < (?2, ?3)
              ORDER BY c.last_activity_at DESC, c.id DESC LIMIT ?4)
         SELECT c.id, c.shape, c.name, c.created_at, c.members, c.head, c.last_activity_at, p.role,
                coalesce(r.seq, 0), coalesce(r.unread_version, 0), coalesce(r.unread_position, 0),
                coalesce(r.unread_over, 0), coalesce(r.unread_ended, 0)
           FROM page p JOIN conversations c ON c.id = p.id
           LEFT JOIN reads r ON r.conversation = c.id AND r.user = ?1
          ORDER BY c.last_activity_at DESC, c.id DESC",
    )?;
    let rows = list.query(params![user.as_bytes(), activity.0, id.as_bytes(), count(most)])?;
    let listed = readable("conversations", rows, |line| {
        // The query selects present members only.
        let Some(role) = role(line, 7)? else { return Ok(None) };
        Ok(Some(ListedRow { conversation: row(line)?, role, read: position(line, 8)? }))
    })?;
    Ok(listed.into_iter().flatten().collect())
}

/// One pass over the user's conversations; messages are counted only where something came after what was read.
const UNREAD: &str = "
    WITH place AS (
        SELECT m.role, c.id, c.head, coalesce(r.seq, 0) AS read, coalesce(r.unread_version, 0) AS version,
               coalesce(r.unread_position, 0) AS position, coalesce(r.unread_over, 0) AS over_,
               coalesce(r.unread_ended, 0) AS ended,
               CASE WHEN r.unread_version > r.unread_ended AND r.seq <= r.unread_over
                    THEN min(r.unread_position, r.seq) ELSE coalesce(r.seq, 0) END AS own
          FROM members m JOIN conversations c ON c.id = m.conversation
          LEFT JOIN reads r ON r.conversation = c.id AND r.user = ?1
         WHERE m.user = ?1 AND m.role IS NOT NULL AND c.created_seq IS NOT NULL)
    SELECT c.id, c.shape, c.name, c.created_at, c.members, c.head, c.last_activity_at, p.role, p.read,
           p.version, p.position, p.over_, p.ended,
           (SELECT count(*) FROM (
               SELECT 1 FROM messages m
                WHERE m.conversation = p.id AND m.seq > p.own AND m.author <> ?1
                  AND NOT EXISTS (SELECT 1 FROM changes d INDEXED BY changes_by_target
                                   WHERE d.conversation = m.conversation AND d.target = m.seq AND d.kind = 3
                                     AND d.seq > m.seq)
                LIMIT ?2))
      FROM place p JOIN conversations c ON c.id = p.id
     WHERE p.head > p.own";

fn unread(db: &Connection, user: UserId, most: usize) -> Result<Vec<(ListedRow, usize)>> {
    let mut of = db.prepare_cached(UNREAD)?;
    let found = readable("conversations", of.query(params![user.as_bytes(), count(most)])?, |line| {
        let unread = usize::try_from(line.get::<_, i64>(13)?).unwrap_or(0);
        let Some(role) = role(line, 7)?.filter(|_| unread > 0) else { return Ok(None) };
        Ok(Some((ListedRow { conversation: row(line)?, role, read: position(line, 8)? }, unread)))
    })?;
    Ok(found.into_iter().flatten().collect())
}

fn row(row: &Row<'_>) -> rusqlite::Result<ConversationRow> {
    Ok(ConversationRow {
        id: conversation(row, 0)?,
        shape: shape(row, 1)?,
        name: row.get(2)?,
        created_at: time(row, 3)?,
        members: usize::try_from(row.get::<_, i64>(4)?).unwrap_or(0),
        head: seq(row, 5)?,
        last_activity_at: time(row, 6)?,
    })
}
