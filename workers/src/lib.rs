//! Jobs behind the bus: what follows the log, and what answers edges. Stateless; any of them may die at any
//! time, any number of them may run.

#![cfg_attr(test, allow(clippy::unwrap_used))]

pub mod consume; // the one pull loop: batches in, verdicts out, and only it acks
pub mod park_publisher; // events no job can use, kept for an operator
pub mod persist; // the log's events become rows
pub mod kafka_sink; // the log becomes a Kafka topic
pub mod presence; // sessions without a sign of life expire

pub mod close; // accounts closed for good
pub mod erasure; // users' data destroyed
pub mod mail; // what users are sent
pub mod services; // questions become answers: accounts, conversations, history, inbox

pub mod control; // memberships, blocks and ended sessions, for every edge

pub mod readable_rows; // what the store has, also around what it cannot read

pub mod parked; // parked events, taken up by a person
pub mod replay; // a partition's log persisted again
pub mod capped_list; // findings counted in full and shown in part
pub mod verify; // the log against the store

mod start; // jobs by name, and what they need
pub use services::accounts::{RefreshTokens, password_link, remember_log_in};
pub use start::{Dependencies, Job, StartError, start};
