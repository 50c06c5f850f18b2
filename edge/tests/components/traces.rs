//! The trace that a client works in (W3C Trace Context) goes with what it causes, and into no event that is stored.

use natter_nats::{
    async_nats::jetstream,
    header,
    log::{LogReader, StoredMessage},
};
use natter_schemas::{
    codec,
    id::{ConversationId, Partition, UserId},
};
use serde_json::{Value, json};

use crate::harness::Edge;

const TRACEPARENT: &str = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";

fn send(conversation: ConversationId, client_id: &str, traceparent: &Value) -> Value {
    json!({
        "type": "send", "id": client_id, "conversationId": conversation, "content": "x", "clientId": client_id,
        "traceparent": traceparent,
    })
}

async fn published(edge: &Edge) -> Vec<StoredMessage> {
    let log = LogReader::new(jetstream::new(edge.nats.clone()), 1);
    log.in_order(Partition(0), 1).await.expect("the log answers")
}

fn trace_of(message: &StoredMessage) -> Option<String> {
    header::trace_context(Some(&message.headers)).map(|context| context.to_string())
}

#[tokio::test]
async fn commands_are_published_in_the_trace_of_their_client() {
    let edge = Edge::start().await;
    let user = UserId::fresh();
    let conversation = edge.conversation(&[user]);
    let mut socket = edge.socket(user).await;
    socket.send(&send(conversation, "traced", &json!(TRACEPARENT))).await;
    let seq = socket.wait_for("ack").await["seq"].clone();
    let delete = json!({
        "type": "delete", "id": 2, "conversationId": conversation, "seq": seq, "traceparent": TRACEPARENT,
    });
    socket.send(&delete).await;
    socket.wait_for("ack").await;
    let all = published(&edge).await;
    let traces: Vec<_> = all.iter().map(trace_of).collect();
    assert_eq!(traces, [Some(TRACEPARENT.to_owned()), Some(TRACEPARENT.to_owned())]);
    for message in &all {
        assert_eq!(codec::decode(&message.payload).expect("an event").traceparent, None);
    }
}

#[tokio::test]
async fn text_that_is_no_traceparent_is_ignored() {
    let edge = Edge::start().await;
    let user = UserId::fresh();
    let conversation = edge.conversation(&[user]);
    let mut socket = edge.socket(user).await;
    let long = json!(format!("00-{}", "0".repeat(5_000)));
    let wrong = [json!(""), json!("00-0-0-00"), json!("*\r\nNats-Rollup: all"), long, Value::Null];
    for (number, traceparent) in wrong.iter().enumerate() {
        socket.send(&send(conversation, &format!("c{number}"), traceparent)).await;
        assert_eq!(socket.wait_for("ack").await["duplicate"], false);
    }
    socket.send(&send(conversation, "number", &json!(7))).await;
    assert_eq!(socket.wait_for("error").await["code"], "invalid");
    let all = published(&edge).await;
    assert_eq!((all.len(), all.iter().filter_map(trace_of).count()), (wrong.len(), 0));
}

#[tokio::test]
async fn services_are_called_in_the_trace_of_the_request() {
    let edge = Edge::start().await;
    let user = UserId::fresh();
    let (conversation, token) = (edge.conversation(&[user]), edge.token(user));
    let body = json!({"conversationId": conversation, "seq": 1}).to_string();
    for traceparent in ["", &format!("traceparent: {TRACEPARENT}\r\n")] {
        let headers = format!(
            "Authorization: Bearer {token}\r\nContent-Type: application/json\r\n{traceparent}Content-Length: {}\r\n\r\n{body}",
            body.len()
        );
        let answer = edge.http("POST", "/api/messages/read", &headers).await;
        assert!(answer.starts_with("HTTP/1.1 200"), "{answer}");
    }
    let traces = edge.services.traces();
    let named = traces.iter().map(|trace| trace.map(|trace| trace.to_string())).collect::<Vec<_>>();
    assert_eq!(named, [None, Some(TRACEPARENT.to_owned())]);
}
