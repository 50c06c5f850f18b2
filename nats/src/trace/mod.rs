//! What became of one event, hop by hop, from what each node remembers of it: ids, times and numbers, no content. A node
//! remembers the newest hops in a ring of fixed size and forgets older ones; asking needs no other back end than NATS.

mod hop; // what is remembered of an event
mod ring; // the newest hops of this node
mod peers; // which nodes there are
mod node; // answers questions, and shows that it is there
mod ask; // asks every node

pub use ask::{Answers, Silent, ask};
pub use hop::{Failure, Hop, Step};
pub use node::{Answer, NodeName, TraceNode};
pub use peers::Peer;
pub use ring::{PartitionTrace, TraceRing};
