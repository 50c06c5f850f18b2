//! Socket in. Arrives: decoded frames of one socket. Leaves: acked events on the bus, and answers.
//! Fails: with an `ApiError`; the socket stays open unless the code says otherwise.

pub mod hello; // 1 the first frame becomes an authenticated socket
pub mod registration; //   entered everywhere, and taken out of everything when its guard is dropped
pub mod admit; // 2 a command becomes Admitted: after this line nothing is checked again
pub mod client_id_prefixes; //   by which a command shows that it was not published long ago
pub mod earlier_sends; //   whether it was, if nothing shows it
pub mod seal; //   its text is sealed
pub mod publish; // 3 Admitted becomes an acked event
pub mod change; //   what changes a message: stored behind what it was decided on, or decided again
pub mod watchers; // joining and leaving: whose typing and presence a socket gets
pub mod typing; // typing: passed on, never logged
pub mod read_marks; // read marks, a few for many
