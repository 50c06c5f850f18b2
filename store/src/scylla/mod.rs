//! The store at scale: CQL, on ScyllaDB or Apache Cassandra. The tables are in `cql/`, with their arithmetic.
//!
//! Every row of the log's tables is a register that any worker may write any number of times in any order: its
//! write timestamp is the seq of the event it comes from, so of two events the right one wins inside the
//! database and nothing is read before it is written. What must be decided once (unique names, the next
//! refresh token) is a lightweight transaction in a table of its own, and so is everything that users change without an
//! event (names, passwords, blocks): the cluster's consensus orders it, where plain writes would be ordered by clocks.

mod connect; // options become a session
mod options; // where the cluster is

pub mod migrate; // the schema brought up to date

mod concurrent; // one request for many items
mod cluster; // a request, with retries until its deadline
mod columns; // domain values as CQL's
mod failure; // what the driver reports becomes Unavailable or Corrupt
mod statements; // every statement, prepared once

mod accounts; // users and passwords
mod names; // users found by prefix
mod sessions; // log-ins and their refresh tokens
mod identities; // who they are at providers
mod one_time_tokens; // what was sent to them

mod blocks; // who has blocked whom
mod keys; // what users' content is sealed with
mod erasures; // users' data destroyed

mod events; // what was logged
mod persist; // events become rows
mod reseal; // texts sealed otherwise
mod buckets; // from bucket to bucket of a conversation
mod messages; // events become messages in their present state
mod reactions; // who reacts with what
mod conversations; // shape, name, activity
mod members; // who is in, as what, since when
mod reservations; // who is about to be
mod read_marks; // how far users have read, and what is beyond

pub use connect::{connect, connect_for_schema};
pub use options::{Consistency, Options};

use async_trait::async_trait;

use crate::{Result, Store};

/// A connected cluster. Clones of its `Arc` share connections, prepared statements and bounds.
pub struct ScyllaStore {
    db: cluster::Cluster,
    seq_guard: persist::SeqGuard,
}

impl ScyllaStore {
    /// Connects and prepares every statement.
    ///
    /// # Errors
    /// `Unavailable` when the cluster is out of reach, `Corrupt` when the keyspace lacks migrations or has been
    /// changed by a newer version.
    pub async fn open(options: &Options) -> Result<Self> {
        let session = connect(options).await?;
        migrate::check(&session).await?;
        let statements = Box::pin(statements::Statements::prepare(&session)).await?;
        Ok(Self { db: cluster::Cluster::new(session, statements), seq_guard: persist::SeqGuard::default() })
    }
}

#[async_trait]
impl Store for ScyllaStore {
    /// One read from as many replicas as any read needs, without retries.
    async fn ready(&self) -> Result<()> {
        self.db.request_once(&self.db.statements.highest, (0_i32,)).await
    }

    async fn close(&self) {
        self.db.close().await;
    }
}
