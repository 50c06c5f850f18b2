//! Who is in a conversation, as what, since when.

use async_trait::async_trait;
use natter_schemas::{
    event::{Member, Role, Shape, Timestamp},
    id::{ConversationId, Seq, UserId},
    rpc::Membership,
};
use rusqlite::{Connection, OptionalExtension, Row, ToSql, params};

use super::{
    SqliteStore,
    columns::{conversation, count, int, of_role, of_shape, readable, role, seq, shape, time, user},
    conversations,
};
use crate::{MemberRow, MemberStore, Result};

#[async_trait]
impl MemberStore for SqliteStore {
    async fn members(&self, id: ConversationId) -> Result<Vec<MemberRow>> {
        self.readers.read(move |db| list(db, id)).await
    }

    async fn membership(&self, conversation: ConversationId, user: UserId) -> Result<Option<Membership>> {
        self.readers
            .read(move |db| {
                // `present_seq` is 0 when only a role change has arrived: that alone does not make a member.
                let found = db
                    .prepare_cached(
                        "SELECT m.conversation, c.shape, m.role, m.version
                           FROM members m JOIN conversations c ON c.id = m.conversation
                          WHERE m.conversation = ?1 AND m.user = ?2 AND m.present_seq > 0
                            AND c.created_seq IS NOT NULL",
                    )?
                    .query_row(params![conversation.as_bytes(), user.as_bytes()], membership)
                    .optional()?;
                Ok(found)
            })
            .await
    }

    async fn memberships(&self, user: UserId) -> Result<Vec<Membership>> {
        self.readers
            .read(move |db| {
                let mut of = db.prepare_cached(
                    "SELECT m.conversation, c.shape, m.role, m.version
                       FROM members m JOIN conversations c ON c.id = m.conversation
                      WHERE m.user = ?1 AND m.role IS NOT NULL AND c.created_seq IS NOT NULL",
                )?;
                readable("memberships", of.query([user.as_bytes()])?, membership)
            })
            .await
    }

    async fn sharing(
        &self,
        user: UserId,
        others: &[UserId],
        shape: Option<Shape>,
        most: usize,
    ) -> Result<Vec<UserId>> {
        let others = others.to_owned();
        self.readers
            .read(move |db| {
                let (mine, mut left) = (joined(db, user, most)?, most);
                let mut found = Vec::new();
                for other in others {
                    let theirs = joined(db, other, mine.min(left))?;
                    // They are counted, and of the two the one in fewer conversations is gone over.
                    let Some(rest) = left.checked_sub(2 * theirs + 1) else { break };
                    left = rest;
                    let (fewer, more) = if theirs < mine { (other, user) } else { (user, other) };
                    if share(db, (fewer, more), shape)? {
                        found.push(other);
                    }
                }
                Ok(found)
            })
            .await
    }
}

/// Conversations the user is in, counted to `most`.
fn joined(db: &Connection, user: UserId, most: usize) -> Result<usize> {
    let mut counted = db.prepare_cached(
        "SELECT count(*) FROM (SELECT 1 FROM members WHERE user = ?1 AND role IS NOT NULL LIMIT ?2)",
    )?;
    let found: i64 = counted.query_row(params![user.as_bytes(), count(most)], |row| row.get(0))?;
    Ok(usize::try_from(found).unwrap_or(0))
}

/// `CROSS JOIN` makes SQLite go over the first table; in the other it looks each conversation up.
const SHARING: &str = "
    SELECT 1 FROM members fewer CROSS JOIN members more
        ON more.conversation = fewer.conversation AND more.user = ?2 AND more.role IS NOT NULL
     WHERE fewer.user = ?1 AND fewer.role IS NOT NULL LIMIT 1";

const SHARING_OF_SHAPE: &str = "
    SELECT 1 FROM members fewer CROSS JOIN members more
        ON more.conversation = fewer.conversation AND more.user = ?2 AND more.role IS NOT NULL
      CROSS JOIN conversations c ON c.id = fewer.conversation AND c.shape = ?3
     WHERE fewer.user = ?1 AND fewer.role IS NOT NULL LIMIT 1";

