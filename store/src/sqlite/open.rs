//! A file becomes connections: settings, and the schema brought up to date.

use std::{fs::OpenOptions, io, os::unix::fs::OpenOptionsExt, path::Path, time::Duration};

use refinery::{Migration, error::Kind};
use rusqlite::{Connection, OpenFlags, config::DbConfig};

use super::{status, user_words};
use crate::{
    Result, StoreError,
    migration::{State, refuse_newer},
};

pub(super) mod embedded {
    refinery::embed_migrations!("migrations/sqlite");
}

/// The table of migrations, as refinery calls it.
pub(super) const MIGRATIONS_TABLE: &str = "refinery_schema_history";
/// How long a call waits for another process (a backup, a command) to release the file.
const BUSY_TIMEOUT: Duration = Duration::from_secs(5);
/// As in the first migration: "NATT".
const APPLICATION_ID: i64 = 0x4E41_5454;
/// Every statement of this crate is prepared once per connection; there are fewer than this.
const STATEMENT_CACHE: usize = 64;
/// Pages in the WAL before they are moved into the file: 4,096 × 4 KiB = 16 MiB, so that a page that changes
/// with every message is moved once for many commits.
const CHECKPOINT_PAGES: u32 = 4_096;
/// KiB of page cache, negative as SQLite requires: the writer holds the upper levels of every index.
const WRITER_CACHE: i32 = -32 * 1024;
const READER_CACHE: i32 = -8 * 1024;
/// After a burst the WAL file shrinks to this: 64 MiB.
const WAL_SIZE_LIMIT: u32 = 64 << 20;

pub fn for_writing(path: &Path) -> Result<Connection> {
    create(path).map_err(|e| at(path, e))?;
    let mut db = connect(path).map_err(|e| at(path, e))?;
    check_owner(&db).map_err(|e| at(path, e))?;
    configure(&db).map_err(|e| at(path, e))?;
    migrate(&mut db).map_err(|e| at(path, e))?;
    user_words::fill(&mut db).map_err(|e| at(path, e))?;
    Ok(db)
}

/// `query_only` instead of a read-only file: a reader may have to recover the WAL's index.
pub fn for_reading(path: &Path) -> Result<Connection> {
    let db = connect(path).map_err(|e| at(path, e))?;
    db.pragma_update(None, "query_only", true)?;
    db.pragma_update(None, "cache_size", READER_CACHE)?;
    Ok(db)
}

/// One that is there, and this program's.
pub fn existing(path: &Path) -> Result<Connection> {
    let db = connect(path).map_err(|e| at(path, e))?;
    check_owner(&db).map_err(|e| at(path, e))?;
    Ok(db)
}

/// One that was not there, without anything in it.
pub fn new(path: &Path) -> Result<Connection> {
    if path.exists() {
        return Err(at(path, StoreError::Unavailable("it exists already".to_owned())));
    }
    create(path).and_then(|()| connect(path)).map_err(|e| at(path, e))
}

/// Answers whether it could be done now: not while someone reads from it.
pub fn empty_wal(path: &Path) -> Result<bool> {
    let db = existing(path)?;
    let busy: bool = db.query_row("PRAGMA wal_checkpoint(TRUNCATE)", [], |row| row.get(0))?;
    Ok(!busy)
}

pub fn rewrite(path: &Path) -> Result<()> {
    Ok(existing(path)?.execute_batch("VACUUM")?)
}

pub fn limit_size(db: &Connection, bytes: u64) -> Result<()> {
    let page: i64 = db.pragma_query_value(None, "page_size", |row| row.get(0))?;
    let pages = i64::try_from(bytes).unwrap_or(i64::MAX) / page.max(1);
    // SQLite's own ceiling; a number above it would be ignored.
    db.pragma_update_and_check(None, "max_page_count", pages.clamp(1, 0xffff_fffe), |_| Ok(()))?;
    Ok(())
}

/// The file holds password hashes and every message: only its owner may read it. SQLite gives the files it
/// puts beside it the same mode. A file that exists is not touched: closing it here would end SQLite's locks
/// on it in this process.
fn create(path: &Path) -> Result<()> {
    match OpenOptions::new().write(true).create_new(true).mode(0o600).open(path) {
        Err(e) if e.kind() != io::ErrorKind::AlreadyExists => Err(StoreError::Unavailable(e.to_string())),
        _ => Ok(()),
    }
}

fn connect(path: &Path) -> Result<Connection> {
    // No SQLITE_OPEN_URI: a path is a path. No mutex: a connection is used by one thread at a time.
    let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let db = Connection::open_with_flags(path, flags)?;
    db.busy_timeout(BUSY_TIMEOUT)?;
    db.set_prepared_statement_cache_capacity(STATEMENT_CACHE);
    db.pragma_update(None, "foreign_keys", true)?;
    // Plans that depend on what is bound are made again whenever something else is bound: 40 µs a query.
    db.set_db_config(DbConfig::SQLITE_DBCONFIG_ENABLE_QPSG, true)?;
    Ok(db)
}

