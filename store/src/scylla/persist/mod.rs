//! Events become rows. Arrives: events of one log partition, in any order, any number of times. Leaves: rows
//! that are there when the call returns. Fails: with `Corrupt` before anything is written when a seq is
//! another event's; otherwise with some of the rows written, and the same events bring the rest.
//!
//! Three steps, each after the one before: the events and what they change; what is counted or only moves
//! forward, once for the whole batch; how far the log partition has come.

mod derive; // what an event changes
mod known; // a seq is one event's for ever
mod moved; // heads, activity, read marks, buckets, counts of members
mod plan; // rows by the partition they go to, in batches

use std::collections::{BTreeMap, BTreeSet};

use natter_schemas::{
    event::{Kind, LogEntry, Shape},
    id::{ConversationId, Partition, Seq},
};

pub use known::Known;
use plan::Plan;

use super::{
    abreast::each,
    cluster::Cluster,
    columns::{int, newest, seq as seq_of},
    conversations, members,
};
use crate::Result;

pub async fn persist(db: &Cluster, known: &Known, partition: Partition, events: &[LogEntry]) -> Result<()> {
    let mut events: Vec<&LogEntry> = events.iter().collect();
    events.sort_by_key(|logged| logged.seq);
    let Some(last) = events.last().map(|logged| logged.seq) else { return Ok(()) };
    known.refuse_others(db, partition, &events).await?;

    let shapes = shapes(db, &events).await?;
    let mut rows = Plan::default();
    for logged in &events {
        derive::derive(&db.statements, &mut rows, logged, &shapes);
    }
    rows.write(db).await?;

    let mut moved = moved::Moved::default();
    for logged in &events {
        moved.note(logged);
    }
    let counts = each(moved.joined_or_left(), |id| async move { Ok((id, members::count(db, id).await?)) });
    let mut rows = Plan::default();
    moved.derive(&db.statements, &mut rows, counts.await?);
    rows.write(db).await?;

    let raised = (newest(last), int(last), i32::from(partition.0));
    db.write(&db.statements.raise, raised).await?;
    known.raise(partition, last);
    Ok(())
}

/// Created conversations: what an added member's row says of them. Reading it here, where members are added
/// now and then, saves reading it whenever somebody connects.
type Shapes = BTreeMap<ConversationId, (Shape, Seq)>;

async fn shapes(db: &Cluster, events: &[&LogEntry]) -> Result<Shapes> {
    let added = |logged: &&LogEntry| match logged.event.kind {
        Kind::MemberAdded { .. } => Some(logged.event.conversation),
        _ => None,
    };
    let conversations: BTreeSet<ConversationId> = events.iter().filter_map(added).collect();
    let found = each(conversations, |id| async move {
        Ok(conversations::created(db, id).await?.map(|created| (id, created)))
    });
    Ok(found.await?.into_iter().flatten().collect())
}

pub async fn highest(db: &Cluster, partition: Partition) -> Result<Seq> {
    let row = db.first::<(Option<i64>,)>(&db.statements.highest, (i32::from(partition.0),)).await?;
    Ok(row.and_then(|(highest,)| highest).map_or(0, seq_of))
}
