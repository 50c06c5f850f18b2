//! An ID token (OpenID Connect Core §2, §3.1.3.7).

use jsonwebtoken::{Algorithm, Header, Validation, decode, decode_header};
use natter_runtime::config;
use natter_schemas::{event::Timestamp, limits};
use serde_json::{Map, Value};

use super::{failure::ProviderFailure, signing_keys::SigningKey};

/// Asymmetric ones alone: with a secret, whoever can verify can sign.
const ALGORITHMS: [Algorithm; 3] = [Algorithm::RS256, Algorithm::ES256, Algorithm::EdDSA];

pub struct IdToken<'a> {
    text: &'a str,
    pub header: Header,
}

pub struct Claims {
    /// Who it is about.
    pub subject: String,
    pub all: Map<String, Value>,
}

impl<'a> IdToken<'a> {
    /// Nothing in it is believed yet.
    pub fn read(text: &'a str) -> Result<Self, ProviderFailure> {
        let header = decode_header(text)
            .map_err(|_| ProviderFailure::invalid("the header of the token cannot be read"))?;
        if !ALGORITHMS.contains(&header.alg) {
            return Err(ProviderFailure::invalid("the token is not signed with RS256, ES256 or EdDSA"));
        }
        if header.crit.is_some() {
            return Err(ProviderFailure::invalid("the token has an extension that must be understood"));
        }
        Ok(Self { text, header })
    }

    pub fn verify(
        &self,
        key: &SigningKey,
        client: &config::Provider,
        nonce: &str,
        now: Timestamp,
    ) -> Result<Claims, ProviderFailure> {
        // All but the signature is compared below, by other clocks and rules than the library has.
        let mut validation = Validation::new(key.algorithm);
        validation.required_spec_claims.clear();
        (validation.validate_exp, validation.validate_nbf, validation.validate_aud) = (false, false, false);
        let signed = decode::<Map<String, Value>>(self.text, &key.key, &validation);
        let all =
            signed.map_err(|_| ProviderFailure::invalid("the signature of the token does not hold"))?.claims;
        check(&all, client, nonce, now.0.div_euclid(1000)).map_err(ProviderFailure::invalid)?;
        let subject = text(&all, "sub").unwrap_or_default();
        if subject.is_empty() || subject.len() > limits::PROVIDER_SUBJECT {
            return Err(ProviderFailure::invalid("the token has no subject of 1 to 255 bytes"));
        }
        Ok(Claims { subject: subject.to_owned(), all })
    }
}

fn text<'a>(claims: &'a Map<String, Value>, name: &str) -> Option<&'a str> {
    claims.get(name)?.as_str()
}

/// `now` in seconds.
fn check(
    claims: &Map<String, Value>,
    client: &config::Provider,
    nonce: &str,
    now: i64,
) -> Result<(), &'static str> {
    let must = |holds: bool, otherwise| if holds { Ok(()) } else { Err(otherwise) };
    must(text(claims, "iss") == Some(&client.issuer), "the token is of another issuer")?;
    let audiences: Vec<&str> = match claims.get("aud") {
        Some(Value::String(one)) => vec![one],
        Some(Value::Array(several)) => several.iter().filter_map(Value::as_str).collect(),
        _ => Vec::new(),
    };
    let us = client.client_id.as_str();
    must(audiences.contains(&us), "the token is for another client")?;
    let presenter = claims.get("azp").map(Value::as_str);
    let ours = presenter.map_or(audiences.len() == 1, |presenter| presenter == Some(us));
    must(ours, "the token was given to another client")?;
    must(text(claims, "nonce") == Some(nonce), "the token is of another attempt")?;
    let expires = seconds(claims, "exp").ok_or("the token has no end")?;
    must(expires.saturating_add(limits::PROVIDER_LEEWAY) > now, "the token has expired")?;
    let issued = seconds(claims, "iat").ok_or("the token has no beginning")?;
    let early = |at: i64| at.saturating_sub(limits::PROVIDER_LEEWAY) > now;
    must(!early(issued), "the token was issued in the future")?;
    must(!seconds(claims, "nbf").is_some_and(early), "the token does not count yet")
}

