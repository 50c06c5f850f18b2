//! A copy of the file as it is at one moment, made while others read and write.

use std::path::Path;

use rusqlite::backup::{Backup, StepResult};

use super::open;
use crate::{Result, StoreError};

/// `to` must not exist. Writers do not wait for it. Blocks for as long as the file takes to be read.
///
/// # Errors
/// `Corrupt` when `from` is not a database of this program.
pub fn copy(from: &Path, to: &Path) -> Result<()> {
    let source = open::existing(from)?;
    let mut target = open::new(to)?;
    let mut copied = || -> Result<()> {
        // All pages in one step are of one moment: the log of changes keeps them apart from what is written meanwhile.
        match Backup::new(&source, &mut target)?.step(-1)? {
            StepResult::Done => Ok(()),
            other => Err(StoreError::Unavailable(format!("it cannot be copied now: {other:?}"))),
        }
    };
    copied().map_err(|error| open::at(from, error))
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
        copy(&from, &to).unwrap();
        assert!(copy(&from, &to).is_err(), "what is there is not overwritten");
        let copied = SqliteStore::open(&to).unwrap();
        let highest = copied.highest(sample.partition).await.unwrap();
        assert_eq!(Some(highest), sample.log.last().map(|entry| entry.seq));
        store.close().await;
        copied.close().await;
    }

    #[test]
    fn a_file_of_another_program_is_not_copied() {
        let folder = tempfile::tempdir().unwrap();
        let (from, to) = (folder.path().join("a.db"), folder.path().join("b.db"));
        rusqlite::Connection::open(&from).unwrap().execute_batch("CREATE TABLE x (y)").unwrap();
        for from in [&from, &folder.path().join("missing.db")] {
            let error = copy(from, &to).unwrap_err().to_string();
            assert!(error.contains(&from.display().to_string()), "{error}");
            assert!(!to.exists());
        }
    }
}
