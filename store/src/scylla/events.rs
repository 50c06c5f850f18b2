//! Events as they were logged.

use async_trait::async_trait;
use natter_schemas::{
    event::LogEntry,
    id::{ConversationId, EventId, Partition, Seq},
};
use scylla::statement::prepared::PreparedStatement;
use uuid::Uuid;

use super::{
    ScyllaStore,
    buckets::{self, SeqRange},
    cluster::Cluster,
    columns::{holds, logged, raw, seq as seq_of},
    persist, reseal,
};
use crate::{EventStore, Result};

#[async_trait]
impl EventStore for ScyllaStore {
    async fn persist(&self, partition: Partition, events: &[LogEntry]) -> Result<()> {
        persist::persist(&self.db, &self.seq_guard, partition, events).await
    }

    async fn highest(&self, partition: Partition) -> Result<Seq> {
        persist::highest(&self.db, partition).await
    }

    async fn events_from(
        &self,
        conversation: ConversationId,
        after: Seq,
        up_to: Seq,
        limit: usize,
    ) -> Result<Vec<LogEntry>> {
        let (db, s) = (&self.db, &self.db.statements);
        let Some(range) = SeqRange::up(conversation, Some(after), up_to) else { return Ok(Vec::new()) };
        buckets::scan(db, range, &[holds::MESSAGES, holds::CHANGES], limit, |bucket, most| async move {
            let posted = part(db, &s.posted_up, range.of_bucket(bucket), most);
            let changes = part(db, &s.changes_up, range.of_bucket(bucket), most);
            let (posted, changes) = tokio::try_join!(posted, changes)?;
            let mut events = [posted, changes].concat();
            events.sort_by_key(|logged| logged.seq);
            events.truncate(most);
            Ok(events)
        })
        .await
    }

    async fn find_event(&self, conversation: ConversationId, id: EventId) -> Result<Option<LogEntry>> {
        let (db, s) = (&self.db, &self.db.statements);
        let key = (raw(conversation.as_bytes()), raw(id.as_bytes()));
        let Some((Some(seq),)) = db.first::<(Option<i64>,)>(&s.seq_of_event, key).await? else {
            return Ok(None);
        };
        let at = buckets::of_seq(conversation, seq_of(seq));
        let (posted, change) =
            tokio::try_join!(part(db, &s.posted_up, at, 1), part(db, &s.changes_up, at, 1))?;
        // Nothing: its row and its index entry are written concurrently, the row may follow.
        Ok(posted.into_iter().chain(change).find(|logged| logged.event.id == id))
    }

    async fn reseal(&self, _: ConversationId, events: &[LogEntry]) -> Result<()> {
        reseal::reseal(&self.db, events).await
    }

    /// Compaction does, by and by.
    async fn forget_replaced(&self, _rewrite: bool) -> Result<()> {
        Ok(())
    }
}

/// Events of a range, as they are stored for themselves.
pub async fn part(
    db: &Cluster,
    statement: &PreparedStatement,
    range: (Uuid, i64, i64, i64),
    most: usize,
) -> Result<Vec<LogEntry>> {
    let event = |(seq, data): (i64, Option<Vec<u8>>)| data.map(|data| logged(seq, &data)).transpose();
    db.scan(statement, range, most, event).await
}
