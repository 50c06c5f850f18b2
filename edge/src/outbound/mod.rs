//! Socket out. Arrives: events the log repeats, in the log's order per conversation. Leaves: frames on every
//! socket of every member. Fails: a hole is filled before anything after it goes out; a reader that is too
//! slow is closed and resumes.

pub mod encode; // 4 an event becomes one frame for all
mod gap; // 3 holes are filled from history
pub mod hub; // 2 a repeat finds its room
pub mod live; // 1 the log's repeats arrive
pub mod queue; // 5 a frame waits for its socket
mod room; //    in a room every event chains to the one before
pub mod write; // 6 frames become bytes

pub mod catch_up; // what a socket missed while it was away
