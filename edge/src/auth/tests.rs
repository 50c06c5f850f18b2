use jsonwebtoken::{Algorithm, EncodingKey, Header, decode_header, encode};
use natter_runtime::config::{PemKey, TokenKeys, TokenSecret};

use super::*;

fn of(keys: &TokenKeys) -> Tokens {
    Tokens::new(Keys::new(keys).expect("keys"), Duration::from_mins(1), LogClock::own())
}

fn tokens() -> Tokens {
    of(&TokenKeys::unnamed(vec![7; 32]))
}

fn pem_of(id: &str, pem: &str) -> PemKey {
    PemKey { id: id.to_owned(), pem: pem.into() }
}

/// Secrets of these ids, in this order; the empty one is that of [`tokens`].
fn secrets(ids: &[&str]) -> TokenKeys {
    let secret = |id: &&str| TokenSecret {
        id: Some((*id).to_owned()).filter(|id| !id.is_empty()),
        key: if id.is_empty() { vec![7; 32] } else { id.repeat(32).into_bytes() }.into(),
    };
    TokenKeys { secrets: ids.iter().map(secret).collect(), ..TokenKeys::default() }
}

const PRIVATE: &str = "-----BEGIN PRIVATE KEY-----
MC4CAQAwBQYDK2VwBCIEIBfup2qX1OnMaoB1yckGoP1cnUg5DOPlGTzrntw9eruR
-----END PRIVATE KEY-----";
const PUBLIC: &str = "-----BEGIN PUBLIC KEY-----
MCowBQYDK2VwAyEARaLRjmytHLewf3IJ1Xx5zxxGxKFgguesx1zXERpkRKs=
-----END PUBLIC KEY-----";

fn private(id: &str) -> TokenKeys {
    TokenKeys { private: Some(pem_of(id, PRIVATE)), ..TokenKeys::default() }
}

fn issued(tokens: &Tokens) -> String {
    tokens.issue(UserId::fresh(), SessionId::fresh(), Timestamp::now()).expect("signs")
}

#[test]
fn a_key_follows_another_while_tokens_of_both_verify() {
    let stages = [secrets(&["a"]), secrets(&["a", "b"]), secrets(&["b", "a"]), secrets(&["b"])];
    let stages = stages.each_ref().map(of);
    // Edges of neighboring stages run at the same time.
    for pair in stages.windows(2) {
        for (issuer, verifier) in [(0, 1), (1, 0), (0, 0), (1, 1)] {
            assert!(pair[verifier].verify(&issued(&pair[issuer])).is_ok());
        }
    }
    assert_eq!(stages[3].verify(&issued(&stages[0])), Err(Code::Unauthenticated));
}

#[test]
fn tokens_without_a_key_id_are_of_the_secret_without_one() {
    let stages = [secrets(&["", "a"]), secrets(&["a", ""]), secrets(&["a"])].each_ref().map(of);
    assert!(stages[0].verify(&issued(&tokens())).is_ok() && tokens().verify(&issued(&stages[0])).is_ok());
    let token = issued(&stages[1]);
    assert_eq!(decode_header(&token).expect("a header").kid.as_deref(), Some("a"));
    assert!(stages.iter().all(|verifier| verifier.verify(&token).is_ok()));
    assert!(stages[1].verify(&issued(&stages[0])).is_ok());
    for (verifier, token) in [(&tokens(), &token), (&stages[2], &issued(&stages[0]))] {
        assert_eq!(verifier.verify(token), Err(Code::Unauthenticated));
    }
}

#[test]
fn a_token_of_a_private_key_verifies_by_its_public_key_alone() {
    let signer = of(&private("ed"));
    let token = issued(&signer);
    assert_eq!(decode_header(&token).expect("a header").alg, Algorithm::EdDSA);
    assert!(signer.verify(&token).is_ok());
    let other = TokenKeys { public: vec![pem_of("ed", PUBLIC)], ..secrets(&["a"]) };
    let other = of(&other);
    assert!(other.verify(&token).is_ok());
    assert!(signer.verify(&issued(&other)).is_err());
    // Published alike by who signs and by who verifies, and no secret with it.
    assert_eq!(signer.published(), other.published());
    let published = serde_json::to_value(other.published()).expect("JSON");
    assert_eq!(
        published,
        serde_json::json!({"keys": [{
            "kty": "OKP", "crv": "Ed25519", "x": "RaLRjmytHLewf3IJ1Xx5zxxGxKFgguesx1zXERpkRKs", "kid": "ed", "alg": "EdDSA", "use": "sig",
        }]})
    );
    assert!(tokens().published().keys.is_empty());
}

