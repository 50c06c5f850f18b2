//! What a socket missed while it was away: sent in order, once, before what is live.

use natter_schemas::id::{ConversationId, UserId};
use serde_json::json;

use crate::harness::Edge;

#[tokio::test]
async fn what_was_missed_is_sent_in_order_and_then_what_is_live() {
    let edge = Edge::start().await;
    let user = UserId::fresh();
    let conversation = edge.conversation(&[user]);
    let held = edge.store(conversation, "held").await.seq;
    let missed = [edge.store(conversation, "missed").await.seq, edge.store(conversation, "too").await.seq];
    let mut socket = edge.resuming(user, edge.epoch(), &[(conversation, held)]).await;
    let mut prev = held;
    for seq in missed {
        let frame = socket.expect("message:new").await;
        assert_eq!((&frame["seq"], &frame["prevSeq"]), (&json!(seq), &json!(prev)));
        prev = seq;
    }
    socket.expect("resume:done").await;
    let live = edge.store(conversation, "live").await.seq;
    let frame = socket.expect("message:new").await;
    assert_eq!((&frame["seq"], &frame["prevSeq"]), (&json!(live), &json!(prev)));
}

#[tokio::test]
async fn positions_of_another_epoch_make_the_client_reload() {
    let edge = Edge::start().await;
    let user = UserId::fresh();
    let conversation = edge.conversation(&[user]);
    let head = edge.store(conversation, "of this epoch").await.seq;
    let mut socket = edge.resuming(user, "another", &[(conversation, 1)]).await;
    let gap = socket.expect("resume:gap").await;
    assert_eq!((&gap["conversationId"], &gap["headSeq"]), (&json!(conversation), &json!(head)));
    socket.expect("resume:done").await;
}

#[tokio::test]
async fn a_conversation_without_membership_is_reported_as_removed() {
    let edge = Edge::start().await;
    let left = ConversationId::fresh();
    let mut socket = edge.resuming(UserId::fresh(), edge.epoch(), &[(left, 7)]).await;
    assert_eq!(socket.expect("conversation:removed").await["conversationId"], left.to_string());
    socket.expect("resume:done").await;
}
