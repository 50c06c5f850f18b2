//! The generator: thousands of sockets, one thread. It sends what is due, whatever the server does, and passes
//! everything that it receives to the oracle.

pub mod http; // HTTP requests and responses as bytes
pub mod frame; // WebSocket frames as bytes

mod plan; // what a generator is given
mod generator; // the thread
mod engine; // the loop and its state
mod progress; // how far it is
mod timer; // wakes the loop at a moment
mod conn; // one connection that never waits
mod open; // how a socket is opened and closed
mod send; // sends what is due
mod receive; // reads frames and passes them to the oracle
mod http_pool; // HTTP connections that requests share
mod decode_cache; // equal bytes are decoded once
mod counters; // what a step measured

pub use counters::{RequestKind, Stats, real};
pub use engine::Engine;
pub use generator::Generator;
pub use open::ConnectTimes;
pub use plan::{ClientSpec, GeneratorConfig, Plan, Sender, Transport};

#[cfg(test)]
mod tests;
