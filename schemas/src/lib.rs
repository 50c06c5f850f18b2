//! Pure types every process agrees on: what an event is, what a client may send, what services ask each
//! other, what may go wrong. No I/O, and nothing here depends on the clock or on chance: both are arguments.
//! `Timestamp::now`, the `fresh` of the ids and `Backoff::next_delay` read them for callers; no other function of
//! this crate calls those.
#![warn(missing_docs)]

pub mod id; // who and what: typed ids, partitions, event ids
pub mod limits; // every bound, with its arithmetic
pub mod text; // what is seen, what is the same word
pub mod emoji; // which texts are one emoji
pub mod name; // which characters a name may have

pub mod event; // the log's vocabulary
pub mod codec; // events as bytes on the bus
pub mod decision; // the proof that a worker decided one

#[allow(missing_docs, reason = "docs/protocol.md documents every field for those who write clients")]
pub mod frame; // what travels on a socket
#[allow(missing_docs, reason = "docs/protocol.md documents every field for those who write clients")]
pub mod rest; // what travels over HTTP
pub mod cloudevent; // what consumers of Kafka get
pub mod audit; // who did what to accounts, members and keys
pub mod export; // what a user is given of what is kept
pub mod rpc; // what services ask each other over NATS
pub mod version; // which versions of each other processes understand

pub mod trace_context; // which trace work belongs to

pub mod code; // the one table of failures
pub mod backoff; // how long to wait before the next attempt
