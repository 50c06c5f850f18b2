//! Rows by the partition they go to: those of one are written together, as far as a batch may grow.

use std::collections::HashMap;

use futures_util::{TryStreamExt, stream};
use natter_schemas::id::{ConversationId, EventId, Seq, UserId};
use scylla::statement::{
    batch::{Batch, BatchType},
    prepared::PreparedStatement,
};

use crate::{
    Result,
    scylla::cluster::{Cluster, Values},
};

/// Statements of a batch.
const STATEMENTS: usize = 30;
/// Bytes of a batch: Apache Cassandra logs a warning from 5 KiB on (and refuses 50), ScyllaDB from 128.
const BYTES: usize = 4 * 1024;
/// Of a row besides its event, as the server counts it.
const ROW_OVERHEAD: usize = 100;
/// Written at once by one call, of the bound for all of them.
const CONCURRENCY: usize = 128;

/// A partition, of whichever tables.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub enum PartitionKey {
    Bucket(ConversationId, i64),
    Conversation(ConversationId),
    Message(ConversationId, Seq),
    Event(ConversationId, EventId),
    User(UserId),
}

struct PlannedWrite {
    statement: PreparedStatement,
    values: Values,
    bytes: usize,
}

#[derive(Default)]
pub struct WritePlan(HashMap<PartitionKey, Vec<PlannedWrite>>);

impl WritePlan {
    pub fn add(
        &mut self,
        key: PartitionKey,
        statement: &PreparedStatement,
        values: impl scylla::serialize::row::SerializeRow + Send + Sync + 'static,
    ) {
        self.add_sized(key, statement, values, 0);
    }

    /// `bytes`: of an event among the values.
    pub fn add_sized(
        &mut self,
        key: PartitionKey,
        statement: &PreparedStatement,
        values: impl scylla::serialize::row::SerializeRow + Send + Sync + 'static,
        bytes: usize,
    ) {
        let row = PlannedWrite {
            statement: statement.clone(),
            values: Box::new(values),
            bytes: bytes + ROW_OVERHEAD,
        };
        self.0.entry(key).or_default().push(row);
    }

    /// Returns when every row is there, or with the first failure.
    pub async fn write(self, db: &Cluster) -> Result<()> {
        let batches = stream::iter(self.0.into_values().flat_map(split_into_batches).map(Ok));
        batches.try_for_each_concurrent(CONCURRENCY, |rows| write(db, rows)).await
    }
}

fn split_into_batches(rows: Vec<PlannedWrite>) -> Vec<Vec<PlannedWrite>> {
    let (mut batches, mut bytes) = (vec![Vec::new()], 0);
    for row in rows {
        let Some(batch) = batches.last_mut() else { break };
        if !batch.is_empty() && (batch.len() == STATEMENTS || bytes + row.bytes > BYTES) {
            bytes = row.bytes;
            batches.push(vec![row]);
        } else {
            bytes += row.bytes;
            batch.push(row);
        }
    }
    batches
}

async fn write(db: &Cluster, mut rows: Vec<PlannedWrite>) -> Result<()> {
    let _permit = db.persist_permit().await?;
    if rows.len() == 1
        && let Some(PlannedWrite { statement, values, .. }) = rows.pop()
    {
        return db.write(&statement, values).await;
    }
    let mut batch = Batch::new(BatchType::Unlogged);
    batch.set_is_idempotent(true);
    let mut values = Vec::with_capacity(rows.len());
    for row in rows {
        batch.append_statement(row.statement);
        values.push(row.values);
    }
    db.batch(&batch, &values).await
}
