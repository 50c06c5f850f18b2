//! The border in bytes. Arrives: bytes of a connection. Leaves: frames; and the other way round.
//! Fails: with the error frame that answers it.

pub mod source; // 1 bytes of a connection become WebSocket messages
pub mod decode; // 2 a message becomes a frame, or an error that names its request
pub mod encode; // 3 an event becomes one frame for all, a message its JSON view
pub mod frame; // 4 a frame becomes bytes, once
