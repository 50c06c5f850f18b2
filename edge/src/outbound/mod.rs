//! Socket out. Arrives: events the log repeats, in the log's order per conversation. Leaves: frames on every
//! socket of every member. Fails: a gap is filled before anything after it goes out; a reader that is too
//! slow is closed and resumes.

pub mod sockets; // the live sockets of this edge, by user and session
pub mod hub; // 1 a repeat finds its room
pub mod room; //   in a room every event chains to the one before
mod unopened; //   once its key is here
mod deletions; //   and shows nothing of what was deleted before it
pub mod arrivals; // 2 of a partition nothing may be missing
pub mod gap; //   gaps are filled from history
mod missed; //   part by part
pub mod send_queue; // 3 a frame waits for its socket
mod queue; //   in order, and bounded
pub mod flush; // 4 what waits is written

pub mod departure; // when a socket leaves a node that drains
pub mod catch_up; // what a socket missed while it was away
