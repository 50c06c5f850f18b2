//! Statement by statement, each recorded before the next.

use scylla::{
    client::session::Session,
    errors::{DbError, ExecutionError, RequestAttemptError},
};

use super::{Applied, files::Migration, fill, records, state};
use crate::{Result, StoreError};

/// Applies what is not there yet. The lock is held.
pub async fn apply(
    session: &Session,
    keyspace: &str,
    own: &[Migration],
    report: &impl Fn(&str),
) -> Result<Vec<Applied>> {
    let records = records::read(session, true).await?;
    state::check_consistent(&state::compare(own, &records), keyspace)?;
    let mut done = Vec::new();
    for migration in own {
        let record = records.iter().find(|e| (e.folder, e.version) == (migration.folder, migration.version));
        if record.is_some_and(|record| record.applied_at.is_some()) {
            continue;
        }
        let resumed = record.map(|record| record.statements_done);
        one(session, migration, resumed).await?;
        let applied =
            Applied { version: migration.version, name: state::name(migration.folder, &migration.name) };
        let begun = if resumed.is_some() { " (it had been begun)" } else { "" };
        report(&format!("migration {:04}_{}: applied{begun}", applied.version, applied.name));
        done.push(applied);
    }
    Ok(done)
}

/// `resumed`: how many statements a run before this one has done for certain; it may have done one more.
async fn one(session: &Session, migration: &Migration, resumed: Option<usize>) -> Result<()> {
    if resumed.is_none() {
        require_applied(records::begin(session, migration).await?)?;
    }
    let first = resumed.unwrap_or(0);
    for (at, statement) in migration.statements.iter().enumerate().skip(first) {
        if statement == fill::USER_WORDS {
            fill::user_words(session).await?;
        } else if let Err(error) = session.query_unpaged(statement.as_str(), ()).await
            && !(resumed == Some(at) && already_done(statement, &error))
        {
            return Err(StoreError::Unavailable(format!(
                "migration {:04}_{}, statement {} ({}): {error}",
                migration.version,
                migration.name,
                at + 1,
                beginning(statement)
            )));
        }
        require_applied(records::step(session, migration, at).await?)?;
    }
    require_applied(records::end(session, migration).await?)
}

fn require_applied(applied: bool) -> Result<()> {
    if applied { Ok(()) } else { Err(StoreError::Unavailable("another runner took over".to_owned())) }
}

/// `CREATE … IF NOT EXISTS` succeeds again; a repeated `ALTER` is refused with messages that differ by server.
fn already_done(statement: &str, error: &ExecutionError) -> bool {
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
