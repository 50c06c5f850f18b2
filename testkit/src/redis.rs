//! A real redis-server.

use std::process::Command;

use natter_tls::{ClientPem, ClientTls, KeyPair};
use redis::{ClientTlsConfig, FromRedisValue, RedisResult, TlsCertificates};

use crate::{Authority, Folder, Process, START_ATTEMPTS, free_port, until_some};

/// A redis-server with a folder and a port of its own.
pub struct Redis {
    port: u16,
    process: Process,
    // Dropped after the process, which writes into it.
    folder: Folder,
    persistent: bool,
    tls: Option<Tls>,
}

/// It takes encrypted connections only.
#[derive(Clone)]
struct Tls {
    server: KeyPair,
    /// What it asks of clients, and shows its own tools.
    client: ClientTls,
}

impl Redis {
    /// Empty again after a restart.
    pub async fn start() -> Self {
        Self::with(false, None).await
    }

    /// A restart finds what was there before.
    pub async fn start_persistent() -> Self {
        Self::with(true, None).await
    }

    /// Shows this certificate, and lets in only who shows one of the same CA.
    pub async fn start_with_tls(authority: &Authority, server: KeyPair) -> Self {
        let client = ClientTls { ca: Some(authority.ca()), pair: Some(authority.issue("redis-client")) };
        Self::with(false, Some(Tls { server, client })).await
    }

    async fn with(persistent: bool, tls: Option<Tls>) -> Self {
        let mut last = String::new();
        for _ in 0..START_ATTEMPTS {
            // Another process may take the port in between: then this server ends, and another port is tried.
            let (port, folder) = (free_port(), Folder::new());
            let process = spawn(port, &folder, persistent, tls.as_ref());
            let server = Self { port, process, folder, persistent, tls: tls.clone() };
            if server.is_up().await {
                return server;
            }
            last = server.process.log();
        }
        panic!("redis-server did not start in {START_ATTEMPTS} attempts:\n{last}")
    }

    /// `host:port`
    pub fn address(&self) -> String {
        format!("127.0.0.1:{}", self.port)
    }

    pub fn url(&self) -> String {
        let scheme = if self.tls.is_some() { "rediss" } else { "redis" };
        format!("{scheme}://{}", self.address())
    }

    /// A command from outside Natter.
    ///
    /// # Errors
    /// When it cannot be reached or refuses the command.
    pub async fn run<T: FromRedisValue>(&self, command: &[&str]) -> RedisResult<T> {
        let client = match &self.tls {
            None => redis::Client::open(self.url())?,
            // The certificate may be one that has to be refused: then it is not asked at all.
            Some(tls) => redis::Client::build_with_tls(self.url(), certificates(&tls.client))?,
        };
        let mut connection = client.get_multiplexed_async_connection().await?;
        let mut cmd = redis::cmd(command[0]);
        cmd.arg(&command[1..]);
        cmd.query_async(&mut connection).await
    }

    /// kill -9 if it still runs, then a new one on the same port.
    pub async fn restart(&mut self) {
        self.kill();
        self.process = spawn(self.port, &self.folder, self.persistent, self.tls.as_ref());
        assert!(self.is_up().await, "redis-server did not come back on its port: {}", self.process.log());
    }

    /// kill -9; returns when it is gone.
    pub fn kill(&self) {
        self.process.kill();
    }

    /// Connections stay open and nothing answers.
    pub fn pause(&self) {
        self.process.pause();
    }

    pub fn resume(&self) {
        self.process.resume();
    }

    /// False when the process has ended instead.
    async fn is_up(&self) -> bool {
        let pid = format!("process_id:{}", self.process.pid());
        until_some("redis-server starts or ends", async || {
            if self.process.has_ended() {
                return Some(false);
            }
            // Another server may hold the port: only our own counts.
            let info: String = self.run(&["INFO", "server"]).await.ok()?;
            info.lines().any(|line| line == pid).then_some(true)
        })
        .await
    }
}

fn certificates(tls: &ClientTls) -> TlsCertificates {
    natter_tls::use_ring();
    let ClientPem { ca: root_cert, pair } = tls.pem().unwrap();
    let client_tls = pair.map(|(client_cert, client_key)| ClientTlsConfig { client_cert, client_key });
    TlsCertificates { client_tls, root_cert }
}

fn spawn(port: u16, folder: &Folder, persistent: bool, tls: Option<&Tls>) -> Process {
    let mut command = Command::new("redis-server");
    command
        .args([
            if tls.is_some() { "--tls-port" } else { "--port" },
            &port.to_string(),
            "--bind",
            "127.0.0.1",
            "--save",
            "",
            "--dir",
        ])
        .arg(folder.path())
        .args(["--appendonly", if persistent { "yes" } else { "no" }, "--appendfsync", "always"]);
    if let Some(Tls { server, client }) = tls {
        command
            .args(["--port", "0", "--tls-auth-clients", "yes", "--tls-cert-file"])
            .arg(&server.certificate);
        command.arg("--tls-key-file").arg(&server.key);
        command.arg("--tls-ca-cert-file").arg(client.ca.as_ref().expect("it has one"));
    }
    Process::start(command, &folder.file("log"))
}
