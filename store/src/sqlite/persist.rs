//! Events become rows. Any event may come any number of times and in any order: each rule says which of two
//! events wins by their seqs alone.

use natter_schemas::{
    event::{Kind, LogEntry, Timestamp},
    id::{ConversationId, EventId, Partition, Seq, UserId},
};
use rusqlite::{Connection, OptionalExtension, params};

use super::{
    columns::{int, seq},
    conversations, events, ids, members, reactions, read_marks,
};
use crate::Result;

/// An event and its bytes, encoded before the write is queued: the writer's thread is the bottleneck.
pub struct EventRow {
    pub conversation: ConversationId,
    pub seq: Seq,
    pub id: EventId,
    pub author: UserId,
    at: Timestamp,
    /// `None`: posted. The content of messages is read back from `data`.
    pub change: Option<Kind>,
    is_activity: bool,
    marks_read_for: Option<UserId>,
    pub data: Vec<u8>,
}

/// By conversation, so that what is read together lies together; of each in log order: only events of different
/// calls can then meet each other in the wrong order.
pub fn rows(events: &[LogEntry]) -> Vec<EventRow> {
    let mut rows: Vec<EventRow> = events.iter().map(row).collect();
    rows.sort_by_key(|row| (row.conversation, row.seq));
    rows
}

fn row(LogEntry { seq, event }: &LogEntry) -> EventRow {
    EventRow {
        conversation: event.conversation,
        seq: *seq,
        id: event.id,
        author: event.author,
        at: event.at,
        change: (!matches!(event.kind, Kind::Posted { .. })).then(|| event.kind.clone()),
        is_activity: event.kind.is_activity(),
        marks_read_for: event.marks_read_for(),
        data: natter_schemas::codec::encode(event),
    }
}

pub fn apply(db: &Connection, partition: Partition, rows: &[EventRow]) -> Result<()> {
    let Some(last) = rows.iter().map(|row| row.seq).max() else { return Ok(()) };
    let mut place = events::reserve_places(db, rows.len())?;
    for of_one in rows.chunk_by(|a, b| a.conversation == b.conversation) {
        place = apply_to(db, of_one, place)?;
    }
    raise_highest(db, partition, last)
}

/// Applies rows of one conversation; returns the first place after theirs.
fn apply_to(db: &Connection, rows: &[EventRow], mut place: i64) -> Result<i64> {
    let Some(EventRow { conversation, .. }) = rows.first() else { return Ok(place) };
    let before = conversations::progress(db, *conversation)?;
    let mut progress = before;
    let mut marks = MarkUpdates::default();
    let mut newest = events::newest(db, *conversation)?;
    for row in rows {
        // Above the newest nothing is known; what was here before has everything derived from it here too.
        if row.seq <= newest && events::is_known(db, row)? {
            continue;
        }
        newest = newest.max(row.seq);
        events::insert(db, row, place)?;
        place += 1;
        derive(db, row)?;
        ids::add(db, row, &mut progress)?;
        progress.head = progress.head.max(row.seq);
        if row.is_activity {
            progress.activity = progress.activity.max(row.at);
        }
        marks.note(row);
    }
    ids::index_waiting(db, *conversation, &mut progress)?;
    if progress != before {
        conversations::set_progress(db, *conversation, progress)?;
    }
    marks.write(db, *conversation)?;
    Ok(place)
}

fn derive(db: &Connection, row: &EventRow) -> Result<()> {
    let EventRow { conversation, seq, author, at, .. } = *row;
    let member = |user| members::MembershipUpdate { conversation, user, seq };
    match &row.change {
        // Read back from `events` itself.
        None | Some(Kind::Posted { .. } | Kind::Edited { .. } | Kind::Deleted { .. }) => Ok(()),
        // A change logged before the message cannot be about it.
        Some(Kind::Reacted { target, .. }) if *target >= seq => Ok(()),
        Some(Kind::Reacted { target, emoji, on }) => reactions::apply(
            db,
            reactions::ReactionKey { conversation, target: *target, emoji },
            reactions::ReactionUpdate { seq, user: author, on: *on },
        ),
        Some(Kind::MemberAdded { user, role }) => members::add(db, member(*user), *role, at),
        Some(Kind::MemberRemoved { user }) => members::remove(db, member(*user)),
        Some(Kind::RoleChanged { user, role }) => members::change_role(db, member(*user), *role),
        Some(Kind::Renamed { name }) => conversations::rename(db, conversation, name, seq),
        Some(Kind::Created { shape, name, members }) => {
            conversations::create(db, conversation, *shape, seq, at)?;
            if let Some(name) = name {
                conversations::rename(db, conversation, name, seq)?;
            }
            members.iter().try_for_each(|m| members::add(db, member(m.user), m.role, at))
        }
    }
}

/// Read marks that move, written once per user and not once per message. Few users write in one conversation at once.
#[derive(Default)]
struct MarkUpdates(Vec<(UserId, Seq, Timestamp)>);

impl MarkUpdates {
    /// In log order.
    fn note(&mut self, row: &EventRow) {
        let Some(reader) = row.marks_read_for else { return };
        match self.0.iter_mut().find(|(user, ..)| *user == reader) {
            Some(mark) => *mark = (reader, row.seq, row.at),
            None => self.0.push((reader, row.seq, row.at)),
        }
    }

    fn write(self, db: &Connection, conversation: ConversationId) -> Result<()> {
        self.0
            .into_iter()
            .try_for_each(|(user, seq, at)| read_marks::advance(db, conversation, user, seq, at))
    }
}

fn raise_highest(db: &Connection, partition: Partition, to: Seq) -> Result<()> {
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
