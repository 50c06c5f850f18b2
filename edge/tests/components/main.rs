//! The components of an edge, put together as in production, against a real nats-server. The services behind NATS
//! are stubs: what an edge makes of their answers is tested here, not the answers.

mod harness;

mod hello; // what stays behind of a socket: nothing
mod closing; // how a connection ends
mod drain; // what clients see of a node that stops
mod http; // what every answer has
mod web; // the web client's page and files
mod documents; // the contract, as programs read it
mod request_ids; // every error names the request it answers
mod costs; // every frame and every route takes tokens
mod log_ins; // limits by address, by account, by session
mod compressed; // which answers are sent compressed
mod connections; // how many there are
mod expiry; // how access ends
mod resume; // what a socket missed, in order and once
mod commands; // sending: stored once, acked, refused
mod traces; // the trace that a client works in
mod presence; // who is online, without a socket
mod signals; // read marks and typing: a few for many
mod blocks; // what does not pass between two people
mod contact; // who goes when this edge alone has lost NATS
mod feeds; // what arrives from NATS: order, gaps, removals
