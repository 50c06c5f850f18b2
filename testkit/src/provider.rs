//! An OpenID Connect provider that errs on demand, in ways that no real one can be brought to. What a real one does is
//! tested with a real one, in front of the web client.

use std::{collections::HashSet, sync::Arc, time::Duration};

use jsonwebtoken::{Algorithm, EncodingKey, Header, encode};
use natter_tls::rustls::ServerConfig;
use parking_lot::Mutex;
use serde_json::{Value, json};
use tokio::{
    io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt},
    net::{TcpListener, TcpStream},
};
use tokio_rustls::TlsAcceptor;

use crate::Authority;

/// Ed25519, PKCS #8 and its public half.
const KEYS: [(&str, &str); 2] = [
    (
        "MC4CAQAwBQYDK2VwBCIEIBfup2qX1OnMaoB1yckGoP1cnUg5DOPlGTzrntw9eruR",
        "RaLRjmytHLewf3IJ1Xx5zxxGxKFgguesx1zXERpkRKs",
    ),
    (
        "MC4CAQAwBQYDK2VwBCIEIJ1hsZ3v/VpguoRK9JLsLMREScVpezJpGXA7rAMcrn9g",
        "11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo",
    ),
];

/// What it does; a test changes what it is about.
#[derive(Clone)]
pub struct Conduct {
    /// Who logs in, in place of what the token has otherwise; null removes.
    pub claims: Value,
    /// What it publishes of itself besides, or in place.
    pub document: Value,
    /// How tokens are signed.
    pub signing: Signing,
    /// Which of two keys it signs with and publishes.
    pub key: usize,
    /// The answer of its token endpoint, in place of a token: status and body.
    pub token: Option<(u16, String)>,
    /// Paths that are never answered.
    pub silent: &'static str,
    /// The profile that it answers with; null: it has no such endpoint.
    pub profile: Value,
}

#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Signing {
    Own,
    /// By the key that it does not publish, under the name of the one that it does.
    Other,
    /// HMAC with the public key, which everyone has.
    Public,
    /// `alg: none`.
    None,
}

pub struct Provider {
    pub issuer: String,
    state: Arc<Mutex<State>>,
}

struct State {
    conduct: Conduct,
    used: HashSet<String>,
    requests: Vec<String>,
}

impl Default for Conduct {
    fn default() -> Self {
        let claims = json!({"preferred_username": "alice", "name": "Alice of Corp", "email": "alice@corp.example", "email_verified": true});
        Self {
            claims,
            document: json!({}),
            signing: Signing::Own,
            key: 0,
            token: None,
            silent: "none",
            profile: Value::Null,
        }
    }
}

impl Provider {
    pub const CLIENT: &str = "natter";

    pub async fn start() -> Self {
        Self::serve(None).await
    }

    /// With a certificate of this CA.
    pub async fn start_with_tls(authority: &Authority) -> Self {
        Self::serve(Some(authority.server("provider"))).await
    }

    async fn serve(tls: Option<ServerConfig>) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let scheme = if tls.is_some() { "https" } else { "http" };
        let issuer = format!("{scheme}://{}", listener.local_addr().unwrap());
        let state = State { conduct: Conduct::default(), used: HashSet::new(), requests: Vec::new() };
        let state = Arc::new(Mutex::new(state));
        let (own, name) = (Arc::clone(&state), issuer.clone());
        let tls = tls.map(|config| TlsAcceptor::from(Arc::new(config)));
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                tokio::spawn(connection(stream, tls.clone(), Arc::clone(&own), name.clone()));
            }
        });
        Self { issuer, state }
    }

    /// From now on it does this.
    pub fn conduct(&self, change: impl FnOnce(&mut Conduct)) {
        let mut conduct = Conduct::default();
        change(&mut conduct);
        self.state.lock().conduct = conduct;
    }

    /// Paths that were asked for, in order.
    pub fn requests(&self) -> Vec<String> {
        self.state.lock().requests.clone()
    }

    /// What it would give a browser that logs in at this address of its own; the subject is `who`.
    pub fn code(authorization: &reqwest::Url, who: &str) -> String {
        let of = |name: &str| query(authorization, name);
        [who, &of("nonce"), &of("code_challenge")].join("~")
    }
}

/// A parameter of an address.
pub fn query(url: &reqwest::Url, name: &str) -> String {
    let found = url.query_pairs().find(|(key, _)| key == name);
    found.map(|(_, value)| value.into_owned()).unwrap_or_default()
}

async fn connection(stream: TcpStream, tls: Option<TlsAcceptor>, state: Arc<Mutex<State>>, issuer: String) {
    match tls {
        None => answer(stream, &state, &issuer).await,
        Some(tls) => {
            if let Ok(stream) = tls.accept(stream).await {
                answer(stream, &state, &issuer).await;
            }
        }
    }
}

