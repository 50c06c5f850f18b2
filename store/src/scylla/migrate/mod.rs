//! The schema brought up to date, by one runner at a time, statement by statement: a run that was killed is continued by the
//! next.

mod files; // the migrations of this program
mod split; // a file becomes statements

mod keyspace; // the keyspace, and which server it is on
mod records; // what the keyspace records of them
mod state; // both compared
mod lock; // one runner at a time
mod apply; // statement by statement
mod fill; // rows that no CQL can make

#[cfg(test)]
mod tests;

use scylla::client::session::Session;

use super::{connect::connect_for_schema, options::Options};
use crate::{Result, StoreError, migration::Status};
use files::Migration;
use lock::Lock;

/// A migration that this run has applied or finished.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Applied {
    /// The number its file begins with.
    pub version: u32,
    /// The rest of the file's name; marked when it is for ScyllaDB alone.
    pub name: String,
}

/// Makes the keyspace (with `replication`) and everything in it what this program needs. Answers what it applied;
/// the second time nothing. `report` is given a line for each step, and for whom a run waits.
pub async fn migrate(options: &Options, report: impl Fn(&str)) -> Result<Vec<Applied>> {
    let session = connect_for_schema(options).await?;
    let own = files::all(keyspace::on_scylla(&session).await?);
    run(&session, options, &own, &report).await
}

async fn run(
    session: &Session,
    options: &Options,
    own: &[Migration],
    report: &impl Fn(&str),
) -> Result<Vec<Applied>> {
    let name = &options.keyspace;
    keyspace::ensure(session, options, report).await?;
    enter(session, name).await?;
    records::prepare(session, name).await?;
    let found = state::compare(own, &records::read(session, true).await?);
    state::check_consistent(&found, name)?;
    if !found.iter().any(|status| status.state.is_open()) {
        return Ok(Vec::new());
    }
    let lock = Lock::take(session, report).await?;
    let outcome = tokio::select! {
        outcome = apply::apply(session, name, own, report) => outcome,
        lost = lock.renew_until_lost() => Err(lost),
    };
    lock.release().await;
    outcome
}

async fn enter(session: &Session, keyspace: &str) -> Result<()> {
    let entered = records::usable(async || session.use_keyspace(keyspace, true).await).await;
    entered.map_err(|e| failed("the keyspace cannot be used", e))
}

/// What is applied and what is not. Changes nothing.
pub async fn status(options: &Options) -> Result<Vec<Status>> {
    let session = connect_for_schema(options).await?;
    let own = files::all(keyspace::on_scylla(&session).await?);
    if !keyspace::exists(&session, &options.keyspace).await? {
        return Ok(state::compare(&own, &[]));
    }
    enter(&session, &options.keyspace).await?;
    look(&session, &options.keyspace, &own).await
}

/// Refuses a keyspace that is not what this program needs. The session is in it.
pub async fn check(session: &Session) -> Result<()> {
    let keyspace = session.get_keyspace();
    let keyspace = keyspace.as_ref().map(|name| name.as_str()).unwrap_or_default();
    let own = files::all(keyspace::on_scylla(session).await?);
    check_for(session, keyspace, &own).await
}

async fn check_for(session: &Session, keyspace: &str, own: &[Migration]) -> Result<()> {
    let found = look(session, keyspace, own).await?;
    state::check_consistent(&found, keyspace)?;
    state::check_complete(&found, keyspace)
}

async fn look(session: &Session, keyspace: &str, own: &[Migration]) -> Result<Vec<Status>> {
    let entries = if records::has_table(session, keyspace, "schema_migrations").await? {
        records::read(session, false).await?
    } else {
        Vec::new()
    };
    Ok(state::compare(own, &entries))
}

fn failed(what: &str, error: impl std::fmt::Display) -> StoreError {
    StoreError::Unavailable(format!("{what}: {error}"))
}
