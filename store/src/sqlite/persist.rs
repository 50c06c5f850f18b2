//! Events become rows. Any event may come any number of times and in any order: each rule says which of two
//! events wins by their seqs alone.

use std::collections::BTreeMap;

use rusqlite::{Connection, OptionalExtension, params};
use schemas::{
    event::{Event, Kind, Logged, Timestamp},
    id::{ConversationId, EventId, Partition, Seq, UserId},
};

use super::{
    columns::{int, of_kind, seq},
    conversations, members, reactions, reads,
};
use crate::{Result, StoreError};

/// An event and its bytes, made before the writer's thread is asked for.
pub struct Row {
    logged: Logged,
    data: Vec<u8>,
}

/// In log order: only events of different calls can then meet each other in the wrong order.
pub fn rows(events: &[Logged]) -> Vec<Row> {
    let row = |logged: &Logged| Row { data: schemas::codec::encode(&logged.event), logged: logged.clone() };
    let mut rows: Vec<Row> = events.iter().map(row).collect();
    rows.sort_by_key(|row| row.logged.seq);
    rows
}

pub fn apply(db: &Connection, partition: Partition, rows: &[Row]) -> Result<()> {
    let mut moved = Moved::default();
    for Row { logged, data } in rows {
        if insert(db, logged, data)? {
            derive(db, logged)?;
            moved.note(logged);
        }
    }
    moved.write(db)?;
    match rows.last() {
        Some(last) => raise(db, partition, last.logged.seq),
        None => Ok(()),
    }
}

/// False when it was here before: then everything derived from it is here too.
fn insert(db: &Connection, Logged { seq, event }: &Logged, data: &[u8]) -> Result<bool> {
    let (kind, target) = of_kind(&event.kind);
    let inserted = db
        .prepare_cached(
            "INSERT INTO events (conversation, seq, id, kind, target, author, at, data)
             VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8) ON CONFLICT (conversation, seq) DO NOTHING",
        )?
        .execute(params![
            event.conversation.as_bytes(),
            int(*seq),
            event.id.as_bytes(),
            kind,
            target,
            event.author.as_bytes(),
            event.at.0,
            data
        ])?;
    if inserted == 0 {
        same(db, *seq, event)?;
    }
    Ok(inserted > 0)
}

/// A log that was rebuilt without going above `highest`, or another deployment's log, would lose its events
/// here without a word.
fn same(db: &Connection, seq: Seq, event: &Event) -> Result<()> {
    let known: [u8; 16] = db
        .prepare_cached("SELECT id FROM events WHERE conversation = ?1 AND seq = ?2")?
        .query_row(params![event.conversation.as_bytes(), int(seq)], |row| row.get(0))?;
    if known == *event.id.as_bytes() {
        return Ok(());
    }
    let known = EventId::from_bytes(known);
    Err(StoreError::Corrupt(format!(
        "seq {seq} of conversation {} is event {known} here and {} in the log",
        event.conversation, event.id
    )))
}

fn derive(db: &Connection, Logged { seq, event }: &Logged) -> Result<()> {
    let (conversation, seq) = (event.conversation, *seq);
    let member = |user| members::Change { conversation, user, seq };
    match &event.kind {
        // Read back from `events` itself.
        Kind::Posted { .. } | Kind::Edited { .. } | Kind::Deleted { .. } => Ok(()),
        // What came before the message was not about it.
        Kind::Reacted { target, .. } if *target >= seq => Ok(()),
        Kind::Reacted { target, emoji, on } => reactions::apply(
            db,
            reactions::Place { conversation, target: *target, emoji },
            reactions::Change { seq, user: event.author, on: *on },
        ),
        Kind::MemberAdded { user, role } => members::add(db, member(*user), *role, event.at),
        Kind::MemberRemoved { user } => members::remove(db, member(*user)),
        Kind::RoleChanged { user, role } => members::change_role(db, member(*user), *role),
        Kind::Renamed { name } => conversations::rename(db, conversation, name, seq),
        Kind::Created { shape, name, members } => {
            conversations::create(db, conversation, *shape, seq, event.at)?;
            if let Some(name) = name {
                conversations::rename(db, conversation, name, seq)?;
            }
            members.iter().try_for_each(|m| members::add(db, member(m.user), m.role, event.at))
        }
    }
}

/// What only moves forward, written once per batch and not once per event.
#[derive(Default)]
struct Moved {
    conversations: BTreeMap<ConversationId, (Seq, Timestamp)>,
    reads: BTreeMap<(ConversationId, UserId), (Seq, Timestamp)>,
}

impl Moved {
    fn note(&mut self, Logged { seq, event }: &Logged) {
        let (head, activity) = self.conversations.entry(event.conversation).or_default();
        *head = (*head).max(*seq);
        if is_activity(&event.kind) {
            *activity = (*activity).max(event.at);
        }
        let reader = match event.kind {
            Kind::Posted { .. } => Some(event.author),
            // What was said before somebody was added is not unread for them.
            Kind::MemberAdded { user, .. } => Some(user),
            _ => None,
        };
        if let Some(user) = reader {
            let read = self.reads.entry((event.conversation, user)).or_default();
            *read = (*read).max((*seq, event.at));
        }
    }

    fn write(self, db: &Connection) -> Result<()> {
        for (conversation, (head, activity)) in self.conversations {
            conversations::touch(db, conversation, head, activity)?;
        }
        for ((conversation, user), (seq, at)) in self.reads {
            reads::advance(db, conversation, user, seq, at)?;
        }
        Ok(())
    }
}

/// Whether a list of conversations moves it to the top.
fn is_activity(kind: &Kind) -> bool {
    match kind {
        Kind::Posted { .. }
        | Kind::MemberAdded { .. }
        | Kind::MemberRemoved { .. }
        | Kind::RoleChanged { .. }
        | Kind::Renamed { .. }
        | Kind::Created { .. } => true,
        Kind::Edited { .. } | Kind::Deleted { .. } | Kind::Reacted { .. } => false,
    }
}

fn raise(db: &Connection, partition: Partition, to: Seq) -> Result<()> {
    db.prepare_cached(
        "INSERT INTO partitions (partition, highest) VALUES (?1, ?2)
         ON CONFLICT (partition) DO UPDATE SET highest = excluded.highest WHERE excluded.highest > highest",
    )?
    .execute(params![partition.0, int(to)])?;
    Ok(())
}

pub fn highest(db: &Connection, partition: Partition) -> Result<Seq> {
    let found = db
        .prepare_cached("SELECT highest FROM partitions WHERE partition = ?1")?
        .query_row([partition.0], |row| seq(row, 0))
        .optional()?;
    Ok(found.unwrap_or(0))
}
