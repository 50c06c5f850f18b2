//! Read marks and typing: a client may send many, a few are passed on.

use futures_util::StreamExt;
use natter_nats::subject;
use natter_schemas::{id::UserId, rpc::Typing};
use serde_json::json;
use tokio::time::timeout;

use crate::harness::{Edge, PATIENCE};

#[tokio::test]
async fn the_read_marks_of_a_scrolling_reader_become_a_few() {
    let edge = Edge::start().await;
    let user = UserId::fresh();
    let conversation = edge.conversation(&[user]);
    let mut socket = edge.socket(user).await;
    for seq in 1..=20 {
        socket.send(&json!({"type": "read", "id": seq, "conversationId": conversation, "seq": seq})).await;
    }
    for seq in 1..=20_u64 {
        let ack = socket.expect("read:ack").await;
        assert_eq!(ack["id"], seq);
        assert!(ack["seq"].as_u64() >= Some(seq), "{ack}");
    }
    let marks = edge.services.marks();
    assert!(marks.len() <= 3, "{marks:?}");
    assert_eq!(marks.last().map(|mark| mark.seq), Some(20));
}

#[tokio::test]
async fn typing_is_passed_on_once_while_it_is_repeated() {
    let edge = Edge::start().await;
    let (typist, reader) = (UserId::fresh(), UserId::fresh());
    let conversation = edge.conversation(&[typist, reader]);
    let (mut socket, mut readers) = (edge.socket(typist).await, edge.socket(reader).await);
    let mut signals =
        edge.nats.subscribe(subject::signals(edge.partition(conversation))).await.expect("connected");
    edge.nats.flush().await.expect("connected");
    for socket in [&mut socket, &mut readers] {
        socket.send(&json!({"type": "join", "conversationId": conversation})).await;
        socket.wait_for("joined").await;
    }
    let typing = |on| json!({"type": "typing", "conversationId": conversation, "isTyping": on});
    for on in [true, true, true, true, false] {
        socket.send(&typing(on)).await;
    }
    for on in [true, false] {
        let signal = timeout(PATIENCE, signals.next()).await.expect("in time").expect("a signal");
        let signal: Typing = postcard::from_bytes(&signal.payload).expect("typing");
        assert_eq!(signal, Typing { user: typist, on });
        assert_eq!(readers.wait_for("typing").await["isTyping"], on);
    }
}

#[tokio::test]
async fn typing_without_a_join_is_refused() {
    let edge = Edge::start().await;
    let user = UserId::fresh();
    let conversation = edge.conversation(&[user]);
    let mut socket = edge.socket(user).await;
    socket.send(&json!({"type": "typing", "conversationId": conversation, "isTyping": true})).await;
    assert_eq!(socket.expect("error").await["code"], "forbidden");
}
