//! The audit log: records of security events, each with the hash of the one before it. Arrives: what a service did or
//! refused. Leaves: lines of JSON in a file or on a stream, and copies of them. Fails: never for its caller; while it
//! cannot be written records wait, and of those that find no room the next record says how many there were.

mod chain; // a record becomes a line with its hash, and is read again
mod file; // lines at the end of a file that several processes share
mod stream; // lines on standard output
mod writer; // the thread that writes
mod recorder; // what services call
#[cfg(test)]
mod tests;

pub mod verify; // whether a chain is whole

use natter_schemas::audit::Entry;
use natter_schemas::event::Timestamp;

pub use recorder::{Audit, Options, StartError, Target};

/// Who writes.
#[derive(Debug, Clone)]
pub struct Origin {
    /// The host.
    pub node: String,
    /// Role and number of the process.
    pub process: String,
}

/// What is written at once.
struct Batch<'a> {
    origin: &'a Origin,
    now: Timestamp,
    /// Records that found no room since the last batch.
    lost: u64,
    entries: &'a [&'a Entry],
}

/// What became of a batch.
struct Appended {
    /// One line for each entry that was written, in their order.
    lines: Vec<Line>,
    /// Whether the loss is written down.
    lost_is_named: bool,
    /// Why the rest was not.
    failure: Option<std::io::Error>,
}

/// A line as it was written, without its end.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Line {
    pub chain: natter_schemas::id::ChainId,
    pub number: u64,
    pub at: Timestamp,
    pub bytes: Vec<u8>,
}
