//! Tokens that no one issued: over HTTP and on sockets, of a deployment with an Ed25519 key and an older secret.

use data_encoding::{BASE64, BASE64URL_NOPAD};
use jsonwebtoken::{Algorithm, EncodingKey, crypto::sign};
use serde_json::{Value, json};

use natter_testkit::{DevServer, Folder, Received, Socket, User};

use crate::NATTER;

/// The PKCS #8 form of a key that is in no deployment.
const PRIVATE: &str = "-----BEGIN PRIVATE KEY-----
MC4CAQAwBQYDK2VwBCIEIBfup2qX1OnMaoB1yckGoP1cnUg5DOPlGTzrntw9eruR
-----END PRIVATE KEY-----
";
const OTHER_PRIVATE: &str = "-----BEGIN PRIVATE KEY-----
MC4CAQAwBQYDK2VwBCIEIAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8g
-----END PRIVATE KEY-----
";
const PUBLIC: &str = "-----BEGIN PUBLIC KEY-----
MCowBQYDK2VwAyEARaLRjmytHLewf3IJ1Xx5zxxGxKFgguesx1zXERpkRKs=
-----END PUBLIC KEY-----
";
const SECRET: &str = "0123456789abcdef0123456789abcdef";

fn encoded(text: &str) -> String {
    BASE64URL_NOPAD.encode(text.as_bytes())
}

/// Signed, whatever header and claims say.
fn signed(header: &Value, claims: &str, key: &EncodingKey, algorithm: Algorithm) -> String {
    let message = format!("{}.{}", encoded(&header.to_string()), encoded(claims));
    let signature = sign(message.as_bytes(), key, algorithm).unwrap();
    format!("{message}.{signature}")
}

/// What the program's own keys would sign.
struct Forger {
    claims: Value,
    ed: EncodingKey,
}

impl Forger {
    fn of(token: &str) -> Self {
        let claims = BASE64URL_NOPAD.decode(token.split('.').nth(1).unwrap().as_bytes()).unwrap();
        Self {
            claims: serde_json::from_slice(&claims).unwrap(),
            ed: EncodingKey::from_ed_pem(PRIVATE.as_bytes()).unwrap(),
        }
    }

    /// With a header of one's own.
    fn header(&self, header: &Value) -> String {
        signed(header, &self.claims.to_string(), &self.ed, Algorithm::EdDSA)
    }

    /// By the older secret, under this id.
    fn hmac(&self, kid: &Value, secret: &[u8]) -> String {
        let header = json!({"typ": "JWT", "alg": "HS256", "kid": kid});
        let key = EncodingKey::from_secret(secret);
        signed(&header, &self.claims.to_string(), &key, Algorithm::HS256)
    }

    /// With claims of one's own, signed as the program does.
    fn claims(&self, text: &str) -> String {
        signed(&json!({"typ": "JWT", "alg": "EdDSA", "kid": "ed"}), text, &self.ed, Algorithm::EdDSA)
    }

    /// With one other claim; `null` leaves it out.
    fn claim(&self, name: &str, value: Value) -> String {
        let mut claims = self.claims.clone();
        if value.is_null() {
            claims.as_object_mut().unwrap().remove(name);
        } else {
            claims[name] = value;
        }
        self.claims(&claims.to_string())
    }

    fn now(&self) -> i64 {
        self.claims["iat"].as_i64().unwrap()
    }
}

/// Headers that name another key, another algorithm, or a place to get the key from.
fn headers(forger: &Forger) -> Vec<(&'static str, String)> {
    let unsigned = |alg: &str| {
        format!(
            "{}.{}.",
            encoded(&json!({"typ": "JWT", "alg": alg}).to_string()),
            encoded(&forger.claims.to_string())
        )
    };
    let point = BASE64.decode(PUBLIC.lines().nth(1).unwrap().as_bytes()).unwrap()[12..].to_vec();
    let ed = |more: Value| {
        let mut header = json!({"typ": "JWT", "alg": "EdDSA", "kid": "ed"});
        header.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        forger.header(&header)
    };
    let jwk = json!({"kty": "OKP", "crv": "Ed25519", "x": BASE64URL_NOPAD.encode(&[7; 32])});
    vec![
        ("alg none", unsigned("none")),
        ("alg None", unsigned("None")),
        ("alg NONE and a signature", unsigned("NONE") + "AAAA"),
        ("no alg", forger.header(&json!({"typ": "JWT", "kid": "ed"}))),
        ("the public key's PEM as the secret", forger.hmac(&json!("ed"), PUBLIC.as_bytes())),
        ("the public key's bytes as the secret", forger.hmac(&json!("ed"), &point)),
        (
            "the public key's text as the secret",
            forger.hmac(&json!("ed"), BASE64URL_NOPAD.encode(&point).as_bytes()),
        ),
        ("the secret under the key's id", forger.hmac(&json!("ed"), SECRET.as_bytes())),
        ("an empty secret", forger.hmac(&json!("old"), b"")),
        ("an unknown kid", ed(json!({"kid": "new"}))),
        ("a kid in capitals", ed(json!({"kid": "ED"}))),
        ("no kid", forger.header(&json!({"typ": "JWT", "alg": "EdDSA"}))),
        ("a kid that is a path", ed(json!({"kid": "../../../../dev/null"}))),
        ("a kid that is a query", ed(json!({"kid": "' OR 1=1 --"}))),
        ("a kid that is no text", ed(json!({"kid": ["ed"]}))),
        ("the key of another kid", forger.hmac(&json!("older"), SECRET.as_bytes())),
        ("another type", ed(json!({"typ": "at+jwt"}))),
        ("no type", forger.header(&json!({"alg": "EdDSA", "kid": "ed"}))),
        ("an extension that must be understood", ed(json!({"crit": ["exp"]}))),
        ("a key of its own", {
            let header =
                json!({"typ": "JWT", "alg": "EdDSA", "kid": "ed", "jwk": jwk, "jku": "http://127.0.0.1/"});
            let other = EncodingKey::from_ed_pem(OTHER_PRIVATE.as_bytes()).unwrap();
            signed(&header, &forger.claims.to_string(), &other, Algorithm::EdDSA)
        }),
    ]
}

