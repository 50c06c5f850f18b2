//! The embedded store: one file, no server. For `natter dev` and small single-node deployments.
//!
//! Every write goes through one thread that commits whatever is waiting in one transaction and answers when it
//! is on the disk; reads run beside it on a few connections of their own, each call on one snapshot.

mod columns; // domain values as SQLite's
mod failure; // what SQLite reports becomes Unavailable or Corrupt
mod open; // a file becomes connections: settings, migrations

mod status; // the state of its migrations
mod copy; // the file as it is at one moment

mod readers; // calls that only read
mod writer; // calls that change something, committed in groups

mod accounts; // users and passwords
mod user_words; // by which users are found
mod sessions; // log-ins and their refresh tokens

mod identities; // who they are at providers
mod one_time_tokens; // what was sent to them
mod blocks; // who has blocked whom
mod keys; // what users' content is sealed with
mod erasures; // users' data destroyed

mod events; // what was logged, and where it is
mod persist; // events become rows
mod reseal; // texts sealed otherwise
mod ids; // which seq an event's id has
mod messages; // events become messages in their present state
mod reactions; // who reacts with what
mod conversations; // shape, name, activity
mod members; // who is in, as what, since when
mod reservations; // who is about to be
mod read_marks; // how far users have read, and what is beyond

#[cfg(test)]
mod upgrade; // a file of an older version

use std::{
    path::{Path, PathBuf},
    time::Duration,
};

pub use copy::copy;
pub use status::status;

use async_trait::async_trait;
use natter_schemas::id::Partition;

use crate::{Result, Store, StoreError};

/// Readers at work at once. Reads come from the page cache and are bound by the CPU: two per core of a small
/// machine keep it busy, and each costs a cache of 8 MiB.
const READERS: usize = 4;

/// Each waits five seconds for readers: half a minute in all.
const EMPTY_WAL_ATTEMPTS: usize = 6;
const EMPTY_WAL_RETRY: Duration = Duration::from_millis(100);

/// Dropped without `close`, it finishes the writes that are queued in the background.
pub struct SqliteStore {
    writer: writer::Writer,
    readers: readers::Readers,
    path: PathBuf,
}

impl SqliteStore {
    /// Opens the database at `path`, made and migrated if need be. Blocks; call it at start.
    ///
    /// # Errors
    /// `Corrupt` when the file is not a database, is another program's, or was written by a newer version.
    pub fn open(path: &Path) -> Result<Self> {
        let writing = open::for_writing(path)?;
        let reading = (0..READERS).map(|_| open::for_reading(path)).collect::<Result<Vec<_>>>()?;
        let (writer, readers) = (writer::Writer::start(writing)?, readers::Readers::new(reading));
        Ok(Self { writer, readers, path: path.to_owned() })
    }

    /// Transactions committed since it was opened: under load far fewer than calls.
    pub fn commits(&self) -> u64 {
        self.writer.commits()
    }

    /// Lets the database grow to `bytes` and no further (never below what it has): writes beyond are
    /// `Unavailable`, as on a full disk, until the limit is raised.
    pub async fn limit_size(&self, bytes: u64) -> Result<()> {
        self.writer.write(1, move |db| open::limit_size(db, bytes)).await
    }

    /// Writes every row once more, into fresh pages.
    async fn rewrite(&self) -> Result<()> {
        let path = self.path.clone();
        let done = tokio::task::spawn_blocking(move || open::rewrite(&path)).await;
        done.map_err(|e| StoreError::Unavailable(format!("it was cut short: {e}")))?
    }

    /// Moves everything from the WAL into the file and empties it, as soon as no one reads from it.
    async fn empty_wal(&self) -> Result<()> {
        for _ in 0..EMPTY_WAL_ATTEMPTS {
            let path = self.path.clone();
            let done = tokio::task::spawn_blocking(move || open::empty_wal(&path)).await;
            if done.map_err(|e| StoreError::Unavailable(format!("a checkpoint was cut short: {e}")))?? {
                return Ok(());
            }
            tokio::time::sleep(EMPTY_WAL_RETRY).await;
        }
        Err(StoreError::Unavailable("the WAL is in use and was not emptied".to_owned()))
    }
}

#[async_trait]
impl Store for SqliteStore {
    /// Both sides: a reader that finds the schema, and an empty write that passes through the writer's thread.
    async fn ready(&self) -> Result<()> {
        self.readers.read(|db| persist::highest(db, Partition(0))).await?;
        self.writer.write(0, |_| Ok(())).await
    }

    async fn close(&self) {
        self.readers.close();
        self.writer.close().await;
    }
}
