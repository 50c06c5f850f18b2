//! Statement by statement, each remembered before the next.

use scylla::{
    client::session::Session,
    errors::{DbError, ExecutionError, RequestAttemptError},
};

use super::{Applied, book, files::Migration, state};
use crate::{Result, StoreError};

/// Applies what is not there yet. The lock is held.
pub async fn apply(
    session: &Session,
    keyspace: &str,
    own: &[Migration],
    say: &impl Fn(&str),
) -> Result<Vec<Applied>> {
    let entries = book::read(session, true).await?;
    state::sound(&state::compare(own, &entries), keyspace)?;
    let mut done = Vec::new();
    for migration in own {
        let entry = entries.iter().find(|e| (e.folder, e.version) == (migration.folder, migration.version));
        if entry.is_some_and(|entry| entry.applied_at.is_some()) {
            continue;
        }
        let resumed = entry.map(|entry| entry.statements_done);
        one(session, migration, resumed).await?;
        let applied =
            Applied { version: migration.version, name: state::name(migration.folder, &migration.name) };
        let begun = if resumed.is_some() { " (it had been begun)" } else { "" };
        say(&format!("migration {:04}_{}: applied{begun}", applied.version, applied.name));
        done.push(applied);
    }
    Ok(done)
}

/// `resumed`: how many statements a run before this one has done for certain; it may have done one more.
async fn one(session: &Session, migration: &Migration, resumed: Option<usize>) -> Result<()> {
    if resumed.is_none() {
        ours(book::begin(session, migration).await?)?;
    }
    let first = resumed.unwrap_or(0);
    for (at, statement) in migration.statements.iter().enumerate().skip(first) {
        let outcome = session.query_unpaged(statement.as_str(), ()).await;
        if let Err(error) = outcome
            && !(resumed == Some(at) && was_done(statement, &error))
        {
            return Err(StoreError::Unavailable(format!(
                "migration {:04}_{}, statement {} ({}): {error}",
                migration.version,
                migration.name,
                at + 1,
                beginning(statement)
            )));
        }
        ours(book::step(session, migration, at).await?)?;
    }
    ours(book::end(session, migration).await?)
}

fn ours(applied: bool) -> Result<()> {
    if applied { Ok(()) } else { Err(StoreError::Unavailable("another runner took over".to_owned())) }
}

/// `CREATE … IF NOT EXISTS` says nothing; an `ALTER` that was done is refused in words that differ by server.
fn was_done(statement: &str, error: &ExecutionError) -> bool {
    let ExecutionError::LastAttemptError(RequestAttemptError::DbError(DbError::Invalid, words)) = error
    else {
        return false;
    };
    let words = words.to_lowercase();
    let says = |any: &[&str]| any.iter().any(|part| words.contains(part));
    let statement = statement.to_uppercase();
    let is = |word: &str| statement.starts_with("ALTER TABLE ") && statement.contains(word);
    (is(" ADD ") && says(&["already exists", "conflicts with an existing column"]))
        || ((is(" DROP ") || is(" RENAME "))
            && says(&["not found", "undefined column", "doesn't exist", "does not exist"]))
}

/// Enough of a statement to find it.
fn beginning(statement: &str) -> String {
    statement.split(' ').take(6).collect::<Vec<_>>().join(" ")
}
