//! A real nats-server for tests, each with a folder and a port of its own.

use std::{fs, process::Command};

use natter_nats::{
    apply::{self, Deployment},
    async_nats::{Client, jetstream},
    connect::{Address, Purpose, connect},
    server::{self, Options, Server},
    topology::Topology,
};
use nix::{
    sys::signal::{Signal, kill},
    unistd::Pid,
};
use serde_json::Value;
use tempfile::TempDir;

use crate::{Folder, Process, until};

const STORE_BYTES: u64 = 64 * 1024 * 1024 * 1024;

/// A nats-server of its own; it ends with the value.
pub struct TestServer {
    server: Server,
    // Dropped after the server, which writes into it.
    folder: TempDir,
}

impl TestServer {
    /// Without an fsync before acks: a power cut is not what tests are about.
    pub async fn start() -> Self {
        Self::with_sync(false).await
    }

    /// fsync before every ack, as in the *durable* profile.
    pub async fn durable() -> Self {
        Self::with_sync(true).await
    }

    async fn with_sync(always_sync: bool) -> Self {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let server = start(&folder, always_sync).await;
        Self { server, folder }
    }

    /// Removed when the server ends.
    pub fn folder(&self) -> &std::path::Path {
        self.folder.path()
    }

    /// With user and password.
    pub fn url(&self) -> &str {
        self.server.url()
    }

    /// `None` while it is started again.
    pub fn pid(&self) -> Option<u32> {
        self.server.pid()
    }

    /// For `connect`.
    pub fn address(&self) -> Address {
        Address::new(self.url().to_owned())
    }

    /// A new connection.
    pub async fn client(&self, purpose: Purpose) -> Client {
        connect(&self.address(), purpose).await.expect("the test server takes connections")
    }

    /// JetStream over a new connection.
    pub async fn js(&self) -> jetstream::Context {
        jetstream::new(self.client(Purpose::Provision).await)
    }

    /// Makes the topology with so many partitions on a server without history.
    pub async fn provision(&self, partitions: u16) -> Deployment {
        let (deployment, _) =
            apply::apply(&self.js().await, &small(partitions), &[]).await.expect("the topology is applied");
        deployment
    }

    /// Kills the server without a warning and returns at once; its supervisor starts it again on the same port.
    pub fn kill9(&self) {
        self.signal(Signal::SIGKILL);
    }

    /// Kills the server and waits until another one takes connections in its place.
    pub async fn restart(&self) {
        let before = self.pid();
        self.kill9();
        until("nats-server is started again", async || self.pid().is_some() && self.pid() != before).await;
        self.client(Purpose::Provision).await;
    }

    /// Holds the server still: connections stay open and nothing answers, as in a network that swallows packets.
    pub fn pause(&self) {
        self.signal(Signal::SIGSTOP);
        // The signal only begins it: until every thread stands, an answer may still come.
        #[cfg(target_os = "linux")]
        {
            use nix::sys::wait::{Id, WaitPidFlag, waitid};
            let stopped = WaitPidFlag::WSTOPPED | WaitPidFlag::WNOWAIT;
            waitid(Id::Pid(self.child()), stopped).expect("it is our child");
        }
    }

    /// Ends a [`pause`](Self::pause).
    pub fn resume(&self) {
        self.signal(Signal::SIGCONT);
    }

    fn signal(&self, signal: Signal) {
        kill(self.child(), signal).expect("it is ours");
    }

    fn child(&self) -> Pid {
        self.pid().and_then(|pid| i32::try_from(pid).ok()).map(Pid::from_raw).expect("it runs")
    }
}

/// A topology whose logs hold 64 MiB each.
pub fn small(partitions: u16) -> Topology {
    Topology { partitions, replicas: 1, log_max_bytes: 64 * 1024 * 1024 }
}

async fn start(folder: &TempDir, always_sync: bool) -> Server {
    let binary = server::find().expect("a nats-server to test with");
    let data_dir = folder.path().join("nats");
    let options = Options { binary, data_dir, always_sync, max_store_bytes: STORE_BYTES };
    Server::start(options).await.unwrap_or_else(|error| panic!("{error}"))
}

/// A nats-server with a configuration of the test's own; nothing starts it again.
pub struct NatsProcess {
    pub process: Process,
    /// `host:port`
    pub address: String,
}

impl NatsProcess {
    /// With these arguments and environment, which must let it choose a port.
    pub async fn start(folder: &Folder, configure: impl FnOnce(&mut Command)) -> Self {
        let mut command = Command::new(server::find().expect("a nats-server to test with (make deps)"));
        configure(&mut command);
        command.arg("--ports_file_dir").arg(folder.path());
        let process = Process::start(command, &folder.file("nats.log"));
        let ports = folder.file(&format!("nats-server_{}.ports", process.pid()));
        let mut address = String::new();
        until("nats-server writes which port it has", async || {
            assert!(!process.has_ended(), "nats-server ended: {}", process.log());
            let ports: Value =
                serde_json::from_slice(&fs::read(&ports).unwrap_or_default()).unwrap_or_default();
            let url = ports["nats"][0].as_str().unwrap_or_default();
            url.rsplit("//").next().unwrap_or_default().clone_into(&mut address);
            !address.is_empty()
        })
        .await;
        Self { process, address }
    }
}
