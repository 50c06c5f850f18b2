//! The schema brought up to date, by one runner at a time, statement by statement: a run that was killed is gone
//! on with by the next.

mod files; // the migrations of this program
mod split; // a file becomes statements

mod keyspace; // the keyspace, and which server it is on
mod book; // what the keyspace remembers
mod state; // both compared
mod lock; // one runner at a time
mod apply; // statement by statement

#[cfg(all(test, feature = "testkit"))]
mod tests;

use scylla::client::session::Session;

use super::{connect::connect_for_schema, options::Options};
use crate::{Result, StoreError, migration::Status};
use files::Migration;
use lock::Lock;

/// A migration that this run has applied or finished.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Applied {
    pub version: u32,
    pub name: String,
}

/// Makes the keyspace (with `replication`) and everything in it what this program needs. Answers what it applied;
/// the second time nothing. `say` hears of each step, and for whom a run waits.
pub async fn migrate(options: &Options, say: impl Fn(&str)) -> Result<Vec<Applied>> {
    let session = connect_for_schema(options).await?;
    let own = files::all(keyspace::on_scylla(&session).await?);
    run(&session, options, &own, &say).await
}

async fn run(
    session: &Session,
    options: &Options,
    own: &[Migration],
    say: &impl Fn(&str),
) -> Result<Vec<Applied>> {
    let name = &options.keyspace;
    keyspace::ensure(session, options, say).await?;
    enter(session, name).await?;
    book::prepare(session, name).await?;
    let found = state::compare(own, &book::read(session, true).await?);
    state::sound(&found, name)?;
    if !found.iter().any(|status| status.state.is_open()) {
        return Ok(Vec::new());
    }
    let lock = Lock::take(session, say).await?;
    let outcome = tokio::select! {
        outcome = apply::apply(session, name, own, say) => outcome,
        lost = lock.keep() => Err(lost),
    };
    lock.release().await;
    outcome
}

async fn enter(session: &Session, keyspace: &str) -> Result<()> {
    let entered = book::usable(async || session.use_keyspace(keyspace, true).await).await;
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
    state::sound(&found, keyspace)?;
    state::complete(&found, keyspace)
}

async fn look(session: &Session, keyspace: &str, own: &[Migration]) -> Result<Vec<Status>> {
    let entries = if book::has_table(session, keyspace, "schema_migrations").await? {
        book::read(session, false).await?
    } else {
        Vec::new()
    };
    Ok(state::compare(own, &entries))
}

fn failed(what: &str, error: impl std::fmt::Display) -> StoreError {
    StoreError::Unavailable(format!("{what}: {error}"))
}
