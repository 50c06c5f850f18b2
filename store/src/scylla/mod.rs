//! The store at scale: CQL, on ScyllaDB or Apache Cassandra.
//!
//! Every row is a register that any worker may write any number of times in any order: its write timestamp is
//! the seq of the event it comes from, so of two events the right one wins inside the database and nothing is
//! read before it is written.

mod connect; // options become a session
mod options; // where the cluster is

pub mod migrate; // the schema brought up to date

pub use connect::connect;
pub use options::{Consistency, Options};
#[cfg(feature = "testkit")]
pub(crate) use connect::connect_for_schema;
