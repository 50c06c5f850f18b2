//! A copy of the file as it is at one moment, made while others read and write.

use std::path::Path;

use rusqlite::backup::{Backup, StepResult};

use super::open;
use crate::{Result, StoreError};

/// `to` must not exist. Writers do not wait for it. Blocks for as long as the file takes to be read. Without `keys`, texts that
/// are sealed cannot be opened with the copy alone, and not even a free page of it has a key.
///
/// # Errors
/// `Corrupt` when `from` is not a database of this program.
pub fn copy(from: &Path, to: &Path, keys: bool) -> Result<()> {
    let source = open::existing(from)?;
    let mut target = open::new(to)?;
    let mut copied = || -> Result<()> {
        // All pages in one step are of one moment: the log of changes keeps them apart from what is written meanwhile.
        match Backup::new(&source, &mut target)?.step(-1)? {
            StepResult::Done => Ok(()),
            other => Err(StoreError::Unavailable(format!("it cannot be copied now: {other:?}"))),
        }
    };
    copied().map_err(|error| open::at(from, error))?;
    if keys {
        return Ok(());
    }
    let without = "PRAGMA secure_delete = ON; DELETE FROM data_keys; DELETE FROM user_keys";
    target.execute_batch(without).map_err(|error| open::at(to, error.into()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{EventStore, Store, conformance::fixtures::SampleLog, sqlite::SqliteStore};

    #[tokio::test]
    async fn a_copy_is_whole_while_the_file_is_in_use() {
        let folder = tempfile::tempdir().unwrap();
        let (from, to) = (folder.path().join("a.db"), folder.path().join("b.db"));
        let store = SqliteStore::open(&from).unwrap();
        let sample = SampleLog::of(&[]);
        store.persist(sample.partition, &sample.log).await.unwrap();
        // What has not been moved from the WAL into the file yet is copied, too.
        copy(&from, &to, true).unwrap();
        assert!(copy(&from, &to, true).is_err(), "what is there is not overwritten");
        let copied = SqliteStore::open(&to).unwrap();
        let highest = copied.highest(sample.partition).await.unwrap();
        assert_eq!(Some(highest), sample.log.last().map(|entry| entry.seq));
        store.close().await;
        copied.close().await;
    }

    #[tokio::test]
    async fn no_page_of_a_copy_has_a_key_unless_it_is_wanted() {
        const WRAPPED: &[u8] = b"a wrapped key that is found anywhere";
        let folder = tempfile::tempdir().unwrap();
        let from = folder.path().join("a.db");
        SqliteStore::open(&from).unwrap().close().await;
        let db = rusqlite::Connection::open(&from).unwrap();
        db.execute("INSERT INTO user_keys VALUES (x'01', 'root', ?1)", [WRAPPED]).unwrap();
        db.execute("INSERT INTO data_keys VALUES (x'01', 'message', 1, ?1)", [WRAPPED]).unwrap();
        for keys in [true, false] {
            let to = folder.path().join(format!("{keys}.db"));
            copy(&from, &to, keys).unwrap();
            let found = files(folder.path(), &format!("{keys}.db"))
                .windows(WRAPPED.len())
                .any(|bytes| bytes == WRAPPED);
            assert_eq!(found, keys, "{keys}");
        }
    }

    /// The file and what SQLite has put beside it.
    fn files(folder: &Path, name: &str) -> Vec<u8> {
        ["", "-wal", "-journal"]
            .iter()
            .flat_map(|end| std::fs::read(folder.join(format!("{name}{end}"))).unwrap_or_default())
            .collect()
    }

    #[test]
    fn a_file_of_another_program_is_not_copied() {
        let folder = tempfile::tempdir().unwrap();
        let (from, to) = (folder.path().join("a.db"), folder.path().join("b.db"));
        rusqlite::Connection::open(&from).unwrap().execute_batch("CREATE TABLE x (y)").unwrap();
        for from in [&from, &folder.path().join("missing.db")] {
            let error = copy(from, &to, true).unwrap_err().to_string();
            assert!(error.contains(&from.display().to_string()), "{error}");
            assert!(!to.exists());
        }
    }
}
