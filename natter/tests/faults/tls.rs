//! Ports with a certificate.

use std::{
    fs,
    process::Output,
    time::{Duration, Instant},
};

use serde_json::json;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
};
use tokio_tungstenite::MaybeTlsStream;

use natter_testkit::{
    Authority, DevServer, PASSWORD, Socket, User, command, until, until_within, upgrade_over,
};
use natter_tls::KeyPair;

use crate::NATTER;

/// The contract's 10 s, and what two busy cores add.
const HANDSHAKE: Duration = Duration::from_secs(15);
/// Two looks at the files, and what two busy cores add.
const RELOAD: Duration = Duration::from_secs(30);

fn text(path: &std::path::Path) -> &'static str {
    path.to_str().unwrap().to_owned().leak()
}

fn settings(public: &KeyPair) -> [(&'static str, &'static str); 2] {
    [("TLS_CERT", text(&public.certificate)), ("TLS_KEY", text(&public.key))]
}

fn replace(files: &KeyPair, by: &KeyPair) {
    fs::copy(&by.certificate, &files.certificate).unwrap();
    fs::copy(&by.key, &files.key).unwrap();
}

/// With the name that the certificate is for.
fn by_name(natter: &DevServer) -> String {
    natter.http.replace("127.0.0.1", "localhost")
}

/// Where metrics are, as the banner says.
fn metrics_of(natter: &DevServer) -> String {
    let banner = natter.banner();
    let line = banner.lines().find(|line| line.contains("metrics")).unwrap();
    line.split_whitespace().nth(1).unwrap().to_owned()
}

#[tokio::test]
async fn a_port_with_a_certificate_serves_https_and_wss() {
    let authority = Authority::new();
    let natter = DevServer::start(NATTER, &settings(&authority.issue("edge"))).await;
    assert!(natter.http.starts_with("https://") && natter.banner().contains("wss://"), "{}", natter.banner());
    let alice = User::register_over(authority.http(), &natter.http, "alice").await;
    let log_in = json!({"login": "alice", "password": PASSWORD});
    let answer = alice.post("/api/auth/login", &log_in).await;
    assert!(answer.headers["set-cookie"].to_str().unwrap().contains("; Secure"), "{answer:?}");
    assert!(answer.headers.contains_key("strict-transport-security"), "{answer:?}");

    let hello = json!({"type": "hello", "token": alice.token});
    let open = async || MaybeTlsStream::Rustls(authority.connect(&natter.http).await.unwrap());
    let mut socket = Socket::hello_over(open().await, &natter.http, &hello).await;
    let bob = User::register_over(authority.http(), &natter.http, "bob").await;
    let room = alice.group(&[&bob]).await;
    // More than one record, and more than what is encrypted at once.
    let long = "x".repeat(8_000);
    let seqs = socket.flood(&room, 40, &long).await;
    socket.wait_for_seq(&room, *seqs.last().unwrap()).await;
    socket.ping().await;

    let (own, plain) = (natter.http.clone(), natter.http.replace("https", "http"));
    for (origin, expected) in [(own, None), (plain, Some(403))] {
        let answer = upgrade_over(open().await, &natter.http, &[("Origin", &origin)]).await;
        assert_eq!(answer.err(), expected, "{origin}");
    }
}

#[tokio::test]
async fn the_tools_speak_tls_with_a_ca_of_ones_own() {
    let authority = Authority::new();
    let (public, admin) = (authority.issue("edge"), authority.issue("admin"));
    let [certificate, key] = settings(&public);
    let natter = DevServer::start(
        NATTER,
        &[
            certificate,
            key,
            ("ADMIN_TLS_CERT", text(&admin.certificate)),
            ("ADMIN_TLS_KEY", text(&admin.key)),
        ],
    )
    .await;
    User::register_over(authority.http(), &natter.http, "alice").await;
    let ca = authority.ca();
    let run = async |ca: &std::path::Path, arguments: &[&str]| -> Output {
        let mut command = command(NATTER, &[("SSL_CERT_FILE", text(ca))]);
        command.args(arguments);
        tokio::process::Command::from(command).output().await.unwrap()
    };
    let login = format!("alice:{PASSWORD}");
    let connect = ["connect", &by_name(&natter), "--login", &login];
    let connected = run(&ca, &connect).await;
    assert!(connected.status.success(), "{connected:?}");
    let ready = format!("{}/health/ready", natter.http);
    let metrics = metrics_of(&natter);
    let live = metrics.replace("/metrics", "/health/live");
    assert!(live.starts_with("https://"), "{live}");
    for url in [&ready, &live] {
        let well = run(&ca, &["health", url]).await;
        assert!(well.status.success() && well.stdout.starts_with(b"200 "), "{well:?}");
        let distrusted = run(&Authority::new().ca(), &["health", url]).await;
        assert_eq!(distrusted.status.code(), Some(1), "{distrusted:?}");
    }
    let metrics = authority.http().get(&metrics).send().await.unwrap().text().await.unwrap();
    assert!(
        metrics.contains("natter_tls_certificate_expires_timestamp_seconds{port=\"admin\"}"),
        "{metrics}"
    );
}

