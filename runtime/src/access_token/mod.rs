//! Access tokens: short-lived JWTs (RFC 7519), of keys that each have one algorithm, with every claim required. Edges issue
//! and verify them; workers verify them again.

mod keys; // which one signs, and which one a token names
mod documents; // what else they sign

pub use jsonwebtoken::jwk::JwkSet;
pub use keys::{Keys, VerifyingKeys};

use std::time::Duration;

use jsonwebtoken::{Header, decode, decode_header, encode};
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
/// Seconds. Processes measure the log's time to within a round trip; this is a generous one.
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

    /// Whether its token is no longer taken.
    pub const fn has_expired(&self, now: Timestamp) -> bool {
        self.expires_at < now.0.div_euclid(1000).saturating_sub(LEEWAY)
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

impl Keys {
    /// A token that is taken for so long.
    ///
    /// # Errors
    /// `internal` when it cannot be signed.
    pub fn issue(
        &self,
        (user, session): (UserId, SessionId),
        lifetime: Duration,
        now: Timestamp,
    ) -> Result<String, Code> {
        let iat = now.0.div_euclid(1000);
        let exp = iat.saturating_add(i64::try_from(lifetime.as_secs()).unwrap_or(i64::MAX));
        let (iss, aud) = (ISSUER.to_owned(), AUDIENCE.to_owned());
        let claims = Claims { iss, aud, sub: user, sid: session, iat, exp, nbf: None };
        let (header, key) = self.signing();
        encode(header, &claims, key).map_err(|error| {
            tracing::error!(%error, %user, "access token not signed; answered 'internal'");
            Code::Internal
        })
    }
}

impl VerifyingKeys {
    /// Whose token it is.
    ///
    /// # Errors
    /// `unauthenticated`, or `token_expired`.
    pub fn verify(&self, token: &str, now: Timestamp) -> Result<Identity, Code> {
        if token.len() > limits::ACCESS_TOKEN {
            return Err(Code::Unauthenticated);
        }
        let header = decode_header(token).map_err(|_| Code::Unauthenticated)?;
        let key = self.of(&header).ok_or(Code::Unauthenticated)?;
        let data = decode::<Claims>(token, &key.verifying, &key.validation);
        let data = data.map_err(|_| Code::Unauthenticated)?;
        if !is_ours(&data.header, &data.claims, now.0.div_euclid(1000)) {
            return Err(Code::Unauthenticated);
        }
        let Claims { sub: user, sid: session, exp: expires_at, .. } = data.claims;
        let identity = Identity { user, session, expires_at };
        if identity.has_expired(now) { Err(Code::TokenExpired) } else { Ok(identity) }
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
