//! Every error names the request it answers: walked over by the table of frames, so that a new one is not forgotten.

use natter_schemas::{
    frame::CLIENT_TYPES,
    id::{ConversationId, UserId},
    limits,
};
use serde_json::{Value, json};

use crate::harness::{Edge, Socket, frame};

/// The answer to the frame, on a socket that is welcomed unless the frame is itself a `hello`.
async fn answer(edge: &Edge, frame: &Value) -> Value {
    let mut socket = Socket::connect(edge.address()).await;
    if frame["type"] != "hello" {
        socket.send(&json!({"type": "hello", "token": edge.token(UserId::fresh())})).await;
        socket.expect("welcome").await;
    }
    socket.send(frame).await;
    socket.next().await.expect("an answer")
}

#[tokio::test]
async fn every_refused_frame_is_answered_with_its_id() {
    let edge = Edge::start().await;
    let mut accepted = Vec::new();
    for kind in CLIENT_TYPES {
        let answer = answer(&edge, &frame(kind)).await;
        assert_eq!(answer["id"], 1, "{kind}: {answer}");
        if answer["type"] != "error" {
            accepted.push(*kind);
        }
    }
    // These are about no conversation, or change nothing in one that does not exist.
    assert_eq!(accepted, ["leave", "resume", "ping"]);
}

#[tokio::test]
async fn every_frame_with_a_wrong_field_is_answered_with_its_id() {
    let edge = Edge::start().await;
    for kind in CLIENT_TYPES.iter().filter(|kind| **kind != "ping") {
        let mut wrong = frame(kind);
        for field in ["conversationId", "token", "positions"] {
            wrong[field] = json!(7);
        }
        let answer = answer(&edge, &wrong).await;
        assert_eq!((&answer["code"], &answer["id"]), (&json!("invalid"), &json!(1)), "{kind}: {answer}");
    }
}

#[tokio::test]
async fn a_frame_before_hello_is_answered_with_its_id() {
    let edge = Edge::start().await;
    for kind in CLIENT_TYPES.iter().filter(|kind| **kind != "hello") {
        let mut socket = Socket::connect(edge.address()).await;
        socket.send(&frame(kind)).await;
        let answer = socket.expect("error").await;
        assert_eq!((&answer["code"], &answer["id"]), (&json!("unauthenticated"), &json!(1)), "{kind}");
    }
}

#[tokio::test]
async fn a_frame_with_too_many_positions_is_answered_with_its_id() {
    let edge = Edge::start().await;
    let positions: serde_json::Map<_, _> =
        (0..=limits::RESUME_POSITIONS).map(|_| (ConversationId::fresh().to_string(), json!(1))).collect();
    let resume = json!({"epoch": "e", "positions": positions});
    for frame in [
        json!({"type": "hello", "id": 1, "token": edge.token(UserId::fresh()), "resume": resume}),
        json!({"type": "resume", "id": 1, "positions": positions}),
    ] {
        let answer = answer(&edge, &frame).await;
        assert_eq!((&answer["code"], &answer["id"]), (&json!("invalid"), &json!(1)), "{answer}");
    }
}
