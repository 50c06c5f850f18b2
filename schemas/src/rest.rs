//! What travels over HTTP (`docs/protocol.md`, section 1). From these types and their comments `docs/openapi.json` is
//! generated: a comment on a field is what authors of clients read about it.

pub mod check; // rules for what users type
mod requests; // bodies a client sends
mod views; // what it gets
mod log_in; // how people log in

pub use log_in::*;
pub use requests::*;
pub use views::*;