/// A time may have fractions (RFC 7519 §2).
#[expect(clippy::cast_possible_truncation, reason = "a cast saturates, and fractions do not count")]
fn seconds(claims: &Map<String, Value>, name: &str) -> Option<i64> {
    let number = claims.get(name)?;
    number.as_i64().or_else(|| number.as_f64().map(|fraction| fraction as i64))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    const NOW: i64 = 1_764_000_000;

    fn client() -> config::Provider {
        let [issuer, client_id] = ["https://id.example", "natter"].map(str::to_owned);
        let (client_secret, scopes, name, ca) = (None, String::new(), String::new(), None);
        config::Provider { issuer, client_id, client_secret, scopes, name, ca }
    }

    fn checked(changes: Value) -> Result<(), &'static str> {
        let claims = json!({
            "iss": "https://id.example", "sub": "1", "aud": "natter", "nonce": "n", "exp": NOW + 60, "iat": NOW,
        });
        let (Value::Object(mut claims), Value::Object(changes)) = (claims, changes) else {
            panic!("objects")
        };
        claims.extend(changes);
        claims.retain(|_, value| !value.is_null());
        check(&claims, &client(), "n", NOW)
    }

    #[test]
    fn a_token_for_this_client_and_attempt_holds_within_the_leeway() {
        for good in [
            json!({}),
            json!({"aud": ["natter"]}),
            json!({"aud": ["natter", "other"], "azp": "natter"}),
            json!({"azp": "natter"}),
            json!({"exp": NOW - 299}),
            json!({"exp": 1_764_000_060.5}),
            json!({"iat": NOW + 300, "nbf": NOW + 300}),
        ] {
            assert_eq!(checked(good.clone()), Ok(()), "{good}");
        }
    }

    #[test]
    fn a_token_of_anything_else_does_not() {
        for bad in [
            json!({"iss": "https://id.example/"}),
            json!({"iss": ["https://id.example"]}),
            json!({"iss": null}),
            json!({"aud": "other"}),
            json!({"aud": []}),
            json!({"aud": null}),
            json!({"aud": ["natter", "other"]}),
            json!({"aud": ["natter", "other"], "azp": "other"}),
            json!({"azp": "other"}),
            json!({"azp": 7}),
            json!({"nonce": "m"}),
            json!({"nonce": null}),
            json!({"exp": NOW - 300}),
            json!({"exp": null}),
            json!({"exp": "soon"}),
            json!({"iat": NOW + 301}),
            json!({"iat": null}),
            json!({"nbf": NOW + 301}),
        ] {
            assert!(checked(bad.clone()).is_err(), "{bad}");
        }
    }

    #[test]
    fn a_token_without_a_signature_or_with_one_by_a_secret_is_not_read() {
        let b64 = |json: Value| {
            use base64::{Engine, prelude::BASE64_URL_SAFE_NO_PAD};
            BASE64_URL_SAFE_NO_PAD.encode(json.to_string())
        };
        for header in [
            json!({"alg": "none"}),
            json!({"alg": "HS256"}),
            json!({"alg": "RS512"}),
            json!({"alg": "RS256", "crit": ["b64"]}),
            json!({}),
        ] {
            let token = format!("{}.{}.AAAA", b64(header.clone()), b64(json!({"sub": "1"})));
            assert!(IdToken::read(&token).is_err(), "{header}");
        }
        let good = format!("{}.{}.AAAA", b64(json!({"alg": "RS256"})), b64(json!({})));
        assert!(IdToken::read(&good).is_ok());
        assert!(["", ".", "..", "a.b", "a.b.c"].iter().all(|rubbish| IdToken::read(rubbish).is_err()));
    }
}
