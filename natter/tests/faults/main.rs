//! The real program under faults: started, spoken to as any client would, and broken. What is tested is the
//! wire, so nothing of the program's own types is used.
#![allow(clippy::unwrap_used, clippy::missing_panics_doc)]

mod banner; // what it prints works as pasted
mod start; // when it refuses to start, and how it ends
mod demo; // users and rooms for any settings

mod death; // kill -9 of nats-server and of everything
mod full; // a log without room
mod disk; // a disk without room
mod damage; // rows of the store that cannot be read
mod lost; // a log, a store or a nats-server that is gone
mod paused; // a nats-server that stands still
mod slow; // a reader that never reads

mod limits; // what one user is allowed
mod tls; // ports with a certificate
mod http_edges; // connections that mean no good
mod provider; // log-in by an OpenID Connect provider
mod recovery; // a new password by a link
mod email_change; // a new address by a link
mod smtp; //   that a mail server takes
mod resume; // what a socket missed
mod sessions; // access ends
mod socket_edges; // frames that mean no good
mod twins; // the same thing twice at the same moment

/// The program under test.
const NATTER: &str = env!("CARGO_BIN_EXE_natter");
