use std::collections::BTreeSet;

use natter_schemas::{
    event::{Kind, LogEntry},
    id::{ConversationId, Seq, UserId},
    limits,
};
use natter_store::{ReadPosition, Store, StoreError};

use crate::services::history::Tail;

/// Where the user has read to: what is stored, and of one's own newest post or joining what is not stored yet.
pub fn read_through(user: UserId, stored: ReadPosition, tail: &Tail) -> ReadPosition {
    let own = |logged: &&LogEntry| logged.event.marks_read_for() == Some(user);
    tail.iter().rev().find(own).map_or(stored, |logged| stored.read_through(logged.seq))
}

/// Others' messages after `read` that are not deleted: rows up to the floor, then the log above it. Counted
/// to [`limits::UNREAD`].
pub async fn unread(
    store: &dyn Store,
    (conversation, user): (ConversationId, UserId),
    read: Seq,
    floor: Seq,
    tail: &Tail,
) -> Result<usize, StoreError> {
    let deleted = deleted(tail);
    let above = above(user, read, tail, &deleted);
    if above >= limits::UNREAD || read >= floor {
        return Ok(above.min(limits::UNREAD));
    }
    // Rows the tail deletes may count as rows: that many more are asked for.
    let below = deleted.range(..=floor).count();
    let rows = store.countable(conversation, user, read, floor, limits::UNREAD + below).await?;
    let rows = rows.iter().filter(|seq| !deleted.contains(seq)).count();
    Ok((rows + above).min(limits::UNREAD))
}

fn deleted(tail: &Tail) -> BTreeSet<Seq> {
    let target = |logged: &LogEntry| match logged.event.kind {
        Kind::Deleted { target } => Some(target),
        _ => None,
    };
    tail.iter().filter_map(target).collect()
}

fn above(user: UserId, read: Seq, tail: &Tail, deleted: &BTreeSet<Seq>) -> usize {
    let counts = |logged: &&LogEntry| {
        logged.seq > read
            && logged.event.author != user
            && matches!(logged.event.kind, Kind::Posted { .. })
            && !deleted.contains(&logged.seq)
    };
    tail.iter().filter(counts).count()
}
