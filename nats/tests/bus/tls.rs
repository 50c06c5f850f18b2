//! A nats-server that speaks TLS only, and wants to know its clients.

use std::{path::PathBuf, process::Command, time::Instant};

use natter_nats::connect::{Address, ConnectError, Purpose, connect, round_trip};
use natter_testkit::{Authority, Folder, NatsProcess};
use natter_tls::{ClientTls, KeyPair};

struct Server {
    authority: Authority,
    nats: NatsProcess,
    // Dropped after the process, which writes into it.
    _folder: Folder,
}

impl Server {
    /// With a certificate of this authority.
    async fn start(issue: impl FnOnce(&Authority) -> KeyPair) -> Self {
        let (authority, folder) = (Authority::new(), Folder::new());
        let pair = issue(&authority);
        let configure = |command: &mut Command| {
            command.args(["-a", "127.0.0.1", "-p", "-1", "--tlsverify", "--tlscert"]).arg(pair.certificate);
            command.arg("--tlskey").arg(pair.key).arg("--tlscacert").arg(authority.ca());
        };
        let nats = NatsProcess::start(&folder, configure).await;
        Self { authority, nats, _folder: folder }
    }

    fn address(&self, tls: ClientTls) -> Address {
        Address { tls, ..Address::new(format!("tls://{}", self.nats.address)) }
    }

    fn right(&self) -> ClientTls {
        ClientTls { ca: Some(self.authority.ca()), pair: Some(self.authority.issue("client")) }
    }

    /// Said at once: nothing of it mends itself.
    async fn refused(&self, tls: ClientTls) -> String {
        let begun = Instant::now();
        let error = connect(&self.address(tls), Purpose::Rpc).await.expect_err("it is refused");
        assert!(matches!(error, ConnectError::Refused { .. }), "{error}");
        assert!(begun.elapsed().as_secs() < 8, "{:?}", begun.elapsed());
        let text = error.to_string();
        assert!(text.starts_with(&format!("TLS with NATS at {} fails: ", self.nats.address)), "{text}");
        text
    }
}

#[tokio::test]
async fn a_server_with_tls_lets_in_who_shows_a_certificate() {
    let server = Server::start(|authority| authority.issue("server")).await;
    let client = connect(&server.address(server.right()), Purpose::Rpc).await.unwrap();
    round_trip(&client).await;
    // With a CA of one's own nothing is sent without encryption, whatever the scheme.
    let address =
        Address { url: format!("nats://{}", server.nats.address).into(), ..server.address(server.right()) };
    connect(&address, Purpose::Rpc).await.unwrap();

    let stranger = Authority::new();
    let refused = server.refused(ClientTls { ca: Some(stranger.ca()), ..server.right() }).await;
    assert!(refused.contains("invalid peer certificate: UnknownIssuer"), "{refused}");
    let refused = server.refused(ClientTls { ca: None, ..server.right() }).await;
    assert!(refused.contains("invalid peer certificate: UnknownIssuer"), "{refused}");
    let refused = server.refused(ClientTls { pair: None, ..server.right() }).await;
    assert!(refused.contains("CertificateRequired") || refused.contains("BadCertificate"), "{refused}");
    server.refused(ClientTls { pair: Some(stranger.issue("client")), ..server.right() }).await;
}

#[tokio::test]
async fn a_server_whose_certificate_does_not_hold_is_refused() {
    let expired = Server::start(|authority| authority.issue_expired("server")).await;
    let refused = expired.refused(expired.right()).await;
    assert!(refused.contains("certificate expired"), "{refused}");
    let other = Server::start(|authority| authority.issue_for("server", "elsewhere.example")).await;
    let refused = other.refused(other.right()).await;
    assert!(refused.contains("certificate not valid for name"), "{refused}");
}

#[tokio::test]
async fn a_server_without_tls_is_not_spoken_to_where_it_is_wanted() {
    let (authority, folder) = (Authority::new(), Folder::new());
    let plain = NatsProcess::start(&folder, |command| {
        command.args(["-a", "127.0.0.1", "-p", "-1"]);
    })
    .await;
    let tls = ClientTls { ca: Some(authority.ca()), pair: None };
    let address = Address { tls, ..Address::new(format!("nats://{}", plain.address)) };
    assert!(connect(&address, Purpose::Rpc).await.is_err());
}

#[tokio::test]
async fn a_certificate_file_that_cannot_be_used_is_named() {
    let tls = ClientTls { ca: Some(PathBuf::from("/nowhere/ca.pem")), pair: None };
    let address = Address { tls, ..Address::new("tls://127.0.0.1:1") };
    let error = connect(&address, Purpose::Rpc).await.expect_err("there is no file").to_string();
    assert!(error.starts_with("/nowhere/ca.pem cannot be used: "), "{error}");
}
