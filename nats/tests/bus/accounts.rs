//! A server with the users of a cluster, and a client that learns what it is refused.

use std::{collections::BTreeSet, fs, process::Command};

use natter_nats::{
    async_nats::Client,
    connect::{Address, Purpose, connect},
};
use natter_testkit::{Folder, NatsProcess};
use tokio::{
    io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader},
    net::TcpStream,
};

const ACCOUNTS: &str = include_str!("../../server/accounts.conf");
pub const SECRETS: [&str; 6] = [
    "NATTER_SERVER_NAME",
    "NATTER_ROUTE_PASSWORD",
    "NATTER_EDGE_PASSWORD",
    "NATTER_WORKER_PASSWORD",
    "NATTER_PROVISION_PASSWORD",
    "NATTER_SYS_PASSWORD",
];

/// One server with the accounts of the cluster.
pub struct Accounts {
    server: NatsProcess,
    // Dropped after the process, which writes into it.
    _folder: Folder,
}

impl Accounts {
    pub async fn start() -> Self {
        let folder = Folder::new();
        let dir = folder.path().display();
        let config = format!(
            "listen: \"127.0.0.1:-1\"\nmax_payload: 8MB\n\
             jetstream {{ store_dir: \"{dir}/js\", max_file_store: 10GB }}\n{ACCOUNTS}"
        );
        let path = folder.file("nats.conf");
        fs::write(&path, config).unwrap();
        let configure = |command: &mut Command| {
            command.arg("-c").arg(path).envs(SECRETS.map(|name| (name, "secret")));
        };
        let server = NatsProcess::start(&folder, configure).await;
        Self { server, _folder: folder }
    }

    pub async fn client(&self, user: &str) -> Client {
        let url = format!("nats://{user}:secret@{}", self.server.address);
        connect(&Address::new(url), Purpose::Work).await.unwrap()
    }

    pub async fn wire(&self, user: &str) -> Wire {
        Wire::connect(&self.server.address, user).await
    }
}

/// A connection without a client library: the server reports each refusal before the pong that follows it, so nothing
/// is waited for.
pub struct Wire {
    stream: BufReader<TcpStream>,
    subscriptions: usize,
}

impl Wire {
    async fn connect(address: &str, user: &str) -> Self {
        let mut stream = BufReader::new(TcpStream::connect(address).await.unwrap());
        let mut info = String::new();
        stream.read_line(&mut info).await.unwrap();
        let options = format!(
            "CONNECT {{\"user\":\"{user}\",\"pass\":\"secret\",\"verbose\":false,\"pedantic\":false,\"protocol\":1,\
             \"headers\":true,\"no_responders\":true}}\r\n"
        );
        let mut wire = Self { stream, subscriptions: 0 };
        wire.stream.write_all(options.as_bytes()).await.unwrap();
        assert_eq!(wire.refusals().await, BTreeSet::new(), "{user} may connect");
        wire
    }

    /// Those of these subjects that it may not publish to.
    pub async fn refused_publishes<'a>(
        &mut self,
        subjects: impl IntoIterator<Item = &'a str>,
    ) -> BTreeSet<String> {
        for subject in subjects {
            self.publish(subject, "", b"").await;
        }
        self.refusals().await
    }

    /// Those of these subjects that it may not subscribe to.
    pub async fn refused_subscriptions<'a>(
        &mut self,
        subjects: impl IntoIterator<Item = &'a str>,
        queue: &str,
    ) -> BTreeSet<String> {
        for subject in subjects {
            self.subscriptions += 1;
            let line = format!("SUB {subject} {queue} {}\r\n", self.subscriptions);
            self.stream.write_all(line.as_bytes()).await.unwrap();
        }
        self.refusals().await
    }

    /// One message; `reply` may be empty.
    pub async fn publish(&mut self, subject: &str, reply: &str, payload: &[u8]) {
        let line = format!("PUB {subject} {reply} {}\r\n", payload.len());
        self.stream.write_all(line.as_bytes()).await.unwrap();
        self.stream.write_all(payload).await.unwrap();
        self.stream.write_all(b"\r\n").await.unwrap();
    }

    /// Everything refused since the last call.
    pub async fn refusals(&mut self) -> BTreeSet<String> {
        self.stream.write_all(b"PING\r\n").await.unwrap();
        let mut refused = BTreeSet::new();
        loop {
            let mut line = String::new();
            assert!(self.stream.read_line(&mut line).await.unwrap() > 0, "the server ended the connection");
            let line = line.trim_end();
            if line == "PONG" {
                return refused;
            }
            if let Some(error) = line.strip_prefix("-ERR ") {
                assert!(error.starts_with("'Permissions Violation for "), "{error}");
                refused.insert(error.split('"').nth(1).unwrap().to_owned());
            } else if line == "PING" {
                self.stream.write_all(b"PONG\r\n").await.unwrap();
            } else if line.starts_with("MSG ") || line.starts_with("HMSG ") {
                let length: u64 = line.rsplit(' ').next().unwrap().parse().unwrap();
                let mut body = Vec::new();
                (&mut self.stream).take(length + 2).read_to_end(&mut body).await.unwrap();
            }
        }
    }
}
