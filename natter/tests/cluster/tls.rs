//! A deployment in which nothing is sent without encryption.

use std::process::Command;

use natter_testkit::{Authority, Cluster, Folder, NatsProcess, Redis, Socket, User};
use natter_tls::KeyPair;
use serde_json::json;
use tokio_tungstenite::MaybeTlsStream;

use crate::NATTER;

/// NATS and Redis that want certificates of their clients.
struct Servers {
    nats: NatsProcess,
    redis: Redis,
    client: KeyPair,
    authority: Authority,
    // Dropped after the processes, which write into it.
    _folder: Folder,
}

impl Servers {
    async fn start() -> Self {
        let (authority, folder) = (Authority::new(), Folder::new());
        let (server, client) = (authority.issue("server"), authority.issue("client"));
        let configure = |command: &mut Command| {
            command.args(["-js", "-a", "127.0.0.1", "-p", "-1", "-sd"]).arg(folder.file("nats"));
            command
                .arg("--tlsverify")
                .arg("--tlscert")
                .arg(&server.certificate)
                .arg("--tlskey")
                .arg(&server.key);
            command.arg("--tlscacert").arg(authority.ca());
        };
        let nats = NatsProcess::start(&folder, configure).await;
        let redis = Redis::start_with_tls(&authority, server).await;
        Self { nats, redis, client, authority, _folder: folder }
    }

    fn settings(&self) -> Vec<(&'static str, String)> {
        let path = |path: &std::path::Path| path.display().to_string();
        let (ca, certificate, key) =
            (path(&self.authority.ca()), path(&self.client.certificate), path(&self.client.key));
        vec![
            ("NATS_URL", format!("tls://{}", self.nats.address)),
            ("NATS_CA", ca.clone()),
            ("NATS_CERT", certificate.clone()),
            ("NATS_KEY", key.clone()),
            ("REDIS_URL", self.redis.url()),
            ("REDIS_CA", ca),
            ("REDIS_CERT", certificate.clone()),
            ("REDIS_KEY", key.clone()),
            ("TLS_CERT", certificate),
            ("TLS_KEY", key),
        ]
    }
}

#[tokio::test]
async fn a_deployment_works_with_tls_on_every_connection() {
    let servers = Servers::start().await;
    let mut cluster = Cluster::bare(NATTER).await;
    let settings = servers.settings();
    let settings: Vec<_> = settings.iter().map(|(name, value)| (*name, value.as_str())).collect();

    // Whom it does not trust it does not speak to, and says so.
    let stranger = Authority::new();
    let stranger_ca = stranger.ca().display().to_string();
    for (role, name, sentence) in [
        ("migrate", "NATS_CA", "invalid peer certificate: UnknownIssuer"),
        ("worker", "REDIS_CA", "invalid peer certificate: UnknownIssuer"),
        ("edge", "TLS_KEY", "cannot be used"),
    ] {
        if role == "worker" {
            let migrated = cluster.run(&["migrate"], &settings);
            assert!(migrated.status.success(), "{migrated:?}");
        }
        let refused = cluster.run(&[role], &[&settings[..], &[(name, &stranger_ca)]].concat());
        let said = String::from_utf8_lossy(&refused.stderr);
        assert!(refused.status.code() == Some(1) && said.contains(sentence), "{role}: {said}");
    }

    let worker = cluster.spawn("worker", &settings);
    worker.wait_for_event("worker is ready").await;
    let edge = cluster.spawn("edge", &settings);
    let ready = edge.wait_for_event("edge is ready").await;
    let address = format!("https://{}", ready["address"].as_str().unwrap());
    let (http, authority) = (servers.authority.http(), &servers.authority);
    let alice = User::register_over(http, &address, "alice").await;
    let bob = User::register_over(servers.authority.http(), &address, "bob").await;
    let room = alice.group(&[&bob]).await;
    let hello = json!({"type": "hello", "token": alice.token});
    let stream = MaybeTlsStream::Rustls(authority.connect(&address).await.unwrap());
    let mut socket = Socket::hello_over(stream, &address, &hello).await;
    let seqs = socket.flood(&room, 10, "hello").await;
    socket.wait_for_seq(&room, *seqs.last().unwrap()).await;
}