/// Claims that the program never makes, signed by its own key.
fn claims(forger: &Forger) -> Vec<(&'static str, String)> {
    let now = forger.now();
    let twice = |name: &str, value: &str| {
        let text = forger.claims.to_string();
        forger.claims(&format!("{{\"{name}\":{value},{}", &text[1..]))
    };
    vec![
        ("another audience", forger.claim("aud", json!("other"))),
        ("no audience", forger.claim("aud", Value::Null)),
        ("another issuer", forger.claim("iss", json!("other"))),
        ("no subject", forger.claim("sub", Value::Null)),
        ("a subject that is no id", forger.claim("sub", json!("admin"))),
        ("no session", forger.claim("sid", Value::Null)),
        ("no end", forger.claim("exp", Value::Null)),
        ("an end that is text", forger.claim("exp", json!("never"))),
        ("issued in an hour", forger.claim("iat", json!(now + 3_600))),
        ("not before the next minute", forger.claim("nbf", json!(now + 60))),
        ("a subject twice", twice("sub", "\"01890000-0000-7000-8000-000000000000\"")),
        ("an end twice", twice("exp", "9999999999")),
        ("claims that are no object", forger.claims("[]")),
        ("claims that are no JSON", forger.claims("{")),
    ]
}

/// What is no token of three parts that belong together.
fn shapes(forger: &Forger, user: &User) -> Vec<(&'static str, String)> {
    let token = &user.token;
    let (signed, signature) = token.rsplit_once('.').unwrap();
    let mut changed = signature.to_owned();
    changed.replace_range(5..6, if &signature[5..6] == "A" { "B" } else { "A" });
    let padded = format!("{token}==");
    let mut claims = forger.claims.clone();
    claims["x"] = json!("x".repeat(60_000));
    vec![
        ("no signature", signed.to_owned()),
        ("an empty signature", format!("{signed}.")),
        ("a changed signature", format!("{signed}.{changed}")),
        ("a shorter signature", token[..token.len() - 8].to_owned()),
        ("padding", padded),
        ("a fourth part", format!("{token}.{signature}")),
        ("the refresh token", user.refresh_token.clone()),
        ("60 KiB of claims", forger.claims(&claims.to_string())),
        ("60 KiB of dots", ".".repeat(60_000)),
        ("text that is not base64", "ä.ö.ü".to_owned()),
    ]
}

/// What is refused over HTTP and on a socket, as its first frame and later.
async fn is_refused(user: &User, what: &str, token: &str, code: &str) {
    if token.is_ascii() && token.len() < 16 * 1024 {
        let answer = user.with_token(token.to_owned()).get("/api/me").await;
        assert_eq!(answer.code(), (401, code), "{what}");
    }
    let mut socket = Socket::open(user.address()).await;
    socket.send_frame(&json!({"type": "hello", "token": token})).await;
    let mut heard = Vec::new();
    let closed = loop {
        match socket.next().await {
            Received::Frame(frame) => heard.push(frame["code"].clone()),
            Received::Closed(code) => break code,
        }
    };
    let expected = if token.len() > 60_000 { 1009 } else { 4001 };
    assert!(closed == expected || heard == [json!(code)] && closed == 4001, "{what}: {heard:?}, {closed}");
}

#[tokio::test]
async fn no_forged_token_is_taken_by_http_or_a_socket() {
    let folder = Folder::new();
    let path = folder.file("private.pem");
    std::fs::write(&path, PRIVATE).unwrap();
    let key: &'static str = format!("ed:{}", path.display()).leak();
    let settings = [
        ("JWT_PRIVATE_KEY", key),
        ("JWT_SECRETS", "old:0123456789abcdef0123456789abcdef,older:fedcba9876543210fedcba9876543210"),
    ];
    let natter = DevServer::start(NATTER, &settings).await;
    let alice = User::register_as(&natter.http, "alice").await;
    let forger = Forger::of(&alice.token);
    // The forger knows the keys: what it signs as the program does is taken, so what is refused is so for one reason.
    for (what, good) in [
        ("by the key", forger.claims(&forger.claims.to_string())),
        ("by the older secret", forger.hmac(&json!("old"), SECRET.as_bytes())),
    ] {
        assert_eq!(alice.with_token(good).get("/api/me").await.status, 200, "{what}");
    }
    for (what, token) in headers(&forger).iter().chain(&claims(&forger)).chain(&shapes(&forger, &alice)) {
        is_refused(&alice, what, token, "unauthenticated").await;
    }
    let mut expired = forger.claims.clone();
    expired["iat"] = json!(forger.now() - 3_600);
    expired["exp"] = json!(forger.now() - 60);
    is_refused(&alice, "expired", &forger.claims(&expired.to_string()), "token_expired").await;
    alice.get("/api/me").await.ok(200);
}
