//! Socket out. Arrives: events the log repeats, in the log's order per conversation. Leaves: frames on every
//! socket of every member. Fails: a hole is filled before anything after it goes out; a reader that is too
//! slow is closed and resumes.

pub mod live; // 1 the log's repeats arrive
pub mod hub; // 2 a repeat finds its room
mod room; //    in a room every event chains to the one before
mod gap; // 3 holes are filled from history
pub mod encode; // 4 an event becomes one frame for all
pub mod frame; //    whose bytes are finished once
pub mod outbox; // 5 a frame waits for its socket
mod queue; //    in order, and bounded
pub mod flush; // 6 what waits is written

pub mod catch_up; // what a socket missed while it was away
pub mod signals; // typing and presence: told, never stored
