//! Access tokens, by the log's time.

#[cfg(test)]
mod tests;

pub use natter_runtime::access_token::{Identity, Keys};

use std::time::Duration;

use axum::http::{HeaderMap, header};
use natter_nats::clock::LogClock;
use natter_runtime::access_token::JwkSet;
use natter_schemas::{
    code::Code,
    event::Timestamp,
    id::{SessionId, UserId},
};

pub struct Tokens {
    keys: Keys,
    lifetime: Duration,
    /// Not this machine's: one edge issues a token and another one verifies it.
    clock: LogClock,
}

impl Tokens {
    pub const fn new(keys: Keys, lifetime: Duration, clock: LogClock) -> Self {
        Self { keys, lifetime, clock }
    }

    /// The public keys, for other services that check tokens.
    pub const fn published(&self) -> &JwkSet {
        self.keys.verifying().published()
    }

    pub fn issue(&self, user: UserId, session: SessionId, now: Timestamp) -> Result<String, Code> {
        self.keys.issue((user, session), self.lifetime, now)
    }

    /// For a socket, which ends with its token: within its leeway an expired one verifies, and would end the socket in the
    /// moment in which it is welcomed.
    pub fn verify_for_socket(&self, token: &str) -> Result<Identity, Code> {
        let identity = self.verify(token)?;
        let ended = identity.time_left(self.clock.now()).is_zero();
        if ended { Err(Code::TokenExpired) } else { Ok(identity) }
    }

    pub fn verify(&self, token: &str) -> Result<Identity, Code> {
        self.keys.verifying().verify(token, self.clock.now())
    }
}

/// The token of `Authorization: Bearer <token>` (RFC 6750 §2.1).
pub fn bearer(headers: &HeaderMap) -> Option<&str> {
    let value = headers.get(header::AUTHORIZATION)?.to_str().ok()?;
    let (scheme, token) = value.split_once(' ')?;
    scheme.eq_ignore_ascii_case("bearer").then(|| token.trim())
}
