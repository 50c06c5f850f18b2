//! The guarantees of docs/protocol.md, judged. Clients of any kind write down what they sent and what they were shown;
//! the oracle says which guarantee that log contradicts.

pub mod log; // what clients write down, one JSON object a line
pub mod oracle; // which guarantees a log contradicts
pub mod run; // deployments in which things break
