//! Clients that mean no good, against the running program: bytes that two servers read in two ways, forged tokens, JSON
//! of every wrong shape, floods, connections without a word.
#![allow(clippy::unwrap_used, clippy::missing_panics_doc)]

mod requests; // HTTP that is not what it seems
mod tokens; // tokens that no one issued
mod mutants; // JSON that is nearly right
mod bodies; //   as bodies of requests
mod frames; //   as frames
mod silent; // connections that are held
mod floods; // more of each frame than a user may send
mod account; // all of it at once, by one account

/// The program under test.
const NATTER: &str = env!("CARGO_BIN_EXE_natter");
