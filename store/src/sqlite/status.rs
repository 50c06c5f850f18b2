//! The schema of a file against this program's, looked at without changing anything.

use std::{collections::BTreeMap, path::Path};

use natter_schemas::event::Timestamp;
use rusqlite::{Connection, OpenFlags};

use super::open;
use crate::{
    Result,
    migration::{State, Status},
};

struct Entry {
    name: String,
    checksum: String,
    applied_at: Option<i64>,
}

/// By version. A file that does not exist yet has everything pending.
///
/// # Errors
/// `Corrupt` when the file is not a database or another program's.
pub fn status(path: &Path) -> Result<Vec<Status>> {
    let found = if path.exists() { read(path).map_err(|e| open::at(path, e))? } else { BTreeMap::new() };
    Ok(compare(found))
}

/// Of a file that is open.
pub(super) fn of(db: &Connection) -> Result<Vec<Status>> {
    Ok(compare(entries(db)?))
}

fn compare(mut found: BTreeMap<u32, Entry>) -> Vec<Status> {
    let own = open::migrations().into_iter().map(|migration| {
        let version = u32::try_from(migration.version()).unwrap_or_default();
        let entry = found.remove(&version);
        let state = match &entry {
            None => State::Pending,
            Some(entry) if entry.checksum == migration.checksum().to_string() => State::Applied,
            Some(_) => State::Changed,
        };
        let applied_at = entry.and_then(|entry| entry.applied_at).map(Timestamp);
        Status { version, name: migration.name().to_owned(), state, applied_at }
    });
    let mut all: Vec<Status> = own.collect();
    all.extend(found.into_iter().map(|(version, entry)| Status {
        version,
        name: entry.name,
        state: State::Unknown,
        applied_at: entry.applied_at.map(Timestamp),
    }));
    all.sort_by_key(|status| status.version);
    all
}

fn read(path: &Path) -> Result<BTreeMap<u32, Entry>> {
    let db = Connection::open_with_flags(path, OpenFlags::SQLITE_OPEN_READ_ONLY)?;
    open::check_owner(&db)?;
    entries(&db)
}

fn entries(db: &Connection) -> Result<BTreeMap<u32, Entry>> {
    if !db.table_exists(None, open::MIGRATIONS_TABLE)? {
        return Ok(BTreeMap::new());
    }
    let select = format!(
        "SELECT version, name, checksum, unixepoch(applied_on) * 1000 FROM {}",
        open::MIGRATIONS_TABLE
    );
    let mut select = db.prepare(&select)?;
    let rows = select.query_map([], |row| {
        Ok((row.get(0)?, Entry { name: row.get(1)?, checksum: row.get(2)?, applied_at: row.get(3)? }))
    })?;
    Ok(rows.collect::<rusqlite::Result<_>>()?)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Store, sqlite::SqliteStore};

    #[tokio::test]
    async fn a_schema_is_pending_then_applied_and_may_be_of_another_program() {
        let folder = tempfile::TempDir::new().unwrap();
        let path = folder.path().join("natter.db");
        let states = || status(&path).unwrap().iter().map(|s| s.state).collect::<Vec<_>>();
        let all = open::migrations().len();
        assert_eq!(states(), vec![State::Pending; all]);
        assert!(!path.exists(), "it was only to be looked at");

        SqliteStore::open(&path).unwrap().close().await;
        assert_eq!(states(), vec![State::Applied; all]);
        let found = status(&path).unwrap();
        assert!(found.iter().all(|s| s.applied_at.is_some_and(|at| at <= Timestamp::now())), "{found:?}");
        assert_eq!(found[0].title(), "0001_accounts");

        let change = |sql: &str| Connection::open(&path).unwrap().execute_batch(sql).unwrap();
        change("UPDATE refinery_schema_history SET checksum = '1' WHERE version = 1");
        change("DELETE FROM refinery_schema_history WHERE version = 2");
        change("INSERT INTO refinery_schema_history VALUES (9999, 'later', '2030-01-01T00:00:00Z', '1')");
        let found = states();
        assert_eq!((found[0], found[1]), (State::Changed, State::Pending));
        assert_eq!(found.last(), Some(&State::Unknown));
    }
}
