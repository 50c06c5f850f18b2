//! What operators do about events no job could use, a store that was lost, and doubt: the real program's commands
//! on a whole deployment, whose log and store are tampered with by hand.
#![allow(clippy::unwrap_used, clippy::missing_panics_doc)]

mod deployment; // a deployment, and hands in its log
mod rows; // hands in its store

mod parked; // natter parked
mod replay; // natter replay
mod mirror; // natter verify, of Kafka's topic
mod verify; // natter verify
mod backup; // natter backup and restore

#[cfg(target_os = "linux")]
mod newcomer; // from nothing to a release, by the page

mod token; // natter token
mod reset_password; // natter reset-password
mod trace; // natter trace
mod top; // natter top
mod dev; // all of them on a data folder
mod doctor; // natter doctor

mod rights; // all of it as the user `worker` of a guarded server
mod proofs; // what its user `edge` is answered

/// The program under test.
const NATTER: &str = env!("CARGO_BIN_EXE_natter");
