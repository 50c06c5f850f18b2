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
/// Bytes of a batch: Apache Cassandra complains of 5 KiB into everybody's log (and refuses 50), ScyllaDB of 128.
const BYTES: usize = 4 * 1024;
/// Of a row besides its event, as the server counts it.
const ROW: usize = 100;
/// Written at once by one call, of the bound for all of them.
const WIDTH: usize = 128;

/// A partition, of whichever tables.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub enum Home {
    Bucket(ConversationId, i64),
    Conversation(ConversationId),
    Message(ConversationId, Seq),
    Event(ConversationId, EventId),
    Person(UserId),
}

struct Row {
    statement: PreparedStatement,
    values: Values,
    bytes: usize,
}

#[derive(Default)]
pub struct Plan(HashMap<Home, Vec<Row>>);

impl Plan {
    pub fn add(
        &mut self,
        home: Home,
        statement: &PreparedStatement,
        values: impl scylla::serialize::row::SerializeRow + Send + Sync + 'static,
    ) {
        self.add_sized(home, statement, values, 0);
    }

    /// `bytes`: of an event among the values.
    pub fn add_sized(
        &mut self,
        home: Home,
        statement: &PreparedStatement,
        values: impl scylla::serialize::row::SerializeRow + Send + Sync + 'static,
        bytes: usize,
    ) {
        let row = Row { statement: statement.clone(), values: Box::new(values), bytes: bytes + ROW };
        self.0.entry(home).or_default().push(row);
    }

    /// Returns when every row is there, or with the first failure.
    pub async fn write(self, db: &Cluster) -> Result<()> {
        let batches = stream::iter(self.0.into_values().flat_map(cut).map(Ok));
        batches.try_for_each_concurrent(WIDTH, |rows| write(db, rows)).await
    }
}

fn cut(rows: Vec<Row>) -> Vec<Vec<Row>> {
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

async fn write(db: &Cluster, mut rows: Vec<Row>) -> Result<()> {
    let _turn = db.turn().await?;
    if rows.len() == 1
        && let Some(Row { statement, values, .. }) = rows.pop()
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
