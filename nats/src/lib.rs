//! The bus: the only crate that speaks NATS. Subjects, streams and headers are spelled here and nowhere else.
#![warn(missing_docs)]
#![cfg_attr(test, allow(clippy::unwrap_used))]

pub mod subject; // every subject, built from fixed words, partitions and ids
pub mod header; // every header

pub mod topology; // the streams and consumers a deployment has
pub mod apply; // makes a server so, or says where it is not
pub mod snapshot; // a stream as a file, and back

pub mod clock; // what time it is in the log
pub mod connect; // one connection per purpose
pub mod control; // what services publish to every edge, in order
pub mod event_log; // an event enters the log once, and a repetition finds the stored one
pub mod live; // stored events as they are republished
pub mod log; // stored events read back, by conversation or position
pub mod pull; // events of a durable consumer, for one or many clients
pub mod publisher; // an event becomes stored, exactly once
mod neighbors; // whether a process is of a version that is understood
pub mod message; // what processes send each other, with its version

pub mod service; // questions and answers between processes
pub mod trace; // what became of one event, from what each node remembers
pub mod report; // what each node is like now

pub mod server; // nats-server as a child process

mod secret; // random secrets as text

pub use async_nats;
