//! A whole deployment of real processes: nats-server, Redis, two workers, two edges; and people spread over both
//! edges who speak to it as any stranger's client would. What is tested is the wire, so nothing of the program's
//! own types is used.
#![allow(clippy::unwrap_used, clippy::missing_panics_doc)]

mod presence; // who is online
mod presence_faults; // and who is when an edge or Redis dies
mod typing; // who types

mod inbox; // what a user missed while away
mod reads; // read marks, receipts, counts
mod unread_model; // random histories against a model of what is unread

mod addresses; // where things are that were made
mod blocks; // blocked users
mod changes; // edits, deletions, replies, reactions
mod bounds; // many requests at once stay within them
mod groups; // who is in a group, as ordered events
mod removal; // access begins and ends

mod access; // every operation and every frame, by role
mod audit; // what the audit log has
mod logs; // every line is of the schema
mod traces; // spans, from the client to those who follow the log
mod canaries; // secrets are in nothing that is written
mod hostile; // frames and paths that mean no good

mod example; // the one that docs/testing.md shows

#[cfg(target_os = "linux")]
mod clocks; // machines whose clocks are wrong

mod disks; // full ones
mod keys; // keys of access tokens follow each other
mod health; // who can work, as orchestrators ask
mod migrate; // schema and log, made and looked at
mod tls; // TLS on every connection
mod start; // when the roles refuse to start
mod workers; // a worker dies in the middle of things
mod versions; // of messages between processes

use natter_testkit::Cluster;

/// The program under test.
const NATTER: &str = env!("CARGO_BIN_EXE_natter");

/// The deployment of every test that does not break it.
async fn shared() -> &'static Cluster {
    Cluster::shared(NATTER).await
}
