//! Access tokens: short-lived JWTs (RFC 7519) with one fixed algorithm and every claim required.

use std::time::Duration;

use axum::http::{HeaderMap, header};
use jsonwebtoken::{
    Algorithm, DecodingKey, EncodingKey, Header, Validation, decode, encode, errors::ErrorKind,
};
use natter_schemas::{
    code::Code,
    event::Timestamp,
    id::{SessionId, UserId},
    limits,
};
use serde::{Deserialize, Serialize};

const ISSUER: &str = "natter";

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
    sub: UserId,
    sid: SessionId,
    iat: i64,
    exp: i64,
}

pub struct Tokens {
    signing: EncodingKey,
    verifying: DecodingKey,
    validation: Validation,
    lifetime: Duration,
}

impl Tokens {
    pub fn new(secret: &[u8], lifetime: Duration) -> Self {
        let mut validation = Validation::new(Algorithm::HS256);
        validation.set_issuer(&[ISSUER]);
        validation.set_required_spec_claims(&["exp", "iss", "sub"]);
        // For clocks of edges that differ; the default of a minute would outlive a revocation.
        validation.leeway = 5;
        Self {
            signing: EncodingKey::from_secret(secret),
            verifying: DecodingKey::from_secret(secret),
            validation,
            lifetime,
        }
    }

    pub fn issue(&self, user: UserId, session: SessionId, now: Timestamp) -> Result<String, Code> {
        let iat = now.0.div_euclid(1000);
        let exp = iat.saturating_add(i64::try_from(self.lifetime.as_secs()).unwrap_or(i64::MAX));
        let claims = Claims { iss: ISSUER.to_owned(), sub: user, sid: session, iat, exp };
        encode(&Header::new(Algorithm::HS256), &claims, &self.signing).map_err(|error| {
            tracing::error!(%error, %user, "access token not signed; answered 'internal'");
            Code::Internal
        })
    }

    pub fn verify(&self, token: &str) -> Result<Identity, Code> {
        if token.len() > limits::ACCESS_TOKEN {
            return Err(Code::Unauthenticated);
        }
        match decode::<Claims>(token, &self.verifying, &self.validation) {
            Ok(data) => {
                Ok(Identity { user: data.claims.sub, session: data.claims.sid, expires_at: data.claims.exp })
            }
            Err(error) if matches!(error.kind(), ErrorKind::ExpiredSignature) => Err(Code::TokenExpired),
            Err(_) => Err(Code::Unauthenticated),
        }
    }
}

/// The token of `Authorization: Bearer <token>` (RFC 6750 §2.1).
pub fn bearer(headers: &HeaderMap) -> Option<&str> {
    let value = headers.get(header::AUTHORIZATION)?.to_str().ok()?;
    let (scheme, token) = value.split_once(' ')?;
    scheme.eq_ignore_ascii_case("bearer").then(|| token.trim())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tokens() -> Tokens {
        Tokens::new(&[7; 32], Duration::from_mins(1))
    }

    #[test]
    fn a_token_proves_its_user_until_it_expires() {
        let (user, session, now) = (UserId::fresh(), SessionId::fresh(), Timestamp::now());
        let token = tokens().issue(user, session, now).expect("signs");
        let identity = tokens().verify(&token).expect("is valid");
        assert_eq!((identity.user, identity.session), (user, session));
        let old = tokens().issue(user, session, Timestamp(now.0 - 120_000)).expect("signs");
        assert_eq!(tokens().verify(&old), Err(Code::TokenExpired));
    }

    #[test]
    fn a_token_of_another_key_or_algorithm_is_refused() {
        let (user, session, now) = (UserId::fresh(), SessionId::fresh(), Timestamp::now());
        let other = Tokens::new(&[8; 32], Duration::from_mins(1)).issue(user, session, now).expect("signs");
        // {"alg":"none"} with the claims of a good token and no signature.
        let good = tokens().issue(user, session, now).expect("signs");
        let claims = good.split('.').nth(1).expect("three parts");
        let unsigned = format!("eyJhbGciOiJub25lIn0.{claims}.");
        for bad in [other.as_str(), &unsigned, "", "a.b.c", &"x".repeat(10_000)] {
            assert_eq!(tokens().verify(bad), Err(Code::Unauthenticated));
        }
    }
}
