//! Who reacts with what, exactly as `Message::apply` would have it in log order.
//!
//! In order, an event is one or two rows. Out of order, the reactions of that emoji to that message are built
//! again from the log: rare, because events arrive in order but for redeliveries and rival workers.

use std::collections::{HashMap, HashSet};

use natter_schemas::{
    emoji::canonical,
    event::{Kind, LogEntry, Reaction},
    id::{ConversationId, Seq, UserId},
    limits,
};
use rusqlite::{Connection, OptionalExtension, params};

use super::{
    columns::{int, kind, user},
    events as log,
};
use crate::Result;

const EVENTS: &str = "SELECT seq, (SELECT data FROM events WHERE events.place = changes.place)
    FROM changes INDEXED BY changes_by_target
    WHERE conversation = ?1 AND target = ?2 AND kind = ?3 AND seq > ?2 AND seq <= ?4 ORDER BY seq";

/// The reactions of one emoji to one message.
#[derive(Clone, Copy)]
pub struct ReactionKey<'a> {
    pub conversation: ConversationId,
    pub target: Seq,
    pub emoji: &'a str,
}

/// One user's reaction set or removed; the event is in `events` already.
#[derive(Clone, Copy)]
pub struct ReactionUpdate {
    pub seq: Seq,
    pub user: UserId,
    pub on: bool,
}

pub fn apply(db: &Connection, key: ReactionKey<'_>, update: ReactionUpdate) -> Result<()> {
    if !update.on {
        for emoji in other_spellings(db, key)? {
            apply_to(db, ReactionKey { emoji: &emoji, ..key }, update)?;
        }
    }
    apply_to(db, key, update)
}

/// Old logs have emoji as they were sent: what is withdrawn is withdrawn in every spelling.
fn other_spellings(db: &Connection, key: ReactionKey<'_>) -> Result<Vec<String>> {
    let Some(same) = canonical(key.emoji) else { return Ok(Vec::new()) };
    let mut every = db.prepare_cached(
        "SELECT emoji FROM reactions WHERE conversation = ?1 AND target = ?2 AND since IS NOT NULL",
    )?;
    let mut rows = every.query(params![key.conversation.as_bytes(), int(key.target)])?;
    let mut spellings = Vec::new();
    while let Some(row) = rows.next()? {
        let emoji: String = row.get(0)?;
        if emoji != key.emoji && canonical(&emoji) == Some(same) {
            spellings.push(emoji);
        }
    }
    Ok(spellings)
}

fn apply_to(db: &Connection, key: ReactionKey<'_>, update: ReactionUpdate) -> Result<()> {
    let last: Option<i64> = db
        .prepare_cached(
            "SELECT last_seq FROM reactions WHERE conversation = ?1 AND target = ?2 AND emoji = ?3",
        )?
        .query_row(params![key.conversation.as_bytes(), int(key.target), key.emoji], |row| row.get(0))
        .optional()?;
    if last.is_some_and(|last| int(update.seq) < last) {
        return rebuild(db, key);
    }
    apply_newest(db, key, update)
}

/// Applies the newest change so far.
fn apply_newest(db: &Connection, key: ReactionKey<'_>, update: ReactionUpdate) -> Result<()> {
    let (conversation, target, seq) = (key.conversation.as_bytes(), int(key.target), int(update.seq));
    if update.on {
        db.prepare_cached(
            "INSERT INTO reactors (conversation, target, emoji, user, since) VALUES (?1, ?2, ?3, ?4, ?5)
             ON CONFLICT DO NOTHING",
        )?
        .execute(params![conversation, target, key.emoji, update.user.as_bytes(), seq])?;
    } else {
        db.prepare_cached(
            "DELETE FROM reactors WHERE conversation = ?1 AND target = ?2 AND emoji = ?3 AND user = ?4",
        )?
        .execute(params![conversation, target, key.emoji, update.user.as_bytes()])?;
    }
    let remaining = db
        .prepare_cached("SELECT 1 FROM reactors WHERE conversation = ?1 AND target = ?2 AND emoji = ?3")?
        .exists(params![conversation, target, key.emoji])?;
    db.prepare_cached(
        "INSERT INTO reactions (conversation, target, emoji, since, last_seq)
         VALUES (?1, ?2, ?3, iif(?4, ?5, NULL), ?5)
         ON CONFLICT (conversation, target, emoji) DO UPDATE
            SET since = iif(?4, coalesce(since, ?5), NULL), last_seq = ?5",
    )?
    .execute(params![conversation, target, key.emoji, remaining, seq])?;
    Ok(())
}

