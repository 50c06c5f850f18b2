//! Content sealed at rest. A message's text is sealed before it is published and opened where it is shown, so the log, the
//! store, Kafka and every backup of them have ciphertext only
//! ([0023](../../docs/decisions/0023-content-sealed-per-author.md)).

#![cfg_attr(test, allow(clippy::unwrap_used))]
#![warn(missing_docs)]

mod key; // a key, and a key wrapped by another
mod content; // text becomes a sealed body and back
mod field; // and a field of a user

mod cache; // keys this process has
mod data_keys; //   and those it asks the service for
mod ask; //     by name, or by the texts they are to open
mod follow; //   and drops, when CONTROL says so
mod open; // what is shown is opened

pub use cache::DataKey;
pub use content::{Place, WillNotOpen, open, seal};
pub use data_keys::{DataKeys, KnownKeys};
pub use field::{Field, epoch_of_field, look_up, open_field, seal_field};
pub use follow::follow_control;
pub use key::{Key, NoRandomness, unwrap, wrap};
pub use open::KeyMissing;
