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

/// An event and its bytes, made before the writer's thread is asked for.
pub struct Row {
    pub conversation: ConversationId,
    pub seq: Seq,
    pub id: EventId,
    pub author: UserId,
    at: Timestamp,
    /// `None`: posted. What was said is read back from its bytes.
    pub change: Option<Kind>,
    pub data: Vec<u8>,
}

/// By conversation, so that what is read together lies together; of each in log order: only events of different
/// calls can then meet each other in the wrong order.
pub fn rows(events: &[LogEntry]) -> Vec<Row> {
    let mut rows: Vec<Row> = events.iter().map(row).collect();
    rows.sort_by_key(|row| (row.conversation, row.seq));
    rows
}

fn row(LogEntry { seq, event }: &LogEntry) -> Row {
    Row {
        conversation: event.conversation,
        seq: *seq,
        id: event.id,
        author: event.author,
        at: event.at,
        change: (!matches!(event.kind, Kind::Posted { .. })).then(|| event.kind.clone()),
        data: natter_schemas::codec::encode(event),
    }
}

pub fn apply(db: &Connection, partition: Partition, rows: &[Row]) -> Result<()> {
    let Some(last) = rows.iter().map(|row| row.seq).max() else { return Ok(()) };
    let mut place = events::places(db, rows.len())?;
    for of_one in rows.chunk_by(|a, b| a.conversation == b.conversation) {
        place = apply_to(db, of_one, place)?;
    }
    raise(db, partition, last)
}

/// Rows of one conversation; answers the first place they left free.
fn apply_to(db: &Connection, rows: &[Row], mut place: i64) -> Result<i64> {
    let Some(Row { conversation, .. }) = rows.first() else { return Ok(place) };
    let before = conversations::reach(db, *conversation)?;
    let mut reach = before;
    let mut marks = Marks::default();
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
        ids::note(db, row, &mut reach)?;
        reach.head = reach.head.max(row.seq);
        if is_activity(row) {
            reach.activity = reach.activity.max(row.at);
        }
        marks.note(row);
    }
    ids::catch_up(db, *conversation, &mut reach)?;
    if reach != before {
        conversations::set_reach(db, *conversation, reach)?;
    }
    marks.write(db, *conversation)?;
    Ok(place)
}

fn derive(db: &Connection, row: &Row) -> Result<()> {
    let Row { conversation, seq, author, at, .. } = *row;
    let member = |user| members::Change { conversation, user, seq };
    match &row.change {
        // Read back from `events` itself.
        None | Some(Kind::Posted { .. } | Kind::Edited { .. } | Kind::Deleted { .. }) => Ok(()),
        // What came before the message was not about it.
        Some(Kind::Reacted { target, .. }) if *target >= seq => Ok(()),
        Some(Kind::Reacted { target, emoji, on }) => reactions::apply(
            db,
            reactions::Place { conversation, target: *target, emoji },
            reactions::Change { seq, user: author, on: *on },
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

/// Read marks that move, written once per person and not once per message. Few write in one conversation at once.
#[derive(Default)]
struct Marks(Vec<(UserId, Seq, Timestamp)>);

impl Marks {
    /// In log order.
    fn note(&mut self, row: &Row) {
        let reader = match row.change {
            None => row.author,
            // What was said before somebody was added is not unread for them.
            Some(Kind::MemberAdded { user, .. }) => user,
            Some(_) => return,
        };
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

/// Whether a list of conversations moves it to the top.
fn is_activity(row: &Row) -> bool {
    match row.change {
        None
        | Some(
            Kind::Posted { .. }
            | Kind::MemberAdded { .. }
            | Kind::MemberRemoved { .. }
            | Kind::RoleChanged { .. }
            | Kind::Renamed { .. }
            | Kind::Created { .. },
        ) => true,
        Some(Kind::Edited { .. } | Kind::Deleted { .. } | Kind::Reacted { .. }) => false,
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