/// Before anything is written: whether the file is empty or this program's. The first statement that reads the file is
/// here, so what is no database at all fails here too.
pub(super) fn check_owner(db: &Connection) -> Result<()> {
    let tables: i64 =
        db.query_row("SELECT count(*) FROM sqlite_schema WHERE type = 'table'", [], |row| row.get(0))?;
    let id: i64 = db.pragma_query_value(None, "application_id", |row| row.get(0))?;
    // Migrations make their own table before the first of them sets the id: a crash between leaves just that.
    let begun = tables <= 1 && db.table_exists(None, MIGRATIONS_TABLE)?;
    if tables == 0 || begun || id == APPLICATION_ID {
        return Ok(());
    }
    Err(StoreError::Corrupt("it is the database of another program".to_owned()))
}

fn configure(db: &Connection) -> Result<()> {
    let mode: String = db.pragma_update_and_check(None, "journal_mode", "wal", |row| row.get(0))?;
    if mode != "wal" {
        return Err(StoreError::Unavailable(format!("write-ahead logging is not possible here ({mode})")));
    }
    // FULL syncs the WAL at every commit: events are acked to the log after it and may be gone from there.
    db.pragma_update(None, "synchronous", "FULL")?;
    db.pragma_update(None, "cache_size", WRITER_CACHE)?;
    // What a statement could have to undo is kept in memory; a large group's would be written to a file.
    db.pragma_update(None, "temp_store", "MEMORY")?;
    // What is deleted is overwritten: texts, names and keys that were erased are not in the file's free pages.
    db.pragma_update_and_check(None, "secure_delete", true, |_| Ok(()))?;
    db.pragma_update_and_check(None, "wal_autocheckpoint", CHECKPOINT_PAGES, |_| Ok(()))?;
    db.pragma_update_and_check(None, "journal_size_limit", WAL_SIZE_LIMIT, |_| Ok(()))?;
    Ok(())
}

/// Those of this program.
pub(super) fn migrations() -> Vec<Migration> {
    embedded::migrations::runner().get_migrations().clone()
}

fn migrate(db: &mut Connection) -> Result<()> {
    let found = status::of(db)?;
    refuse_newer(&found, "it")?;
    // The runner would refuse what a newer program has added, too.
    if found.iter().all(|status| matches!(status.state, State::Applied | State::Unknown)) {
        return Ok(());
    }
    let run = embedded::migrations::runner().run(db);
    run.map(drop).map_err(|error| match error.kind() {
        Kind::DivergentVersion(found, own) => StoreError::Corrupt(format!(
            "its migration {found} is not this program's {own}: it was made by a version that was never released"
        )),
        Kind::Connection(doing, cause) => match cause.downcast_ref::<rusqlite::Error>() {
            Some(rusqlite::Error::SqliteFailure(failure, _)) => {
                let code = failure.extended_code;
                let cause = rusqlite::Error::SqliteFailure(*failure, Some(format!("{doing} (code {code})")));
                StoreError::from(cause)
            }
            _ => StoreError::Corrupt(error.to_string()),
        },
        _ => StoreError::Corrupt(error.to_string()),
    })
}

pub(super) fn at(path: &Path, error: StoreError) -> StoreError {
    let path = path.display();
    match error {
        StoreError::Unavailable(why) => StoreError::Unavailable(format!("{path}: {why}")),
        StoreError::Corrupt(why) => StoreError::Corrupt(format!("{path}: {why}")),
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use rusqlite::StatementStatus;

    use super::*;

    #[test]
    fn a_commit_is_synced_before_it_is_answered() {
        let folder = tempfile::TempDir::new().unwrap();
        let db = for_writing(&folder.path().join("db")).unwrap();
        let pragma = |name: &str| db.pragma_query_value(None, name, |row| row.get::<_, String>(0));
        let number = |name: &str| db.pragma_query_value(None, name, |row| row.get::<_, i64>(0)).unwrap();
        // 2 is FULL.
        assert_eq!((pragma("journal_mode").unwrap().as_str(), number("synchronous")), ("wal", 2));
        assert_eq!(number("foreign_keys"), 1);
        assert_eq!(number("secure_delete"), 1);
    }

    #[test]
    fn a_query_is_planned_once_whatever_is_asked_for() {
        let folder = tempfile::TempDir::new().unwrap();
        let db = for_writing(&folder.path().join("db")).unwrap();
        let mut query =
            db.prepare("SELECT seq FROM messages WHERE conversation = ?1 AND seq > ?2 LIMIT ?3").unwrap();
        for n in 0..3 {
            assert!(!query.exists((b"nobody", n, 10 + n)).unwrap());
        }
        assert_eq!(query.get_status(StatementStatus::RePrepare), 0);
    }

    #[test]
    fn only_the_owner_may_read_the_file() {
        let folder = tempfile::TempDir::new().unwrap();
        let path = folder.path().join("db");
        let _open = for_writing(&path).unwrap();
        for file in ["db", "db-wal", "db-shm"] {
            let mode = std::fs::metadata(folder.path().join(file)).unwrap().permissions().mode();
            assert_eq!(mode & 0o077, 0, "{file}");
        }
    }

    #[test]
    fn a_reader_cannot_write() {
        let folder = tempfile::TempDir::new().unwrap();
        let path = folder.path().join("db");
        let _open = for_writing(&path).unwrap();
        let reader = for_reading(&path).unwrap();
        assert!(reader.execute("INSERT INTO partitions VALUES (1, 1)", []).is_err());
    }
}
