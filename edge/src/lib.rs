//! The edge: sockets and REST. It holds no database credentials and opens no database connection; it publishes
//! into the log, listens to what the log repeats, and asks services by NATS request/reply for everything else.
//!
//! Modules are in layers and import only from their own layer and those above it in this list;
//! `tests/layers.rs` checks it.

// 0: values of the border, without state.
mod api_error; // how a failure is reported to a client
mod costs; // what every frame and route takes of whose tokens
mod client_address; // who is at the other end, behind proxies
mod auth; // access tokens
mod transport; // bytes of a socket, plain or encrypted
mod wire; // bytes become frames and frames become bytes
mod web; // the web client's files
mod through; // pieces of an answer as they are taken
mod turns; // HTTP calls of one user that are under way

// 1: what this edge knows.
mod client_lines; // the log lines of requests and sockets
mod connections; // how many there are, and their bytes
mod admission; // rate limits in front of everything
mod membership; // who is in which conversation, from cache and CONTROL
mod presence; // heartbeats of every socket, and what viewers know of others
mod revoked_sessions; // sessions whose tokens are no longer taken
mod held_tokens; // what proves to services that an edge asks for its users

// 2: socket out.
mod outbound; // live sockets and what is sent to them

// 3: what arrives and what it changes.
mod inbound; // what clients send
mod feeds; // what NATS sends without being asked: events, typing, presence, CONTROL

// 4: the border.
mod app; // all components of an edge, as data
mod socket; // one socket, from hello to close
mod upgrade; // HTTP becomes a socket
mod rest; // HTTP

// 5: the process.
mod start; // builds the components and starts the feeds
mod serve; // the accept loop

pub use app::Config;
pub use auth::{Keys, Tokens};
pub use start::start;
pub use web::{Source, Web};
/// For tests: the components before they run, and the rest of the start.
#[doc(hidden)]
pub use {
    app::App,
    costs::{ROUTES, RouteCost},
    start::{assemble, run},
};
