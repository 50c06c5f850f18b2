//! Access tokens: short-lived JWTs (RFC 7519), of keys that each have one algorithm, with every claim required.

mod keys; // which one signs, and which one a token names
mod documents; // what else they sign
#[cfg(test)]
mod tests;

pub use keys::Keys;

use std::time::Duration;

use axum::http::{HeaderMap, header};
use jsonwebtoken::{Header, decode, decode_header, encode, jwk::JwkSet};
use natter_nats::clock::LogClock;
use natter_schemas::{
    code::Code,
    event::Timestamp,
    id::{SessionId, UserId},
    limits,
};
use serde::{Deserialize, Serialize};

const ISSUER: &str = "natter";
/// Whom tokens are for: one of the same secret that was made for something else is refused.
const AUDIENCE: &str = "natter";
/// Seconds. Edges measure the log's time to within a round trip; this is a generous one.
const LEEWAY: i64 = 5;
/// How far ahead the clock of the edge that issued a token may be. Later than that no edge issued it.
const CLOCKS_APART: i64 = 10 * 60;

/// The user and session that a token proves.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Identity {
    pub user: UserId,
    pub session: SessionId,
    /// Seconds since the Unix epoch.
    pub expires_at: i64,
}

impl Identity {
    pub fn time_left(&self, now: Timestamp) -> Duration {
        let left = self.expires_at.saturating_mul(1000).saturating_sub(now.0);
        Duration::from_millis(u64::try_from(left).unwrap_or(0))
    }
}

#[derive(Serialize, Deserialize)]
struct Claims {
    iss: String,
    aud: String,
    sub: UserId,
    sid: SessionId,
    iat: i64,
    exp: i64,
    /// Ours have none; a token that has one means it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    nbf: Option<i64>,
}

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

    /// The public keys; see [`Keys::published`].
    pub const fn published(&self) -> &JwkSet {
        self.keys.published()
    }

    pub fn issue(&self, user: UserId, session: SessionId, now: Timestamp) -> Result<String, Code> {
        let iat = now.0.div_euclid(1000);
        let exp = iat.saturating_add(i64::try_from(self.lifetime.as_secs()).unwrap_or(i64::MAX));
        let (iss, aud) = (ISSUER.to_owned(), AUDIENCE.to_owned());
        let claims = Claims { iss, aud, sub: user, sid: session, iat, exp, nbf: None };
        let (header, key) = self.keys.signing();
        encode(header, &claims, key).map_err(|error| {
            tracing::error!(%error, %user, "access token not signed; answered 'internal'");
            Code::Internal
        })
    }

    /// For a socket, which ends with its token: within its leeway an expired one verifies, and would end the socket in the
    /// moment in which it is welcomed.
    pub fn verify_for_socket(&self, token: &str) -> Result<Identity, Code> {
        let identity = self.verify(token)?;
        let ended = identity.time_left(self.clock.now()).is_zero();
        if ended { Err(Code::TokenExpired) } else { Ok(identity) }
    }

    pub fn verify(&self, token: &str) -> Result<Identity, Code> {
        if token.len() > limits::ACCESS_TOKEN {
            return Err(Code::Unauthenticated);
        }
        let now = self.clock.now().0.div_euclid(1000);
        let header = decode_header(token).map_err(|_| Code::Unauthenticated)?;
        let key = self.keys.of(&header).ok_or(Code::Unauthenticated)?;
        match decode::<Claims>(token, &key.verifying, &key.validation) {
            Ok(data) if !is_ours(&data.header, &data.claims, now) => Err(Code::Unauthenticated),
            Ok(data) if data.claims.exp < now.saturating_sub(LEEWAY) => Err(Code::TokenExpired),
            Ok(data) => {
                Ok(Identity { user: data.claims.sub, session: data.claims.sid, expires_at: data.claims.exp })
            }
            Err(_) => Err(Code::Unauthenticated),
        }
    }
}

/// What the library leaves to its users: the type (RFC 8725 §3.11), extensions that must be understood (RFC 7515
/// §4.1.11) and none of which is, and that its time has come.
fn is_ours(header: &Header, claims: &Claims, now: i64) -> bool {
    let typ = header.typ.as_deref().is_some_and(|typ| typ.eq_ignore_ascii_case("JWT"));
    let begun = claims.nbf.is_none_or(|nbf| nbf <= now.saturating_add(LEEWAY));
    let issued = claims.iat <= now.saturating_add(CLOCKS_APART) && claims.iat <= claims.exp;
    typ && header.crit.is_none() && begun && issued
}

/// The token of `Authorization: Bearer <token>` (RFC 6750 §2.1).
pub fn bearer(headers: &HeaderMap) -> Option<&str> {
    let value = headers.get(header::AUTHORIZATION)?.to_str().ok()?;
    let (scheme, token) = value.split_once(' ')?;
    scheme.eq_ignore_ascii_case("bearer").then(|| token.trim())
}
