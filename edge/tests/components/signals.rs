//! Read marks and typing: a client may send many, a few are passed on.

use std::time::Duration;

use futures_util::StreamExt;
use natter_nats::subject;
use natter_runtime::shared_state::SharedState;
use natter_schemas::{id::UserId, rpc::Typing};
use natter_testkit::until;
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
async fn reads_between_marks_back_become_a_few_too() {
    let edge = Edge::start().await;
    let user = UserId::fresh();
    let conversation = edge.conversation(&[user]);
    let mut socket = edge.socket(user).await;
    let read = |id: u64, seq, unread| json!({"type": "read", "id": id, "conversationId": conversation, "seq": seq, "unread": unread});
    let seqs = (1..=20).chain([5]).chain(6..=40);
    for (id, seq) in (1..).zip(seqs.clone()) {
        socket.send(&read(id, seq, id == 21)).await;
    }
    for (id, _) in (1_u64..).zip(seqs) {
        assert_eq!(socket.expect("read:ack").await["id"], id);
    }
    let marks = edge.services.marks();
    assert!(marks.len() <= 6, "{marks:?}");
    let back = marks.iter().position(|mark| mark.unread).expect("a mark back");
    assert!(
        marks[..back].iter().all(|mark| mark.seq <= 20),
        "what follows the mark back is not read before it: {marks:?}"
    );
    assert_eq!(marks.last().map(|mark| mark.seq), Some(40));
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

#[tokio::test]
async fn typing_ends_with_the_message() {
    let edge = Edge::start().await;
    let (typist, reader) = (UserId::fresh(), UserId::fresh());
    let conversation = edge.conversation(&[typist, reader]);
    let (mut socket, mut readers) = (edge.socket(typist).await, edge.socket(reader).await);
    for socket in [&mut socket, &mut readers] {
        socket.send(&json!({"type": "join", "conversationId": conversation})).await;
        socket.wait_for("joined").await;
    }
    socket.send(&json!({"type": "typing", "conversationId": conversation, "isTyping": true})).await;
    assert_eq!(readers.wait_for("typing").await["isTyping"], true);
    let content =
        json!({"type": "send", "id": 1, "conversationId": conversation, "content": "hi", "clientId": "c"});
    socket.send(&content).await;
    readers.wait_for("message:new").await;
    // Well before it would expire.
    let ended = timeout(Duration::from_secs(2), readers.wait_for("typing")).await.expect("at once");
    assert_eq!(ended["isTyping"], false);
}

#[tokio::test]
async fn who_joins_first_of_all_is_online_for_herself() {
    let edge = Edge::start().await;
    for _ in 0..12 {
        let user = UserId::fresh();
        let conversation = edge.conversation(&[user]);
        let mut socket = edge.socket(user).await;
        socket.send(&json!({"type": "join", "conversationId": conversation})).await;
        assert_eq!(socket.wait_for("joined").await["online"], json!([user]));
    }
}

#[tokio::test]
async fn a_page_that_reloads_never_goes_offline() {
    let edge = Edge::start().await;
    let user = UserId::fresh();
    let online = async || edge.shared.presence(&[user]).await.expect("it answers")[0];
    let first = edge.socket(user).await;
    until("the first socket counts", async || online().await.online).await;
    let version = online().await.version;
    drop(first);
    let second = edge.socket(user).await;
    let unchanged = async || {
        let now = online().await;
        assert!(now.online && now.version == version, "{now:?}");
    };
    until("the session of the first has ended, after its grace", async || {
        unchanged().await;
        edge.shared.ended() == 1
    })
    .await;
    unchanged().await;
    drop(second);
    until("the user has gone", async || !online().await.online).await;
}
