//! A seq is one event's for ever. A log that was rebuilt without going above `highest`, or another
//! deployment's log, would silently overwrite the events of before.
//!
//! Asking for every event would cost as much as writing it, so only those are looked up that may be here: at or
//! below the highest seq that the store had when this process met the log partition, or that this process has
//! persisted since. A log that begins again begins far below that, for every worker. What is not looked up has
//! been delivered for the first time, or was persisted by another worker since this one started: the same log,
//! the same event. Only a rebuilt log whose first event lies in the few batches that workers take out of
//! order at that moment would go undetected.

use std::collections::{BTreeMap, HashMap};

use natter_schemas::{
    event::LogEntry,
    id::{ConversationId, EventId, Partition, Seq},
};
use parking_lot::Mutex;
use uuid::Uuid;

use crate::{
    Result, StoreError,
    scylla::{
        cluster::Cluster,
        columns::{bucket, int, raw, seq as seq_of},
        concurrent::each,
    },
};

/// Seqs of one bucket looked up at once: 100 rows without their content.
const ASKED: usize = 100;

/// Highest seq per log partition that may be here.
#[derive(Default)]
pub struct SeqGuard(Mutex<HashMap<Partition, Seq>>);

impl SeqGuard {
    /// Events by seq.
    pub async fn check(&self, db: &Cluster, partition: Partition, events: &[&LogEntry]) -> Result<()> {
        let highest = self.highest(db, partition).await?;
        let mut seqs: BTreeMap<(ConversationId, i64), Vec<i64>> = BTreeMap::new();
        let mut ids: BTreeMap<(ConversationId, i64), EventId> = BTreeMap::new();
        for LogEntry { seq, event } in events {
            let at = (event.conversation, int(*seq));
            match ids.insert(at, event.id) {
                Some(other) if other != event.id => return Err(taken(at, other, event.id)),
                None if *seq <= highest => {
                    seqs.entry((event.conversation, bucket(*seq))).or_default().push(int(*seq));
                }
                _ => {}
            }
        }
        let asked = seqs.into_iter().flat_map(|(place, seqs)| {
            seqs.chunks(ASKED).map(|seqs| (place, seqs.to_vec())).collect::<Vec<_>>()
        });
        for (at, known) in each(asked, |(place, seqs)| stored(db, place, seqs)).await?.into_iter().flatten() {
            match ids.get(&at) {
                Some(id) if *id != known => return Err(taken(at, known, *id)),
                _ => {}
            }
        }
        Ok(())
    }

    async fn highest(&self, db: &Cluster, partition: Partition) -> Result<Seq> {
        if let Some(known) = self.0.lock().get(&partition) {
            return Ok(*known);
        }
        let stored = super::highest(db, partition).await?;
        self.raise(partition, stored);
        Ok(stored)
    }

    pub fn raise(&self, partition: Partition, to: Seq) {
        let mut known = self.0.lock();
        let highest = known.entry(partition).or_default();
        *highest = to.max(*highest);
    }
}

type Stored = ((ConversationId, i64), EventId);

async fn stored(
    db: &Cluster,
    (conversation, bucket): (ConversationId, i64),
    seqs: Vec<i64>,
) -> Result<Vec<Stored>> {
    type Row = (i64, Option<Uuid>);
    let s = &db.statements;
    let key = (raw(conversation.as_bytes()), bucket, seqs);
    let (messages, changes) =
        tokio::try_join!(db.all::<Row>(&s.message_ids, &key), db.all::<Row>(&s.change_ids, &key))?;
    let stored = |(seq, id): Row| Some(((conversation, seq), EventId::from_uuid(id?)));
    Ok(messages.into_iter().chain(changes).filter_map(stored).collect())
}

fn taken((conversation, seq): (ConversationId, i64), known: EventId, other: EventId) -> StoreError {
    let seq = seq_of(seq);
    StoreError::Corrupt(format!(
        "seq {seq} of conversation {conversation} is event {known} here and {other} in the log"
    ))
}