#[tokio::test]
async fn handshakes_that_fail_hold_nothing_and_delay_no_one() {
    let authority = Authority::new();
    let server = [&settings(&authority.issue("edge"))[..], &[("MAX_CONNECTIONS_PER_ADDRESS", "8")]].concat();
    let natter = DevServer::start(NATTER, &server).await;
    let address = natter.http.strip_prefix("https://").unwrap().to_owned();
    let connect = async || TcpStream::connect(&address).await.unwrap();
    let begun = Instant::now();
    let (mut silent, mut half, mut plain) = (connect().await, connect().await, connect().await);
    half.write_all(b"\x16\x03\x01\x02\x00\x01\x00").await.unwrap();
    plain.write_all(b"GET /health HTTP/1.1\r\nHost: x\r\n\r\n").await.unwrap();
    drop(connect().await);

    let stranger = Authority::new().connect(&natter.http).await.expect_err("of another CA");
    assert!(stranger.to_string().contains("invalid peer certificate"), "{stranger}");
    let offering = |protocols: &[&[u8]]| {
        let mut client = authority.client();
        client.alpn_protocols = protocols.iter().map(|protocol| protocol.to_vec()).collect();
        client
    };
    authority.connect_with(offering(&[b"h2"]), &natter.http).await.expect_err("no HTTP/2");
    let browser = offering(&[b"h2", b"http/1.1"]);
    let stream = authority.connect_with(browser, &natter.http).await.unwrap();
    assert_eq!(stream.get_ref().1.alpn_protocol(), Some(&b"http/1.1"[..]));
    drop(stream);

    // Meanwhile another client is served.
    let well = authority.http().get(format!("{}/health", natter.http)).send().await.unwrap();
    assert_eq!(well.status(), 200);
    assert!(
        begun.elapsed() < Duration::from_secs(10),
        "the silent ones are still there: {:?}",
        begun.elapsed()
    );
    for (what, stream) in [("plain", &mut plain), ("silent", &mut silent), ("half", &mut half)] {
        let end = tokio::time::timeout(HANDSHAKE, async {
            while stream.read(&mut [0; 1024]).await.is_ok_and(|read| read > 0) {}
        });
        assert!(end.await.is_ok(), "{what}: still open");
    }
    until("each is counted", async || natter.metric("natter_tls_handshakes_failed_total").await >= 6.0).await;
    until("their places are free", async || natter.metric("natter_connections").await <= 1.0).await;
}

#[tokio::test]
async fn a_certificate_is_replaced_without_a_restart() {
    let (authority, next) = (Authority::new(), Authority::new());
    let files = authority.issue("edge");
    let natter = DevServer::start(NATTER, &settings(&files)).await;
    let alice = User::register_over(authority.http(), &natter.http, "alice").await;
    let stream = MaybeTlsStream::Rustls(authority.connect(&natter.http).await.unwrap());
    let hello = json!({"type": "hello", "token": alice.token});
    let mut socket = Socket::hello_over(stream, &natter.http, &hello).await;
    let failures = async || natter.metric("natter_tls_reload_failures_total").await;
    let expires = natter.metric("natter_tls_certificate_expires_timestamp_seconds").await;

    // What cannot be used changes nothing, and is reported once.
    fs::copy(next.issue("other").key, &files.key).unwrap();
    until_within(RELOAD, "a key of another certificate is reported", async || failures().await >= 1.0).await;
    replace(&files, &next.issue_expired("old"));
    until_within(RELOAD, "an expired certificate is reported", async || failures().await >= 2.0).await;
    authority.connect(&natter.http).await.expect("the first certificate is still in use");
    assert!(natter.log().contains("it does not belong to the certificate in"), "{}", natter.log());
    assert!(natter.log().contains("it has expired"), "{}", natter.log());

    replace(&files, &next.issue_ending("next", 2040));
    until_within(RELOAD, "the next certificate is shown", async || next.connect(&natter.http).await.is_ok())
        .await;
    authority.connect(&natter.http).await.expect_err("the first one is gone");
    let later = natter.metric("natter_tls_certificate_expires_timestamp_seconds").await;
    assert!((later - expires).abs() > 1.0, "{expires} became {later}");
    // Whoever was connected still is.
    socket.ping().await;
    assert!(failures().await < 3.0, "each is reported once");
}

#[tokio::test]
async fn a_certificate_that_cannot_be_used_stops_the_start() {
    let authority = Authority::new();
    let (one, other) = (authority.issue("one"), authority.issue("other"));
    let mixed = KeyPair { key: other.key.clone(), ..one.clone() };
    let folder = tempfile::tempdir().unwrap();
    for (given, words) in [
        (settings(&mixed).to_vec(), vec![text(&other.key), "does not belong to"]),
        (vec![("TLS_CERT", text(&one.certificate))], vec!["TLS_KEY is missing"]),
        (
            vec![("ADMIN_TLS_CERT", "/nowhere.pem"), ("ADMIN_TLS_KEY", text(&one.key))],
            vec!["ADMIN_TLS_CERT", "/nowhere.pem", "No such file"],
        ),
    ] {
        let mut command = command(NATTER, &given);
        command.args(["dev", "--port", "0", "--admin-port", "0", "--data-dir"]).arg(folder.path());
        let output = tokio::process::Command::from(command).output().await.unwrap();
        let said = String::from_utf8_lossy(&output.stderr);
        assert_eq!(output.status.code(), Some(1), "{said}");
        assert!(words.iter().all(|word| said.contains(word)), "{said} lacks one of {words:?}");
        assert!(!said.contains("BEGIN"), "{said}");
    }
}
