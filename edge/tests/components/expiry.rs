//! How access ends: with a token, and when this edge cannot know any more who has it.

use std::time::Duration;

use natter_nats::{async_nats::jetstream, topology};
use natter_schemas::{
    event::Timestamp,
    id::{SessionId, UserId},
};
use natter_testkit::until;
use serde_json::json;

use crate::harness::{Edge, Socket};

#[tokio::test]
async fn an_expired_token_is_named_in_an_error_before_the_socket_closes() {
    let edge = Edge::start_with(|config| config.jwt_expires_in = Duration::from_secs(2)).await;
    let mut socket = edge.socket(UserId::fresh()).await;
    assert_eq!(socket.expect("error").await["code"], "token_expired");
    assert_eq!(socket.closed().await, 4001);
}

#[tokio::test]
async fn a_token_within_its_leeway_is_not_welcomed() {
    let edge = Edge::start().await;
    let (user, session) = (UserId::fresh(), SessionId::fresh());
    // It verifies for five seconds after its end.
    let begun = Timestamp(Timestamp::now().0 - 15 * 60_000 - 1_000);
    let late = edge.app.tokens.issue(user, session, begun).expect("a token");
    assert!(edge.app.tokens.verify(&late).is_ok());
    let mut socket = Socket::connect(edge.address()).await;
    socket.send(&json!({"type": "hello", "token": late})).await;
    assert_eq!(socket.expect("error").await["code"], "token_expired");
    assert_eq!(socket.closed().await, 4001);
    // Nor does it renew a socket in place.
    let fresh = edge.app.tokens.issue(user, session, Timestamp::now()).expect("a token");
    let mut socket = edge.open(&json!({"type": "hello", "token": fresh})).await;
    socket.send(&json!({"type": "token", "id": 7, "token": late})).await;
    let error = socket.expect("error").await;
    assert_eq!((&error["id"], &error["code"]), (&json!(7), &json!("token_expired")));
    assert_eq!(socket.closed().await, 4001);
}

#[tokio::test]
async fn an_edge_cut_off_from_control_refuses_rest_and_hello() {
    let edge = Edge::start().await;
    let token = edge.token(UserId::fresh());
    let heartbeat = async || {
        edge.http("POST", "/api/presence/heartbeat", &format!("Authorization: Bearer {token}")).await
    };
    assert!(heartbeat().await.starts_with("HTTP/1.1 204"));
    jetstream::new(edge.nats.clone()).delete_stream(topology::CONTROL).await.expect("it was there");
    until("calls are refused", async || heartbeat().await.starts_with("HTTP/1.1 503")).await;
    assert!(heartbeat().await.contains("\"code\":\"unavailable\""));
    let mut socket = Socket::connect(edge.address()).await;
    socket.send(&json!({"type": "hello", "token": token})).await;
    assert_eq!(socket.expect("error").await["code"], "unavailable");
    assert_eq!(socket.closed().await, 1012);
}