fn share(db: &Connection, (fewer, more): (UserId, UserId), shape: Option<Shape>) -> Result<bool> {
    let (fewer, more) = (fewer.as_bytes(), more.as_bytes());
    let found = match shape.map(of_shape) {
        None => db.prepare_cached(SHARING)?.exists(params![fewer, more])?,
        Some(shape) => db.prepare_cached(SHARING_OF_SHAPE)?.exists(params![fewer, more, shape])?,
    };
    Ok(found)
}

/// Which member's row an event changes, and the event's seq.
#[derive(Clone, Copy)]
pub struct MembershipUpdate {
    pub conversation: ConversationId,
    pub user: UserId,
    pub seq: Seq,
}

/// On equal seqs the first wins: one `Created` may name a user twice.
const PRESENCE: &str = "
    INSERT INTO members (conversation, user, present_seq, present_role, joined_seq, joined_at)
    VALUES (?1, ?2, ?3, ?4, ?5, ?6)
    ON CONFLICT (conversation, user) DO UPDATE
       SET present_role = iif(excluded.present_seq > present_seq, excluded.present_role, present_role),
           present_seq = max(present_seq, excluded.present_seq),
           joined_at = iif(excluded.joined_seq > joined_seq, excluded.joined_at, joined_at),
           joined_seq = max(joined_seq, excluded.joined_seq)";

const ROLE: &str = "
    INSERT INTO members (conversation, user, role_seq, role_given) VALUES (?1, ?2, ?3, ?4)
    ON CONFLICT (conversation, user) DO UPDATE
       SET role_given = iif(excluded.role_seq > role_seq, excluded.role_given, role_given),
           role_seq = max(role_seq, excluded.role_seq)";

pub fn add(db: &Connection, update: MembershipUpdate, given: Role, at: Timestamp) -> Result<()> {
    let seq = int(update.seq);
    apply(
        db,
        update,
        PRESENCE,
        params![update.conversation.as_bytes(), update.user.as_bytes(), seq, of_role(given), seq, at.0],
    )
}

pub fn remove(db: &Connection, update: MembershipUpdate) -> Result<()> {
    let no_role = None::<i64>;
    apply(
        db,
        update,
        PRESENCE,
        params![update.conversation.as_bytes(), update.user.as_bytes(), int(update.seq), no_role, 0, 0],
    )
}

pub fn change_role(db: &Connection, update: MembershipUpdate, given: Role) -> Result<()> {
    apply(
        db,
        update,
        ROLE,
        params![update.conversation.as_bytes(), update.user.as_bytes(), int(update.seq), of_role(given)],
    )
}

/// Keeps the conversation's count of members in step with the row.
fn apply(db: &Connection, update: MembershipUpdate, upsert: &str, params: &[&dyn ToSql]) -> Result<()> {
    let before = present(db, update)?;
    db.prepare_cached(upsert)?.execute(params)?;
    match (before, present(db, update)?) {
        (false, true) => conversations::count_member(db, update.conversation, 1),
        (true, false) => conversations::count_member(db, update.conversation, -1),
        (true, true) | (false, false) => Ok(()),
    }
}

fn present(db: &Connection, update: MembershipUpdate) -> Result<bool> {
    let found = db
        .prepare_cached("SELECT 1 FROM members WHERE conversation = ?1 AND user = ?2 AND role IS NOT NULL")?
        .exists(params![update.conversation.as_bytes(), update.user.as_bytes()])?;
    Ok(found)
}

fn list(db: &Connection, id: ConversationId) -> Result<Vec<MemberRow>> {
    let mut list = db.prepare_cached(
        "SELECT m.user, m.role, m.joined_at, coalesce(r.seq, 0) FROM members m
           LEFT JOIN reads r ON r.conversation = m.conversation AND r.user = m.user
          WHERE m.conversation = ?1 AND m.role IS NOT NULL
          ORDER BY m.joined_seq, m.user",
    )?;
    let members = readable("members", list.query([id.as_bytes()])?, |row| {
        // The query selects present members only.
        let Some(role) = role(row, 1)? else { return Ok(None) };
        let member = Member { user: user(row, 0)?, role };
        Ok(Some(MemberRow { member, joined_at: time(row, 2)?, read: seq(row, 3)? }))
    })?;
    Ok(members.into_iter().flatten().collect())
}

fn membership(row: &Row<'_>) -> rusqlite::Result<Membership> {
    Ok(Membership {
        conversation: conversation(row, 0)?,
        shape: shape(row, 1)?,
        role: role(row, 2)?,
        version: seq(row, 3)?,
    })
}
