//! A Redis that speaks TLS only, and wants to know its clients.

use std::time::Instant;

use natter_runtime::shared_state::{Redis, SharedState};
use natter_testkit::{Authority, Redis as RedisServer};
use natter_tls::{Acceptor, ClientTls};
use tokio::net::TcpListener;

fn right(authority: &Authority) -> ClientTls {
    ClientTls { ca: Some(authority.ca()), pair: Some(authority.issue("client")) }
}

/// Said at once: nothing of it mends itself.
async fn refused(url: &str, tls: &ClientTls) -> String {
    let begun = Instant::now();
    let error = Redis::connect_with(url, tls).await.err().expect("it is refused").to_string();
    assert!(error.starts_with("Redis refuses the connection: "), "{error}");
    assert!(begun.elapsed().as_secs() < 8, "{:?}", begun.elapsed());
    error
}

#[tokio::test]
async fn a_redis_with_tls_lets_in_who_shows_a_certificate() {
    let authority = Authority::new();
    let server = RedisServer::start_with_tls(&authority, authority.issue("server")).await;
    let (url, right) = (server.url(), right(&authority));
    let state = Redis::connect_with(&url, &right).await.unwrap();
    state.ready().await.unwrap();

    let stranger = Authority::new();
    for ca in [Some(stranger.ca()), None] {
        let why = refused(&url, &ClientTls { ca, ..right.clone() }).await;
        assert!(why.contains("invalid peer certificate: UnknownIssuer"), "{why}");
    }
    for pair in [None, Some(stranger.issue("client"))] {
        let why = refused(&url, &ClientTls { pair, ..right.clone() }).await;
        assert!(why.contains("received fatal alert"), "{why}");
    }
}

#[tokio::test]
async fn a_redis_whose_certificate_does_not_hold_is_refused() {
    let authority = Authority::new();
    for (pair, reason) in [
        (authority.issue_expired("old"), "certificate expired"),
        (authority.issue_for("other", "elsewhere.example"), "certificate not valid for name"),
    ] {
        // Where the handshake fails, nothing of Redis is spoken.
        let acceptor = Acceptor::load(pair, "test").unwrap();
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("rediss://{}", listener.local_addr().unwrap());
        let server = tokio::spawn(async move {
            loop {
                let stream = listener.accept().await.unwrap().0;
                let _ = acceptor.accept(stream, std::time::Duration::from_secs(10)).await;
            }
        });
        let why = refused(&url, &right(&authority)).await;
        assert!(why.contains(reason), "{why}");
        server.abort();
    }
}

#[tokio::test]
async fn a_certificate_file_that_cannot_be_used_is_named() {
    let tls = ClientTls { ca: Some("/nowhere/ca.pem".into()), pair: None };
    let error = Redis::connect_with("rediss://127.0.0.1:1", &tls).await.err().expect("there is no file");
    assert!(error.to_string().starts_with("/nowhere/ca.pem cannot be used: "), "{error}");
}
