//! Who is online. Leaves: heartbeats of this edge's sockets into the shared state. Stays: what viewers here were
//! last sent of others.

mod heartbeats; // what keeps the users of this edge online
mod known; // what viewers on this edge know of others

pub use heartbeats::Heartbeats;
pub use known::KnownPresence;
