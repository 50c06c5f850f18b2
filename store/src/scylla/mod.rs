//! The store at scale: CQL, on ScyllaDB or Apache Cassandra.
//!
//! Every row is a register that any worker may write any number of times in any order: its write timestamp is
//! the seq of the event it comes from, so of two events the right one wins inside the database and nothing is
//! read before it is written.