fn rebuild(db: &Connection, key: ReactionKey<'_>) -> Result<()> {
    let (conversation, target) = (key.conversation.as_bytes(), int(key.target));
    for rows in [
        "DELETE FROM reactors WHERE conversation = ?1 AND target = ?2 AND emoji = ?3",
        "DELETE FROM reactions WHERE conversation = ?1 AND target = ?2 AND emoji = ?3",
    ] {
        db.prepare_cached(rows)?.execute(params![conversation, target, key.emoji])?;
    }
    let mut every = db.prepare_cached(EVENTS)?;
    let all = params![key.conversation.as_bytes(), int(key.target), kind::REACTED, int(Seq::MAX)];
    for LogEntry { seq, event } in log::readable(key.conversation, &mut every, all)? {
        if let Kind::Reacted { emoji, on, .. } = &event.kind
            && (emoji == key.emoji || (!on && is_same(emoji, key.emoji)))
        {
            apply_newest(db, key, ReactionUpdate { seq, user: event.author, on: *on })?;
        }
    }
    Ok(())
}

fn is_same(one: &str, other: &str) -> bool {
    canonical(one).is_some_and(|same| canonical(other) == Some(same))
}

/// Whether reactions to this message were persisted ahead of `up_to`: the stored reactions are newer than `up_to`.
pub fn changed_after(
    db: &Connection,
    (conversation, target): (ConversationId, Seq),
    up_to: Seq,
) -> Result<bool> {
    let ahead = "SELECT 1 FROM reactions WHERE conversation = ?1 AND target = ?2 AND last_seq > ?3";
    let key = params![conversation.as_bytes(), int(target), int(up_to)];
    Ok(db.prepare_cached(ahead)?.exists(key)?)
}

/// Every reaction to the message up to then, as logged, ascending.
pub fn events(
    db: &Connection,
    (conversation, target): (ConversationId, Seq),
    up_to: Seq,
) -> Result<Vec<LogEntry>> {
    let mut every = db.prepare_cached(EVENTS)?;
    log::readable(
        conversation,
        &mut every,
        params![conversation.as_bytes(), int(target), kind::REACTED, int(up_to)],
    )
}

/// In the order in which they came to be.
pub fn of(db: &Connection, conversation: ConversationId, target: Seq) -> Result<Vec<Reaction>> {
    let mut of = db.prepare_cached(
        "SELECT r.emoji, u.user FROM reactions r
           JOIN reactors u ON u.conversation = r.conversation AND u.target = r.target AND u.emoji = r.emoji
          WHERE r.conversation = ?1 AND r.target = ?2 AND r.since IS NOT NULL
          ORDER BY r.since, u.since",
    )?;
    let mut rows = of.query(params![conversation.as_bytes(), int(target)])?;
    let mut users: Vec<(String, Vec<UserId>)> = Vec::new();
    // Of an old log also in several spellings of one emoji.
    let mut places: HashMap<String, usize> = HashMap::new();
    let mut seen = HashSet::new();
    while let Some(row) = rows.next()? {
        let (emoji, by) = (row.get::<_, String>(0)?, user(row, 1)?);
        let emoji = canonical(&emoji).map_or(emoji, str::to_owned);
        let place = places.get(&emoji).copied().unwrap_or(users.len());
        if place >= limits::REACTIONS_HELD {
            break;
        }
        if place == users.len() {
            places.insert(emoji.clone(), place);
            users.push((emoji, Vec::new()));
        }
        if seen.insert((place, by)) {
            users[place].1.push(by);
        }
    }
    Ok(users.into_iter().map(|(emoji, users)| Reaction::of(&emoji, users)).collect())
}
