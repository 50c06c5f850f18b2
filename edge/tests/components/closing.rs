//! How the connection of a socket ends.

use std::time::Duration;

use natter_schemas::id::UserId;
use serde_json::json;

use crate::harness::Edge;

/// The contract's 100 ms, and what busy cores add; a server that waits for the client needs seconds.
const AT_ONCE: Duration = Duration::from_millis(500);

#[tokio::test]
async fn the_connection_ends_at_the_clients_close_frame() {
    let edge = Edge::start().await;
    let took = edge.socket(UserId::fresh()).await.close().await;
    assert!(took < AT_ONCE, "{took:?} after the client closed");
}

#[tokio::test]
async fn the_connection_ends_when_the_client_answers_the_servers_close_frame() {
    let edge = Edge::start().await;
    for (what, frame) in [
        ("a frame out of place", json!({"type": "hello", "token": edge.token(UserId::fresh())})),
        ("a frame that is too big", json!({"type": "ping", "id": "x".repeat(100_000)})),
    ] {
        let mut socket = edge.socket(UserId::fresh()).await;
        socket.send(&frame).await;
        let took = socket.answer_close().await;
        assert!(took < AT_ONCE, "{what}: {took:?} after the client answered");
    }
}
