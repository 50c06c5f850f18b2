//! An edge that loses NATS sends its clients away if others have not.

use std::time::{Duration, Instant};

use natter_runtime::shared_state::SharedState;
use natter_schemas::id::UserId;
use serde_json::json;

use crate::harness::{Edge, PATIENCE, Socket};

/// 7 s, and what busy cores add; an edge that does not ask about others waits for 30 s.
const DECIDED: Duration = Duration::from_secs(12);

impl Edge {
    async fn silent_beside_another(&self) {
        self.shared.report_contact("another", PATIENCE).await.expect("shared state in memory");
        self.pause_nats();
    }

    async fn answer_to_hello(&self) -> serde_json::Value {
        let mut socket = Socket::connect(self.address()).await;
        socket.send(&json!({"type": "hello", "token": self.token(UserId::fresh())})).await;
        socket.next().await.expect("an answer")
    }
}

#[tokio::test]
async fn clients_of_an_edge_that_alone_lost_nats_are_sent_away() {
    let edge = Edge::start().await;
    let mut socket = edge.socket(UserId::fresh()).await;
    let begun = Instant::now();
    edge.silent_beside_another().await;
    assert_eq!(socket.closed().await, 1012);
    assert!(begun.elapsed() < DECIDED, "{:?}", begun.elapsed());
    assert_eq!(edge.answer_to_hello().await["code"], "unavailable");

    edge.resume_nats();
    natter_testkit::until("the edge takes clients again", async || {
        edge.answer_to_hello().await["type"] == "welcome"
    })
    .await;
}

#[tokio::test]
async fn an_edge_that_reaches_nothing_at_all_sends_its_clients_away() {
    let edge = Edge::start().await;
    let mut socket = edge.socket(UserId::fresh()).await;
    edge.shared.set_away(true);
    edge.pause_nats();
    assert_eq!(socket.closed().await, 1012);
}

#[tokio::test]
async fn clients_stay_while_no_edge_hears_nats() {
    let edge = Edge::start().await;
    let mut socket = edge.socket(UserId::fresh()).await;
    let alone = Edge::start().await;
    let mut other = alone.socket(UserId::fresh()).await;
    edge.pause_nats();
    // When this one is sent away, the first has been silent for as long.
    alone.silent_beside_another().await;
    assert_eq!(other.closed().await, 1012);
    socket.send(&json!({"type": "ping", "id": 1})).await;
    socket.expect("pong").await;
}
