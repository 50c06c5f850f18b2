//! The log in Kafka, whatever happens on the way. What is there is read with kcat, a consumer that is not ours.
#![allow(clippy::unwrap_used)]

#[path = "../harness/mod.rs"]
mod harness;

mod topic; // a topic with a log, and what is in it

mod audit; // records of the audit log
mod faults; // Kafka or NATS away
mod follow; // every event, in order
mod start; // topics that do not fit, Kafkas that are closed or away
mod takeover; // one worker after the other
mod verify; // what a check finds
