//! Jobs and services of a worker. One program for all of them: each carries most of the workspace, and takes longer to
//! link than to run.
#![allow(clippy::unwrap_used, clippy::missing_panics_doc)]

#[path = "../harness/mod.rs"]
mod harness;

mod persist; // the log becomes rows
mod any_floor; // wherever the persister is, readers are shown the same

mod accounts; // users, passwords, sessions
mod profiles; // their names and addresses, sealed
mod keys; // keys of data
mod reseal; // newer ones
mod erasure; // users who are erased

mod conversations; // opening, listing, renaming
mod additions; // whom a user may add
mod group_changes; // many at once
mod lists; // what long ones cost

mod history; // what readers are shown
mod read_marks; // how far they have read
mod access; // and who reads nothing
mod decisions; // who may say who is a member
mod bounds; // of answers