/// One request and its answer.
async fn answer<S: AsyncRead + AsyncWrite + Unpin>(mut stream: S, state: &Mutex<State>, issuer: &str) {
    let Some((path, body)) = request(&mut stream).await else { return };
    let conduct = {
        let mut state = state.lock();
        state.requests.push(path.clone());
        state.conduct.clone()
    };
    if path.contains(conduct.silent) {
        tokio::time::sleep(Duration::from_hours(1)).await;
    }
    let (status, body) = match path.as_str() {
        "/.well-known/openid-configuration" => (200, document(issuer, &conduct).to_string()),
        "/keys" => (200, keys(&conduct).to_string()),
        "/token" => token(&body, issuer, &conduct, state),
        "/profile" => (200, conduct.profile.to_string()),
        _ => (404, "{}".to_owned()),
    };
    let location = if status == 302 { format!("Location: {issuer}/keys\r\n") } else { String::new() };
    let head = format!(
        "HTTP/1.1 {status} x\r\nContent-Type: application/json\r\nConnection: close\r\n{location}Content-Length: {}\r\n\r\n",
        body.len()
    );
    // Whoever asked may have gone.
    let _ = stream.write_all(head.as_bytes()).await;
    let _ = stream.write_all(body.as_bytes()).await;
    let _ = stream.shutdown().await;
}

/// Its path and body.
async fn request<S: AsyncRead + Unpin>(stream: &mut S) -> Option<(String, String)> {
    let (mut text, mut part) = (String::new(), [0; 4096]);
    loop {
        let read = stream.read(&mut part).await.ok().filter(|read| *read > 0)?;
        text.push_str(std::str::from_utf8(&part[..read]).ok()?);
        let Some((head, body)) = text.split_once("\r\n\r\n") else { continue };
        let length = head.lines().find_map(|line| {
            let (name, value) = line.split_once(':')?;
            name.eq_ignore_ascii_case("content-length").then(|| value.trim().parse::<usize>().ok())?
        });
        if body.len() >= length.unwrap_or(0) {
            return Some((head.split(' ').nth(1)?.to_owned(), body.to_owned()));
        }
    }
}

fn document(issuer: &str, conduct: &Conduct) -> Value {
    let at = |path: &str| format!("{issuer}{path}");
    let own = json!({
        "issuer": issuer, "authorization_endpoint": at("/log-in?theme=dark"), "token_endpoint": at("/token"),
        "jwks_uri": at("/keys"), "userinfo_endpoint": (!conduct.profile.is_null()).then(|| at("/profile")),
        "authorization_response_iss_parameter_supported": true,
    });
    with(own, &conduct.document)
}

fn keys(conduct: &Conduct) -> Value {
    let key = json!({"kty": "OKP", "crv": "Ed25519", "x": KEYS[conduct.key].1, "kid": conduct.key.to_string(), "use": "sig"});
    json!({"keys": [{"kty": "oct", "k": "c2VjcmV0"}, key]})
}

/// The fields of one object with those of another; null removes.
fn with(own: Value, other: &Value) -> Value {
    let (Value::Object(mut own), Value::Object(other)) = (own, other.clone()) else { panic!("objects") };
    own.extend(other);
    own.retain(|_, value| !value.is_null());
    Value::Object(own)
}

fn token(form: &str, issuer: &str, conduct: &Conduct, state: &Mutex<State>) -> (u16, String) {
    if let Some((status, body)) = &conduct.token {
        return (*status, body.clone());
    }
    let form = reqwest::Url::parse(&format!("form:?{form}")).unwrap();
    let code = query(&form, "code");
    let parts: Vec<&str> = code.split('~').collect();
    let [who, nonce, challenge] = parts[..] else {
        return (400, json!({"error": "invalid_grant"}).to_string());
    };
    let proved = s256(&query(&form, "code_verifier")) == challenge;
    if !proved || !state.lock().used.insert(code.clone()) {
        return (400, json!({"error": "invalid_grant"}).to_string());
    }
    let now = natter_schemas::event::Timestamp::now().0 / 1000;
    let claims = json!({
        "iss": issuer, "aud": Provider::CLIENT, "sub": who, "nonce": nonce, "iat": now, "exp": now + 60,
    });
    let claims = with(claims, &conduct.claims);
    let answer =
        json!({"access_token": "s3cret", "token_type": "Bearer", "id_token": signed(conduct, &claims)});
    (200, answer.to_string())
}

fn signed(conduct: &Conduct, claims: &Value) -> String {
    let kid = Some(conduct.key.to_string());
    let own = |key: usize| EncodingKey::from_ed_pem(pem(KEYS[key].0).as_bytes()).unwrap();
    let ed = Header { kid: kid.clone(), ..Header::new(Algorithm::EdDSA) };
    match conduct.signing {
        Signing::Own => encode(&ed, claims, &own(conduct.key)).unwrap(),
        Signing::Other => encode(&ed, claims, &own(1 - conduct.key)).unwrap(),
        Signing::Public => {
            let header = Header { kid, ..Header::new(Algorithm::HS256) };
            encode(&header, claims, &EncodingKey::from_secret(KEYS[conduct.key].1.as_bytes())).unwrap()
        }
        Signing::None => {
            let token = encode(&ed, claims, &own(conduct.key)).unwrap();
            let body = token.split('.').nth(1).unwrap().to_owned();
            // {"alg":"none","typ":"JWT"}
            format!("eyJhbGciOiJub25lIiwidHlwIjoiSldUIn0.{body}.")
        }
    }
}

fn pem(key: &str) -> String {
    format!("-----BEGIN PRIVATE KEY-----\n{key}\n-----END PRIVATE KEY-----\n")
}

/// RFC 7636 §4.2.
fn s256(verifier: &str) -> String {
    use base64::Engine as _;
    use sha2::Digest as _;
    base64::prelude::BASE64_URL_SAFE_NO_PAD.encode(sha2::Sha256::digest(verifier))
}
