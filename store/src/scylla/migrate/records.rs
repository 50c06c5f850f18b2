//! The two tables in which a keyspace records its migrations. Every write is conditional: one that a runner
//! makes after another has taken over changes nothing.

use std::time::Duration;

use futures_util::TryStreamExt;
use natter_schemas::event::Timestamp;
use scylla::{
    client::session::Session,
    statement::{Consistency, Statement},
    value::{CqlTimestamp, CqlValue},
};
use tokio::time::{Instant, sleep};

use super::{
    failed,
    files::{COMMON, Migration, SCYLLA},
};
use crate::{Result, StoreError};

/// `checksum` covers the first `statements_done` statements.
const MIGRATIONS: &str = "CREATE TABLE IF NOT EXISTS schema_migrations (folder text, version int, name text, \
    checksum text, statements_done int, applied_at timestamp, PRIMARY KEY (folder, version))";
const LOCK: &str = "CREATE TABLE IF NOT EXISTS schema_lock (name text PRIMARY KEY, holder text)";
const SELECT: &str =
    "SELECT version, name, checksum, statements_done, applied_at FROM schema_migrations WHERE folder = ?";
const BEGIN: &str = "INSERT INTO schema_migrations (folder, version, name, checksum, statements_done) \
    VALUES (?, ?, ?, ?, 0) IF NOT EXISTS";
const STEP: &str = "UPDATE schema_migrations SET checksum = ?, statements_done = ? \
    WHERE folder = ? AND version = ? IF statements_done = ?";
const END: &str = "UPDATE schema_migrations SET applied_at = toTimestamp(now()) \
    WHERE folder = ? AND version = ? IF statements_done = ?";

/// From listed to usable.
const USABLE_WITHIN: Duration = Duration::from_secs(10);
const POLL_INTERVAL: Duration = Duration::from_millis(100);

/// What a keyspace records of one migration.
#[derive(Debug, Clone)]
pub struct Record {
    pub folder: &'static str,
    pub version: u32,
    pub name: String,
    pub checksum: String,
    pub statements_done: usize,
    pub applied_at: Option<Timestamp>,
}

/// Makes the tables when they are not there.
pub async fn prepare(session: &Session, keyspace: &str) -> Result<()> {
    for (table, create) in [("schema_migrations", MIGRATIONS), ("schema_lock", LOCK)] {
        // Looked for first: who only looks needs no right to make tables.
        if !has_table(session, keyspace, table).await? {
            session.query_unpaged(create, ()).await.map_err(|e| failed(table, e))?;
        }
        let look = format!("SELECT * FROM {table} LIMIT 1");
        usable(async || session.query_unpaged(look.as_str(), ()).await)
            .await
            .map_err(|e| failed(table, e))?;
    }
    Ok(())
}

/// A server lists what another runner is making a moment before it can be used.
pub async fn usable<T, E>(use_it: impl AsyncFn() -> std::result::Result<T, E>) -> std::result::Result<T, E> {
    let deadline = Instant::now() + USABLE_WITHIN;
    loop {
        match use_it().await {
            Err(_) if Instant::now() < deadline => sleep(POLL_INTERVAL).await,
            done => return done,
        }
    }
}

pub async fn has_table(session: &Session, keyspace: &str, table: &str) -> Result<bool> {
    let select = "SELECT table_name FROM system_schema.tables WHERE keyspace_name = ? AND table_name = ?";
    let found = session.query_unpaged(select, (keyspace, table)).await;
    let rows = found.map_err(|e| failed("system_schema.tables", e))?.into_rows_result();
    Ok(rows.map_err(|e| failed("system_schema.tables", e))?.rows_num() > 0)
}

/// `serial`: also what a conditional write that is still under way will have written.
pub async fn read(session: &Session, serial: bool) -> Result<Vec<Record>> {
    let mut select = Statement::new(SELECT);
    if serial {
        select.set_consistency(Consistency::Serial);
    }
    let mut records = Vec::new();
    for folder in [COMMON, SCYLLA] {
        let pages = session.query_iter(select.clone(), (folder,)).await.map_err(cannot_read)?;
        let rows =
            pages.rows_stream::<(i32, String, String, i32, Option<CqlTimestamp>)>().map_err(cannot_read)?;
        let rows: Vec<_> = rows.try_collect().await.map_err(cannot_read)?;
        for (version, name, checksum, done, applied_at) in rows {
            records.push(Record {
                folder,
                version: number(version)?,
                name,
                checksum,
                statements_done: number(done)? as usize,
                applied_at: applied_at.map(|at| Timestamp(at.0)),
            });
        }
    }
    Ok(records)
}

/// False: another runner has begun it.
pub async fn begin(session: &Session, migration: &Migration) -> Result<bool> {
    let key = (migration.folder, version(migration), &migration.name, migration.checksum(0));
    applied(session, BEGIN, key).await
}

/// From `done` statements to one more.
pub async fn step(session: &Session, migration: &Migration, done: usize) -> Result<bool> {
    let sum = migration.checksum(done + 1);
    applied(session, STEP, (sum, count(done + 1), migration.folder, version(migration), count(done))).await
}

pub async fn end(session: &Session, migration: &Migration) -> Result<bool> {
    let done = count(migration.statements.len());
    applied(session, END, (migration.folder, version(migration), done)).await
}

/// Whether a conditional statement found its condition true.
pub async fn applied(
    session: &Session,
    statement: &str,
    values: impl scylla::serialize::row::SerializeRow,
) -> Result<bool> {
    let answer = session.query_unpaged(statement, values).await.map_err(cannot_write)?;
    let rows = answer.into_rows_result().map_err(cannot_write)?;
    let (column, _) =
        rows.column_specs().get_by_name("[applied]").ok_or_else(|| cannot_write("no [applied]"))?;
    let row: scylla::value::Row = rows.single_row().map_err(cannot_write)?;
    let value = row.columns.get(column).and_then(Option::as_ref).and_then(CqlValue::as_boolean);
    value.ok_or_else(|| cannot_write("no [applied]"))
}

fn version(migration: &Migration) -> i32 {
    i32::try_from(migration.version).expect("versions have four digits")
}

fn count(statements: usize) -> i32 {
    i32::try_from(statements).expect("a file has fewer statements")
}

fn number(value: i32) -> Result<u32> {
    u32::try_from(value).map_err(|_| StoreError::Corrupt(format!("schema_migrations holds {value}")))
}

fn cannot_read(error: impl std::fmt::Display) -> StoreError {
    failed("schema_migrations cannot be read", error)
}

fn cannot_write(error: impl std::fmt::Display) -> StoreError {
    failed("schema_migrations cannot be written", error)
}
