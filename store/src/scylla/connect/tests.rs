//! Errors name the cause and the host, without the password.

use std::{net::TcpListener, path::PathBuf};

use super::*;
use crate::scylla::options::new_keyspace;
use natter_testkit::{Authority, Cassandra};
use natter_tls::Acceptor;

async fn refused(options: &Options) -> String {
    let why = match connect(options).await {
        Err(StoreError::Unavailable(why)) => why,
        Err(other) => panic!("{other}"),
        Ok(_) => panic!("it is connected"),
    };
    assert!(why.starts_with(&options.place()), "{why}");
    assert!(!why.contains("hunter2"), "{why}");
    why
}

fn somewhere(address: &str) -> Options {
    let (user, password) = (Some("natter".to_owned()), Some("hunter2".into()));
    Options { user, password, ..Options::new(vec![address.to_owned()], "natter") }
}

#[tokio::test]
async fn a_session_is_in_its_keyspace() {
    let server = Cassandra::shared().await;
    let options = Options { keyspace: "system".to_owned(), ..new_keyspace(server) };
    let session = connect(&options).await.unwrap();
    session.query_unpaged("SELECT data_center FROM local", ()).await.unwrap();
}

#[tokio::test]
async fn a_host_that_refuses_connections_is_named() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap().to_string();
    drop(listener);
    let why = refused(&somewhere(&address)).await;
    assert_eq!(why, format!("{address}: nothing listens there"));
}

#[tokio::test]
async fn a_host_that_does_not_answer_is_given_up() {
    // It accepts connections and sends nothing.
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let why = refused(&somewhere(&listener.local_addr().unwrap().to_string())).await;
    assert!(why.ends_with("it takes connections and does not answer"), "{why}");
}

#[tokio::test]
async fn a_host_that_does_not_exist_is_named() {
    let why = refused(&somewhere("nowhere.invalid")).await;
    assert_eq!(why, "nowhere.invalid: no such host");
}

#[tokio::test]
async fn one_of_several_hosts_is_enough() {
    let server = Cassandra::shared().await;
    let hosts = vec!["nowhere.invalid".to_owned(), server.address()];
    connect(&Options { hosts, keyspace: "system".to_owned(), ..new_keyspace(server) }).await.unwrap();
}

#[tokio::test]
async fn a_datacenter_that_is_not_there_is_named_with_those_that_are() {
    let server = Cassandra::shared().await;
    let datacenter = |name: &str| Options {
        datacenter: Some(name.to_owned()),
        keyspace: "system".to_owned(),
        ..new_keyspace(server)
    };
    connect(&datacenter("datacenter1")).await.unwrap();
    let why = refused(&datacenter("moon")).await;
    assert!(why.ends_with("no datacenter is called 'moon'; there is datacenter1"), "{why}");
}

#[tokio::test]
async fn a_server_that_wants_tls_and_a_password_gets_both() {
    let server = Cassandra::start_guarded().await;
    let right = Options { keyspace: "system".to_owned(), ..new_keyspace(&server) };
    connect(&right).await.unwrap();

    let why = refused(&Options { password: Some("hunter2".into()), ..right.clone() }).await;
    assert!(why.ends_with("user 'cassandra' or the password is wrong"), "{why}");
    let why = refused(&Options { user: None, password: None, ..right.clone() }).await;
    assert!(why.ends_with("it wants a user and a password"), "{why}");
    for ca in [None, Some(Authority::new().ca())] {
        let why = refused(&Options { ca, ..right.clone() }).await;
        assert!(why.contains("TLS: invalid peer certificate: "), "{why}");
    }
    let why = refused(&Options { tls: false, ca: None, ..right }).await;
    assert!(why.contains("does it want TLS?"), "{why}");
}

#[tokio::test]
async fn tls_to_a_server_without_it_is_an_error_of_tls() {
    let server = Cassandra::shared().await;
    let why = refused(&Options { tls: true, ..new_keyspace(server) }).await;
    assert!(why.contains("TLS"), "{why}");
}

#[tokio::test]
async fn a_certificate_that_does_not_hold_is_an_error_of_tls() {
    let authority = Authority::new();
    for (pair, reason) in [
        (authority.issue_expired("old"), "certificate expired"),
        (authority.issue_for("other", "elsewhere.example"), "certificate not valid for name"),
    ] {
        // A host whose handshake fails never gets to speak CQL.
        let acceptor = Acceptor::load(pair, "test").unwrap();
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap().to_string();
        let server = tokio::spawn(async move {
            loop {
                let stream = listener.accept().await.unwrap().0;
                let _ = acceptor.accept(stream, CONNECT).await;
            }
        });
        let why = refused(&Options { tls: true, ca: Some(authority.ca()), ..somewhere(&address) }).await;
        assert!(why.contains("TLS: invalid peer certificate: ") && why.contains(reason), "{why}");
        server.abort();
    }
}

#[test]
fn certificates_that_cannot_be_read_are_named() {
    let ca = |path: &str| Options { ca: Some(PathBuf::from(path)), ..somewhere("host") };
    let no_certificate = concat!(env!("CARGO_MANIFEST_DIR"), "/Cargo.toml");
    for (path, cause) in
        [("/nowhere/ca.pem", "No such file"), (no_certificate, "it holds no certificate in PEM")]
    {
        let why = tls(&ca(path)).expect_err("no certificates").to_string();
        assert!(why.contains(path) && why.contains(cause), "{why}");
    }
}
