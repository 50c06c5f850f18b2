//! Socket in. Arrives: raw frames of one socket. Leaves: acked events on the bus, and answers.
//! Fails: with a `ApiError`; the socket stays open unless the code says otherwise.

pub mod upgrade; // 1 HTTP becomes a socket
pub mod source; // 2 bytes become messages
pub mod decode; // a message becomes a frame
pub mod hello; // 3 the first frame becomes an authenticated socket
pub mod admit; // 4 a draft becomes Admitted: after this line nobody checks again
pub mod publish; // 5 Admitted becomes an acked event
pub mod signal; // 6 joining and typing: answered, never logged
pub mod reading; // 7 read marks, a few for many
pub mod answer; // every frame goes to where it is answered

pub mod lanes; // requests of one socket: one at a time per conversation
