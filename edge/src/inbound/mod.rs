//! Socket in. Arrives: raw frames of one socket. Leaves: acked events on the bus, and answers.
//! Fails: with a `Refusal`; the socket stays open unless the code says otherwise.

pub mod admit; // 4 a draft becomes Admitted: after this line nobody checks again
pub mod answer;
pub mod decode; // 2 bytes become a frame
pub mod hello; // 3 the first frame becomes an authenticated socket
pub mod publish; // 5 Admitted becomes an acked event
pub mod upgrade; // 1 HTTP becomes a socket // 6 every other frame becomes its answer

pub mod lanes; // requests of one socket: one at a time per conversation
