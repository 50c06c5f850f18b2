//! An encrypted socket behaves as a plain one.

use std::time::Duration;

use natter_testkit::Authority;
use natter_tls::{Acceptor, TlsStream};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpListener,
};
use tokio_rustls::{TlsConnector, client, rustls::pki_types::ServerName};

use super::*;

type Client = client::TlsStream<TcpStream>;

/// Both ends of a connection whose handshake is over.
pub async fn encrypted() -> ((Input, Output), Client) {
    let authority = Authority::new();
    let acceptor = Acceptor::load(authority.issue("edge"), "test").expect("a certificate");
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let address = listener.local_addr().expect("an address");
    let client = async {
        let stream = TcpStream::connect(address).await.expect("it listens");
        let name = ServerName::try_from("localhost").expect("a name");
        TlsConnector::from(Arc::new(authority.client())).connect(name, stream).await.expect("a handshake")
    };
    let server = async {
        let stream = listener.accept().await.expect("a client").0;
        acceptor.accept(stream, Duration::from_secs(10)).await.expect("a handshake")
    };
    let (server, client): (TlsStream<TcpStream>, Client) = tokio::join!(server, client);
    let (stream, session) = server.into_inner();
    (split(stream, Some(session)), client)
}

#[tokio::test]
async fn what_the_kernel_does_not_take_is_held_and_leaves_in_order() {
    let ((_input, output), mut client) = encrypted().await;
    output.writable().await.expect("a connection");
    let bytes: Vec<u8> = (0..8 * 1024 * 1024_u32).map(|at| (at % 251) as u8).collect();
    let (mut sent, mut held) = (0, false);
    // The other end does not read: at some point the kernel takes no more, and some of what was taken is still here.
    loop {
        match output.try_write(&[IoSlice::new(&bytes[sent..])]) {
            Ok(written) => {
                assert!(written.taken <= natter_schemas::limits::TLS_BUFFER, "{written:?}");
                (sent, held) = (sent + written.taken, written.held);
            }
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => break,
            Err(error) => panic!("{error}"),
        }
    }
    assert!(sent < bytes.len() && held, "{sent} bytes of {}", bytes.len());
    let rest = async { output.write_all(&bytes[sent..]).await.expect("it is read") };
    let mut received = vec![0; bytes.len()];
    let reading = async { client.read_exact(&mut received).await.expect("all of it") };
    tokio::join!(rest, reading);
    assert!(received == bytes, "the bytes differ");
}

#[tokio::test]
async fn both_sides_work_at_once_and_the_end_is_announced() {
    let ((mut input, output), client) = encrypted().await;
    let (mut from, mut to) = tokio::io::split(client);
    let asked = vec![7; 300_000];
    let writing = async { to.write_all(&asked).await.expect("it is read") };
    let mut heard = vec![0; asked.len()];
    let reading = async { input.read_exact(&mut heard).await.expect("it is written") };
    let answering = async { output.write_all(&asked).await.expect("it is read") };
    let mut answer = vec![0; asked.len()];
    let answered = async { from.read_exact(&mut answer).await.expect("it is written") };
    tokio::join!(writing, reading, answering, answered);
    assert!(heard == asked && answer == asked);
    output.shut_down();
    assert_eq!(from.read(&mut answer).await.expect("an end, not a cut"), 0);
    // The other direction is still open.
    to.write_all(b"bye").await.expect("it is read");
    to.shutdown().await.expect("it can end");
    let mut last = Vec::new();
    input.read_to_end(&mut last).await.expect("an end, not a cut");
    assert_eq!(last, b"bye");
}

#[tokio::test]
async fn bytes_that_are_not_encrypted_end_the_connection() {
    let ((mut input, _output), client) = encrypted().await;
    let (mut raw, _) = client.into_inner();
    raw.write_all(b"GET / HTTP/1.1\r\n\r\n").await.expect("it is read");
    let error = input.read(&mut [0; 64]).await.expect_err("it is no TLS");
    assert_eq!(error.kind(), io::ErrorKind::InvalidData);
}
