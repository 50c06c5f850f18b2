//! The provider's keys (RFC 7517). A key is used with the one algorithm of its kind, so a token cannot choose how it is
//! verified; secrets are no keys of a provider.

use base64::{Engine, prelude::BASE64_URL_SAFE_NO_PAD};
use jsonwebtoken::{
    Algorithm, DecodingKey, Header,
    jwk::{AlgorithmParameters, EllipticCurve, Jwk, PublicKeyUse},
};
use natter_schemas::limits;
use reqwest::Url;
use serde::Deserialize;
use serde_json::Value;

use super::{failure::ProviderFailure, http::Http};

/// Bytes of an RSA modulus: 2,048 bits at least (RFC 7518 §3.3), and no more than what is quick to use.
const RSA_MODULUS: std::ops::RangeInclusive<usize> = 256..=1024;

#[derive(Deserialize)]
struct Published {
    keys: Vec<Value>,
}

pub struct SigningKeys(Vec<SigningKey>);

#[derive(Clone)]
pub struct SigningKey {
    id: Option<String>,
    pub algorithm: Algorithm,
    pub key: DecodingKey,
}

impl SigningKeys {
    pub async fn fetch(http: &Http, address: &Url) -> Result<Self, ProviderFailure> {
        Ok(Self::read(http.get(address, None).await?))
    }

    /// Keys that are not understood, or are for something else, are left out.
    fn read(Published { keys }: Published) -> Self {
        Self(keys.into_iter().take(limits::PROVIDER_KEYS).filter_map(SigningKey::read).collect())
    }

    /// The key that a token names. One that names none is of the only key of its algorithm (OpenID Connect Core §10.1).
    pub fn of(&self, header: &Header) -> Option<SigningKey> {
        let mut fitting = self.0.iter().filter(|key| key.algorithm == header.alg);
        match &header.kid {
            Some(id) => fitting.find(|key| key.id.as_ref() == Some(id)).cloned(),
            None => fitting.next().filter(|_| fitting.next().is_none()).cloned(),
        }
    }
}

impl SigningKey {
    fn read(published: Value) -> Option<Self> {
        let jwk: Jwk = serde_json::from_value(published).ok()?;
        let algorithm = algorithm(&jwk.algorithm)?;
        let common = &jwk.common;
        let signs = common.public_key_use.as_ref().is_none_or(|usage| *usage == PublicKeyUse::Signature);
        let fits = common.key_algorithm.is_none_or(|named| named.to_string() == format!("{algorithm:?}"));
        let key = (signs && fits).then(|| DecodingKey::from_jwk(&jwk).ok()).flatten()?;
        Some(Self { id: jwk.common.key_id, algorithm, key })
    }
}

fn algorithm(key: &AlgorithmParameters) -> Option<Algorithm> {
    match key {
        AlgorithmParameters::RSA(key) => {
            let modulus = BASE64_URL_SAFE_NO_PAD.decode(&key.n).ok()?;
            RSA_MODULUS.contains(&modulus.len()).then_some(Algorithm::RS256)
        }
        AlgorithmParameters::EllipticCurve(key) if key.curve == EllipticCurve::P256 => Some(Algorithm::ES256),
        AlgorithmParameters::OctetKeyPair(key) if key.curve == EllipticCurve::Ed25519 => {
            Some(Algorithm::EdDSA)
        }
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    const ED: &str = "RaLRjmytHLewf3IJ1Xx5zxxGxKFgguesx1zXERpkRKs";

    fn keys(keys: &[Value]) -> SigningKeys {
        SigningKeys::read(Published { keys: keys.to_vec() })
    }

    fn header(algorithm: Algorithm, id: Option<&str>) -> Header {
        Header { kid: id.map(str::to_owned), ..Header::new(algorithm) }
    }

    #[test]
    fn a_token_is_verified_by_the_key_it_names_with_that_keys_algorithm() {
        let ed = json!({"kty": "OKP", "crv": "Ed25519", "x": ED, "kid": "a", "use": "sig", "alg": "EdDSA"});
        let another = json!({"kty": "OKP", "crv": "Ed25519", "x": ED, "kid": "b"});
        let rsa =
            json!({"kty": "RSA", "n": BASE64_URL_SAFE_NO_PAD.encode([0xC1; 256]), "e": "AQAB", "kid": "c"});
        let of = |set: &SigningKeys, algorithm, id| set.of(&header(algorithm, id)).is_some();
        let all = keys(&[ed.clone(), another, rsa]);
        assert!(of(&all, Algorithm::EdDSA, Some("a")) && of(&all, Algorithm::EdDSA, Some("b")));
        assert!(of(&all, Algorithm::RS256, Some("c")) && of(&all, Algorithm::RS256, None));
        for (algorithm, id) in [
            (Algorithm::RS256, Some("a")),
            (Algorithm::EdDSA, Some("c")),
            (Algorithm::EdDSA, Some("d")),
            (Algorithm::HS256, Some("a")),
            (Algorithm::RS512, Some("c")),
            // Two could be meant.
            (Algorithm::EdDSA, None),
        ] {
            assert!(!of(&all, algorithm, id), "{algorithm:?} {id:?}");
        }
        assert!(of(&keys(&[ed]), Algorithm::EdDSA, None));
    }

    #[test]
    fn what_is_no_key_for_signatures_is_left_out() {
        let n = |bytes: usize| BASE64_URL_SAFE_NO_PAD.encode(vec![0xC1; bytes]);
        let set = keys(&[
            json!({"kty": "oct", "k": "c2VjcmV0", "kid": "a"}),
            json!({"kty": "OKP", "crv": "Ed25519", "x": ED, "kid": "a", "use": "enc"}),
            json!({"kty": "OKP", "crv": "X25519", "x": ED, "kid": "a"}),
            json!({"kty": "OKP", "crv": "Ed25519", "x": ED, "kid": "a", "alg": "RS256"}),
            json!({"kty": "RSA", "n": n(128), "e": "AQAB", "kid": "a"}),
            json!({"kty": "RSA", "n": n(2048), "e": "AQAB", "kid": "a"}),
            json!({"kty": "RSA", "n": n(256), "e": "AQAB", "kid": "a", "alg": "PS256"}),
            json!({"kty": "EC", "crv": "P-384", "x": n(48), "y": n(48), "kid": "a"}),
            json!({"kty": "new", "kid": "a"}),
            json!("rubbish"),
            json!(null),
        ]);
        assert!(set.0.is_empty());
    }
}
