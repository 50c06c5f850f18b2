//! Events become rows. Arrives: events of one log partition, in any order, any number of times. Leaves: rows
//! that are there when the call returns. Fails: with `Corrupt` before anything is written when a seq is
//! another event's; otherwise with some of the rows written, and the same events bring the rest.
//!
//! Three steps, each after the one before: the events and what they change; what is counted or only moves
//! forward, once for the whole batch; how far the log partition has come.

mod derive; // what an event changes
mod guard; // a seq is one event's for ever
mod totals; // heads, activity, read marks, buckets, counts of members
mod plan; // rows by the partition they go to, in batches

use std::collections::{BTreeMap, BTreeSet};

use natter_schemas::{
    event::{Kind, LogEntry, Shape},
    id::{ConversationId, Partition, Seq},
};

pub use guard::SeqGuard;
use plan::WritePlan;

use super::{
    cluster::Cluster,
    columns::{int, newest, seq as seq_of},
    concurrent::each,
    conversations, members,
};
use crate::{Result, damage};

pub async fn persist(
    db: &Cluster,
    guard: &SeqGuard,
    partition: Partition,
    events: &[LogEntry],
) -> Result<()> {
    let mut events: Vec<&LogEntry> = events.iter().collect();
    events.sort_by_key(|logged| logged.seq);
    let Some(last) = events.last().map(|logged| logged.seq) else { return Ok(()) };
    guard.check(db, partition, &events).await?;

    let shapes = shapes(db, &events).await?;
    let mut rows = WritePlan::default();
    for logged in &events {
        derive::derive(&db.statements, &mut rows, logged, &shapes);
    }
    rows.write(db).await?;

    let mut totals = totals::BatchTotals::default();
    for logged in &events {
        totals.note(logged);
    }
    let counts =
        each(totals.memberships_changed(), |id| async move { Ok((id, members::count(db, id).await?)) });
    let mut rows = WritePlan::default();
    totals.derive(&db.statements, &mut rows, counts.await?);
    rows.write(db).await?;

    let raised = (newest(last), int(last), i32::from(partition.0));
    db.write(&db.statements.raise, raised).await?;
    guard.raise(partition, last);
    Ok(())
}

/// Shape and `Created` seq of conversations that gain members: they are copied into the members' rows. Reading them
/// here, where members are added now and then, saves reading them whenever a user connects.
type Shapes = BTreeMap<ConversationId, (Shape, Seq)>;

async fn shapes(db: &Cluster, events: &[&LogEntry]) -> Result<Shapes> {
    let added = |logged: &&LogEntry| match logged.event.kind {
        Kind::MemberAdded { .. } => Some(logged.event.conversation),
        _ => None,
    };
    let conversations: BTreeSet<ConversationId> = events.iter().filter_map(added).collect();
    let found = each(conversations, |id| async move {
        // Without a shape that can be read: whoever lists the membership looks for it again.
        let created = damage::readable_row("conversations", conversations::created(db, id).await)?;
        Ok(created.flatten().map(|created| (id, created)))
    });
    Ok(found.await?.into_iter().flatten().collect())
}

pub async fn highest(db: &Cluster, partition: Partition) -> Result<Seq> {
    let row = db.first::<(Option<i64>,)>(&db.statements.highest, (i32::from(partition.0),)).await?;
    Ok(row.and_then(|(highest,)| highest).map_or(0, seq_of))
}