#[test]
fn a_key_is_used_with_its_own_algorithm_and_id_only() {
    let keys = TokenKeys { public: vec![pem_of("ed", PUBLIC)], ..secrets(&["a", "b"]) };
    let verifier = of(&keys);
    let claims = serde_json::json!({
        "iss": "natter", "aud": "natter", "sub": UserId::fresh(), "sid": SessionId::fresh(),
        "iat": Timestamp::now().0 / 1000, "exp": Timestamp::now().0 / 1000 + 60
    });
    let signed = |algorithm, kid: Option<&str>, secret: &[u8]| {
        let header = Header { kid: kid.map(str::to_owned), ..Header::new(algorithm) };
        let token = encode(&header, &claims, &EncodingKey::from_secret(secret)).expect("signs");
        verifier.verify(&token).map(|_| ())
    };
    let secret = "a".repeat(32);
    assert_eq!(signed(Algorithm::HS256, Some("a"), secret.as_bytes()), Ok(()));
    let x = data(verifier.published());
    for (algorithm, kid, secret) in [
        // The public key, which everyone has, as a secret: as PEM, as its bytes, as its text.
        (Algorithm::HS256, Some("ed"), PUBLIC.as_bytes()),
        (Algorithm::HS256, Some("ed"), x.0.as_slice()),
        (Algorithm::HS256, Some("ed"), x.1.as_bytes()),
        // A key under another's id, an unknown one, and none.
        (Algorithm::HS256, Some("b"), secret.as_bytes()),
        (Algorithm::HS256, Some("c"), secret.as_bytes()),
        (Algorithm::HS256, Some(""), secret.as_bytes()),
        (Algorithm::HS256, None, secret.as_bytes()),
        (Algorithm::HS512, Some("a"), secret.as_bytes()),
    ] {
        assert_eq!(signed(algorithm, kid, secret), Err(Code::Unauthenticated), "{algorithm:?} {kid:?}");
    }
}

/// The published key as bytes and as text.
fn data(published: &JwkSet) -> (Vec<u8>, String) {
    use base64::Engine as _;
    let json = serde_json::to_value(published).expect("JSON");
    let x = json["keys"][0]["x"].as_str().expect("a key").to_owned();
    (base64::engine::general_purpose::URL_SAFE_NO_PAD.decode(&x).expect("base64"), x)
}

#[test]
fn a_file_without_an_ed25519_key_is_refused_by_its_name() {
    let wrong = |keys: TokenKeys| format!("{:#}", Keys::new(&keys).map(|_| ()).expect_err("refused"));
    for pem in [PUBLIC, "no PEM", "", "-----BEGIN PRIVATE KEY-----\nMA==\n-----END PRIVATE KEY-----"] {
        let keys = TokenKeys { private: Some(pem_of("ed", pem)), ..TokenKeys::default() };
        assert!(wrong(keys).starts_with("JWT_PRIVATE_KEY: ed is not an Ed25519 private key"), "{pem}");
    }
    let keys = TokenKeys { public: vec![pem_of("ed", PRIVATE)], ..secrets(&["a"]) };
    assert!(wrong(keys).starts_with("JWT_PUBLIC_KEYS: ed is not an Ed25519 public key"));
    let keys = TokenKeys { public: vec![pem_of("ed", PUBLIC)], ..TokenKeys::default() };
    assert!(wrong(keys).starts_with("no key signs"));
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
    let other = of(&TokenKeys::unnamed(vec![8; 32]));
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

mod fuzz {
    use natter_fuzz::fuzz;

    use super::*;

    #[test]
    fn no_changed_token_verifies() {
        let keys = TokenKeys { public: vec![pem_of("ed", PUBLIC)], ..secrets(&["a", ""]) };
        let (tokens, other) = (of(&keys), of(&private("ed")));
        let samples = [issued(&tokens), issued(&other)].map(String::into_bytes);
        fuzz("tokens", &samples, |bytes| {
            let text = String::from_utf8_lossy(bytes);
            let verified = tokens.verify(&text).is_ok();
            assert_eq!(verified, samples.iter().any(|sample| sample == bytes), "{text}");
            let mut headers = HeaderMap::new();
            let given = axum::http::HeaderValue::from_bytes(bytes).ok();
            headers.extend(given.map(|value| (header::AUTHORIZATION, value)));
            (verified, decode_header(&*text).is_ok(), bearer(&headers).is_some())
        });
    }
}
