//! Access tokens: short-lived JWTs (RFC 7519) with one fixed algorithm and every claim required.

use std::time::Duration;

use axum::http::{HeaderMap, header};
use jsonwebtoken::{Algorithm, DecodingKey, EncodingKey, Header, Validation, decode, encode};
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
    signing: EncodingKey,
    verifying: DecodingKey,
    validation: Validation,
    lifetime: Duration,
    /// Not this machine's: one edge issues a token and another one verifies it.
    clock: LogClock,
}

impl Tokens {
    pub fn new(secret: &[u8], lifetime: Duration, clock: LogClock) -> Self {
        let mut validation = Validation::new(Algorithm::HS256);
        validation.set_issuer(&[ISSUER]);
        validation.set_audience(&[AUDIENCE]);
        validation.set_required_spec_claims(&["exp", "iss", "aud", "sub"]);
        // The library would ask this machine's clock: `verify` compares the times.
        validation.validate_exp = false;
        validation.validate_nbf = false;
        Self {
            signing: EncodingKey::from_secret(secret),
            verifying: DecodingKey::from_secret(secret),
            validation,
            lifetime,
            clock,
        }
    }

    pub fn issue(&self, user: UserId, session: SessionId, now: Timestamp) -> Result<String, Code> {
        let iat = now.0.div_euclid(1000);
        let exp = iat.saturating_add(i64::try_from(self.lifetime.as_secs()).unwrap_or(i64::MAX));
        let (iss, aud) = (ISSUER.to_owned(), AUDIENCE.to_owned());
        let claims = Claims { iss, aud, sub: user, sid: session, iat, exp, nbf: None };
        encode(&Header::new(Algorithm::HS256), &claims, &self.signing).map_err(|error| {
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
        match decode::<Claims>(token, &self.verifying, &self.validation) {
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

#[cfg(test)]
mod tests {
    use super::*;

    fn tokens() -> Tokens {
        Tokens::new(&[7; 32], Duration::from_mins(1), LogClock::own())
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
        let other = Tokens::new(&[8; 32], Duration::from_mins(1), LogClock::own());
        let other = other.issue(user, session, now).expect("signs");
        // {"alg":"none"} with the claims of a good token and no signature.
        let good = tokens().issue(user, session, now).expect("signs");
        let claims = good.split('.').nth(1).expect("three parts");
        let unsigned = format!("eyJhbGciOiJub25lIn0.{claims}.");
        for bad in [other.as_str(), &unsigned, "", "a.b.c", &"x".repeat(10_000)] {
            assert_eq!(tokens().verify(bad), Err(Code::Unauthenticated));
        }
    }
    #[test]
    fn a_signed_token_with_other_claims_or_header_is_refused() {
        let now = Timestamp::now().0 / 1000;
        let signed = |header: &Header, change: &dyn Fn(&mut serde_json::Value)| {
            let (sub, sid) = (UserId::fresh(), SessionId::fresh());
            let mut claims = serde_json::json!({
                "iss": "natter", "aud": "natter", "sub": sub, "sid": sid, "iat": now, "exp": now + 60
            });
            change(&mut claims);
            let key = EncodingKey::from_secret(&[7; 32]);
            tokens().verify(&encode(header, &claims, &key).expect("signs")).map(|_| ())
        };
        let ours = Header::new(Algorithm::HS256);
        assert_eq!(signed(&ours, &|_| ()), Ok(()));
        for (claim, value) in [
            ("aud", "other".into()),
            ("aud", serde_json::Value::Null),
            ("iss", "other".into()),
            ("nbf", (now + 60).into()),
            ("iat", (now + 3_600).into()),
            ("iat", serde_json::Value::Null),
        ] {
            let verified = signed(&ours, &|claims| claims[claim] = value.clone());
            assert_eq!(verified, Err(Code::Unauthenticated), "{claim}: {value}");
        }
        let typ = |typ: Option<&str>| Header { typ: typ.map(str::to_owned), ..ours.clone() };
        let critical = Header { crit: Some(vec!["exp".to_owned()]), ..ours.clone() };
        for header in [typ(None), typ(Some("at+jwt")), critical] {
            assert_eq!(signed(&header, &|_| ()), Err(Code::Unauthenticated), "{header:?}");
        }
    }
}
