//! The edge: sockets and REST. It holds no database credentials and opens no database connection; it publishes
//! into the log, listens to what the log repeats, and asks services by NATS request/reply for everything else.

mod app; // what an edge is made of, and its start
mod serve; // the accept loop
mod api_error; // how a failure is said to a client

mod auth; // tokens and who is asking
mod membership; // who is in which conversation, from cache and CONTROL
mod control; // follows CONTROL: membership changes and ended sessions
mod sockets; // the live sockets by user and session
mod presence; // who is online: heartbeats of every socket
mod limit; // rate limits in front of everything

mod inbound; // what clients send
mod outbound; // what clients get
mod socket; // one socket, from hello to close

mod rest; // HTTP

pub use app::{Config, Edge};
