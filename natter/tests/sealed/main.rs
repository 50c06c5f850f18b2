//! Content sealed at rest, in deployments of real processes: what is on disk, what people see, and what happens without
//! keys.
#![allow(clippy::unwrap_used, clippy::missing_panics_doc)]

mod rest; // what is at rest is sealed, and nothing that is shown
mod keys; // without keys
mod kms; // the root is elsewhere
mod switch; // switched on and off

/// The program under test.
const NATTER: &str = env!("CARGO_BIN_EXE_natter");

/// A root of keys, as `openssl rand -hex 32` makes one.
const ROOT: &str = "8f1d2c3b4a5968778695a4b3c2d1e0f00123456789abcdeffedcba9876543210";

const SEALED: [(&str, &str); 2] = [("CHAT_ENCRYPTION_ENABLED", "true"), ("CHAT_MESSAGE_KEY", ROOT)];
