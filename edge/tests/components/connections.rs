//! How many connections and sockets there may be, and who goes.

use std::net::SocketAddr;

use natter_runtime::config::ConnectionLimits;
use natter_schemas::{id::UserId, limits};
use natter_testkit::until;
use serde_json::json;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpSocket, TcpStream},
    time::timeout,
};

use crate::harness::{Edge, PATIENCE};

/// A connection from another address of this machine.
async fn connect(edge: &Edge, from: [u8; 4]) -> TcpStream {
    let socket = TcpSocket::new_v4().expect("a socket");
    socket.bind(SocketAddr::from((from, 0))).expect("an address of this machine");
    socket.connect(edge.address()).await.expect("the edge accepts")
}

/// The status of a request over it; 0 when it ends without an answer.
async fn status(stream: &mut TcpStream) -> u16 {
    // A refused connection may have ended already.
    let _ = stream.write_all(b"GET /health HTTP/1.1\r\nHost: x\r\n\r\n").await;
    let mut head = [0; 12];
    let read = timeout(PATIENCE, stream.read_exact(&mut head)).await.expect("an answer in time");
    let text = read.ok().and_then(|_| std::str::from_utf8(&head[9..]).ok());
    text.and_then(|status| status.parse().ok()).unwrap_or(0)
}

#[tokio::test]
async fn one_address_cannot_have_every_connection() {
    let edge = Edge::start_with(|config| {
        config.connections = ConnectionLimits { all: 5, per_address: Some(3) };
    })
    .await;
    let (one, other) = ([127, 0, 0, 2], [127, 0, 0, 3]);
    let mut open = Vec::new();
    for _ in 0..3 {
        let mut stream = connect(&edge, one).await;
        assert_eq!(status(&mut stream).await, 200);
        open.push(stream);
    }
    let refused = status(&mut connect(&edge, one).await).await;
    assert!([503, 0].contains(&refused), "{refused}");
    for _ in 0..2 {
        let mut stream = connect(&edge, other).await;
        assert_eq!(status(&mut stream).await, 200);
        open.push(stream);
    }
    // The node is full, and says so while it can.
    assert!(edge.app.connections.are_scarce());
    let refused = status(&mut connect(&edge, other).await).await;
    assert!([503, 0].contains(&refused), "{refused}");
    open.clear();
    until("there is room again", async || status(&mut connect(&edge, one).await).await == 200).await;
}

#[tokio::test]
async fn a_socket_counts_as_a_connection_until_it_ends() {
    let edge = Edge::start_with(|config| {
        config.connections = ConnectionLimits { all: 100, per_address: Some(1) };
    })
    .await;
    let mut socket = edge.socket(UserId::fresh()).await;
    let from_the_same = async || status(&mut connect(&edge, [127, 0, 0, 1]).await).await;
    assert!([503, 0].contains(&from_the_same().await));
    socket.send(&json!({"type": "ping"})).await;
    socket.expect("pong").await;
    socket.close().await;
    until("its connection is free", async || from_the_same().await == 200).await;
}

#[tokio::test]
async fn the_fifty_first_socket_takes_the_place_of_the_most_silent() {
    let edge = Edge::start().await;
    let user = UserId::fresh();
    let mut sockets = Vec::new();
    for _ in 0..limits::SOCKETS_PER_USER {
        sockets.push(edge.socket(user).await);
    }
    // All but one show life after the last was opened.
    for (_, socket) in sockets.iter_mut().enumerate().filter(|(number, _)| *number != 20) {
        socket.send(&json!({"type": "ping"})).await;
        socket.expect("pong").await;
    }
    let mut newest = edge.socket(user).await;
    assert_eq!(sockets[20].closed().await, 4503);
    for socket in [&mut newest, &mut sockets[0]] {
        socket.send(&json!({"type": "ping"})).await;
        socket.expect("pong").await;
    }
    assert_eq!(edge.app.sockets.count(), limits::SOCKETS_PER_USER);
}
