use std::{
    sync::atomic::{AtomicBool, Ordering::Relaxed},
    time::{Duration, Instant},
};

use base64::{Engine as _, engine::general_purpose::STANDARD as BASE64};
use futures_util::future::BoxFuture;
use metrics::{counter, histogram};
use natter_runtime::config::{Kms, KmsToken};
use natter_schemas::id::UserId;
use natter_seal::Key;
use reqwest::{Certificate, Client, StatusCode};
use secrecy::ExposeSecret;
use serde::{Deserialize, Serialize, de::DeserializeOwned};
use tracing::{info, warn};
use zeroize::Zeroizing;

use super::roots::{Root, RootError};

/// A call of an edge waits for this one.
const TIMEOUT: Duration = Duration::from_secs(2);

/// A root inside a Vault or `OpenBao`: a key of its transit engine, which never leaves it.
pub struct TransitRoot {
    http: Client,
    /// `https://host:8200/v1/<mount>`
    engine: String,
    key: String,
    token: KmsToken,
    name: String,
    /// The last call failed.
    away: AtomicBool,
}

#[derive(Serialize)]
struct Wrap<'a> {
    plaintext: &'a str,
    associated_data: &'a str,
}

#[derive(Serialize)]
struct Unwrap<'a> {
    ciphertext: &'a str,
    associated_data: String,
}

#[derive(Serialize)]
struct Batch<'a> {
    batch_input: Vec<Unwrap<'a>>,
}

#[derive(Deserialize)]
struct Answer<T> {
    data: T,
}

#[derive(Deserialize)]
struct Wrapped {
    ciphertext: String,
}

#[derive(Deserialize)]
struct Results {
    batch_results: Vec<Opened>,
}

#[derive(Deserialize)]
struct Opened {
    #[serde(default)]
    plaintext: String,
}

impl TransitRoot {
    /// # Errors
    /// When the certificates of its authority cannot be read.
    pub fn new(kms: Kms) -> Result<Self, RootError> {
        let Kms { url, mount, key, token, ca } = kms;
        let mut builder = Client::builder().timeout(TIMEOUT).no_proxy();
        if let Some(ca) = ca {
            let pem = std::fs::read(&ca);
            let pem = pem.map_err(|error| RootError(format!("CHAT_KMS_CA {}: {error}", ca.display())))?;
            builder = builder.tls_certs_only(Certificate::from_pem_bundle(&pem).map_err(unavailable)?);
        }
        let http = builder.build().map_err(unavailable)?;
        let engine = format!("{}/v1/{mount}", url.trim_end_matches('/'));
        let name = format!("transit-{mount}/{key}");
        Ok(Self { http, engine, key, token, name, away: AtomicBool::new(false) })
    }

    async fn token(&self) -> Result<Zeroizing<String>, RootError> {
        match &self.token {
            KmsToken::Fixed(token) => Ok(Zeroizing::new(token.expose_secret().to_owned())),
            KmsToken::File(path) => {
                let read = tokio::fs::read_to_string(path).await.map(Zeroizing::new);
                let text = read.map_err(|error| RootError(format!("{}: {error}", path.display())))?;
                Ok(Zeroizing::new(text.trim().to_owned()))
            }
        }
    }

    async fn call<T: DeserializeOwned>(
        &self,
        what: &'static str,
        body: &impl Serialize,
    ) -> Result<T, RootError> {
        let begun = Instant::now();
        let result = self.ask(what, body).await;
        histogram!("natter_kms_seconds", "call" => what).record(begun.elapsed());
        if result.is_err() {
            counter!("natter_kms_failures_total", "call" => what).increment(1);
        }
        self.note(&result);
        result
    }

    /// Said once for an outage.
    fn note<T>(&self, result: &Result<T, RootError>) {
        let root = self.name.as_str();
        match (self.away.swap(result.is_err(), Relaxed), result) {
            (false, Err(error)) => {
                warn!(root, %error, "the KMS is away: no keys are given out until it answers; edges go on with those they have");
            }
            (true, Ok(_)) => info!(root, "the KMS answers again: keys are given out"),
            _ => {}
        }
    }

    async fn ask<T: DeserializeOwned>(&self, what: &str, body: &impl Serialize) -> Result<T, RootError> {
        let path = format!("{}/{what}/{}", self.engine, self.key);
        let token = self.token().await?;
        let sent = self.http.post(path).header("X-Vault-Token", token.as_str()).json(body).send().await;
        let answer = sent.map_err(unavailable)?;
        let status = answer.status();
        // Of a batch of which one does not open the status is 400, and its results are in the body.
        if !status.is_success() && status != StatusCode::BAD_REQUEST {
            return Err(RootError(format!("{what} of {} was answered {status}", self.name)));
        }
        let body = Zeroizing::new(answer.bytes().await.map_err(unavailable)?.to_vec());
        let answer: Answer<T> = serde_json::from_slice(&body).map_err(|_| {
            RootError(format!("{what} of {} was answered {status} without a result", self.name))
        })?;
        Ok(answer.data)
    }

    async fn open(&self, wrapped: &[(UserId, &[u8])]) -> Result<Vec<Option<Key>>, RootError> {
        let batch_input = wrapped
            .iter()
            .map(|(user, wrapped)| Unwrap {
                ciphertext: std::str::from_utf8(wrapped).unwrap_or_default(),
                associated_data: place(*user),
            })
            .collect();
        let Results { batch_results } = self.call("decrypt", &Batch { batch_input }).await?;
        if batch_results.len() != wrapped.len() {
            return Err(RootError(format!("{} answered with another number of keys", self.name)));
        }
        let key = |opened: Opened| {
            let text = Zeroizing::new(opened.plaintext);
            let bytes = Zeroizing::new(BASE64.decode(text.as_bytes()).ok()?);
            Some(Key::from(<[u8; 32]>::try_from(bytes.as_slice()).ok()?))
        };
        Ok(batch_results.into_iter().map(key).collect())
    }
}

impl Root for TransitRoot {
    fn name(&self) -> &str {
        &self.name
    }

    fn wrap<'a>(&'a self, user: UserId, key: &'a Key) -> BoxFuture<'a, Result<Vec<u8>, RootError>> {
        Box::pin(async move {
            let plaintext = Zeroizing::new(BASE64.encode(key.bytes()));
            let body = Wrap { plaintext: &plaintext, associated_data: &place(user) };
            let Wrapped { ciphertext } = self.call("encrypt", &body).await?;
            Ok(ciphertext.into_bytes())
        })
    }

    fn unwrap<'a>(
        &'a self,
        wrapped: &'a [(UserId, &'a [u8])],
    ) -> BoxFuture<'a, Result<Vec<Option<Key>>, RootError>> {
        Box::pin(self.open(wrapped))
    }
}

/// Without the address: it may have a password in it.
fn unavailable(error: reqwest::Error) -> RootError {
    RootError(error.without_url().to_string())
}

fn place(user: UserId) -> String {
    BASE64.encode([b"natter user key 1".as_slice(), user.as_bytes()].concat())
}
