//! Sending: stored once, acked with the log's seq, refused where the user is not a member.

use std::time::Instant;

use natter_schemas::{
    event::{Event, Kind},
    id::{ConversationId, Seq, UserId},
    limits,
};
use natter_testkit::until;
use serde_json::{Value, json};

use crate::harness::{Edge, Socket, posted};

#[tokio::test]
async fn a_message_is_stored_once_and_acked_with_its_seq() {
    let edge = Edge::start().await;
    let user = UserId::fresh();
    let conversation = edge.conversation(&[user]);
    let mut socket = edge.socket(user).await;
    socket.post(conversation, "c1").await;
    // The live copy may overtake the ack.
    let mut frames = [socket.next().await.expect("a frame"), socket.next().await.expect("a frame")];
    frames.sort_by_key(|frame| frame["type"].to_string());
    let [ack, new] = frames;
    assert_eq!((&ack["type"], &new["type"]), (&json!("ack"), &json!("message:new")));
    assert_eq!((&ack["id"], &ack["duplicate"]), (&json!("c1"), &json!(false)));
    assert_eq!((&ack["seq"], &ack["messageId"]), (&new["seq"], &new["message"]["id"]));
    assert_eq!(edge.services.stored(conversation).await, ["content of c1"]);
}

#[tokio::test]
async fn a_message_sent_again_is_acked_as_a_duplicate_with_the_first_seq() {
    let edge = Edge::start().await;
    let user = UserId::fresh();
    let conversation = edge.conversation(&[user]);
    let mut socket = edge.socket(user).await;
    socket.post(conversation, "c1").await;
    let first = socket.wait_for("ack").await;
    edge.store(conversation, "between").await;

    socket.post(conversation, "c1").await;
    let again = socket.wait_for("ack").await;
    assert_eq!((&again["seq"], &again["messageId"]), (&first["seq"], &first["messageId"]));
    assert_eq!(again["duplicate"], true);

    let retry = json!({
        "type": "send", "conversationId": conversation, "content": "content of c1", "clientId": "c1", "retry": true,
    });
    socket.send(&retry).await;
    let found = socket.wait_for("ack").await;
    assert_eq!((&found["seq"], &found["duplicate"]), (&first["seq"], &json!(true)));
    assert_eq!(edge.services.stored(conversation).await, ["content of c1", "between"]);
}

#[tokio::test]
async fn a_message_older_than_the_log_remembers_is_recognized_when_it_is_repeated() {
    let edge = Edge::start().await;
    let user = UserId::fresh();
    let conversation = edge.conversation(&[user]);
    // In history only: the log has forgotten its id.
    let old = edge.sent_long_ago(user, conversation, ("phone", "c1"), "content of c1");
    edge.services.add_to_history(old.clone());
    let hello = json!({"type": "hello", "token": edge.token(user), "deviceId": "phone"});
    let mut socket = edge.open(&hello).await;
    let body = json!({
        "conversationId": conversation, "content": "content of c1", "clientId": "c1", "deviceId": "phone",
    });
    for retry in [false, true] {
        let mut frame = body.clone();
        (frame["type"], frame["retry"]) = (json!("send"), json!(retry));
        socket.send(&frame).await;
        let ack = socket.wait_for("ack").await;
        assert_eq!((&ack["seq"], &ack["duplicate"]), (&json!(old.seq), &json!(true)));
    }

    for key in [None, Some("a-new-key")] {
        let (status, message) = edge.post_message(user, key, &body).await;
        assert_eq!((status, &message["id"]), (201, &json!(old.event.id)));
    }
    assert_eq!(edge.services.stored(conversation).await, ["content of c1"]);
}

#[tokio::test]
async fn sends_that_wait_together_are_looked_up_together() {
    let edge = Edge::start().await;
    let user = UserId::fresh();
    let rooms: Vec<_> = (0..100).map(|_| edge.conversation(&[user])).collect();
    let mut socket = edge.socket(user).await;
    edge.services.stall_lookups(true);
    for room in &rooms {
        socket.post(*room, "c1").await;
    }
    until("the first call has arrived", async || edge.services.lookups() > 0).await;
    edge.services.stall_lookups(false);
    for _ in &rooms {
        socket.wait_for("ack").await;
    }
    assert!(edge.services.lookups() < 20, "{} calls for 100 sends", edge.services.lookups());
}

#[tokio::test]
async fn a_client_id_with_a_recent_prefix_is_not_looked_up() {
    let edge = Edge::start().await;
    let user = UserId::fresh();
    let conversation = edge.conversation(&[user]);
    let mut socket = Socket::connect(edge.address()).await;
    socket.send(&json!({"type": "hello", "token": edge.token(user), "deviceId": "phone"})).await;
    let prefix = socket.expect("welcome").await["clientIdPrefix"].as_str().expect("a prefix").to_owned();
    let client_id = format!("{prefix}1");

    socket.post(conversation, &client_id).await;
    let first = socket.wait_for("ack").await;
    assert_eq!((&first["duplicate"], &first["clientIdPrefix"]), (&json!(false), &Value::Null));
    socket.post(conversation, &client_id).await;
    let again = socket.wait_for("ack").await;
    assert_eq!((&again["seq"], &again["duplicate"]), (&first["seq"], &json!(true)));
    let body = json!({
        "conversationId": conversation, "content": format!("content of {client_id}"), "clientId": client_id,
        "deviceId": "phone",
    });
    let (status, message) = edge.post_message(user, None, &body).await;
    assert_eq!((status, &message["id"]), (201, &first["messageId"]));
    assert_eq!(edge.services.lookups(), 0);

    let mut retry = body.clone();
    (retry["type"], retry["retry"]) = (json!("send"), json!(true));
    socket.send(&retry).await;
    assert_eq!(socket.wait_for("ack").await["seq"], first["seq"]);
    assert_eq!(edge.services.lookups(), 1, "a retry is always looked up");
    socket.post(conversation, &format!("!{}", &client_id[1..])).await;
    socket.wait_for("ack").await;
    assert_eq!(edge.services.lookups(), 2, "a prefix of another origin is looked up");
}

#[tokio::test]
async fn a_sender_who_was_just_removed_fails_alone() {
    let edge = Edge::start().await;
    let (user, removed) = (UserId::fresh(), UserId::fresh());
    let rooms: Vec<_> = (0..8).map(|_| edge.conversation(&[user])).collect();
    let left = edge.conversation(&[removed]);
    let (mut socket, mut late) = (edge.socket(user).await, edge.socket(removed).await);
    // The edge is not notified of it yet.
    edge.services.end_memberships(removed);
    edge.services.stall_lookups(true);
    let (first, others) = rooms.split_at(4);
    for (room, calls) in first.iter().zip(1..) {
        socket.post(*room, "c1").await;
        until("a call is on its way", async || edge.services.lookups() == calls).await;
    }
    // More may not be: these wait together.
    late.post(left, "c1").await;
    for room in others {
        socket.post(*room, "c1").await;
    }
    for socket in [&mut late, &mut socket] {
        socket.send(&json!({"type": "ping"})).await;
        socket.wait_for("pong").await;
    }
    edge.services.stall_lookups(false);
    assert_eq!(late.wait_for("error").await["code"], "not_found");
    let mut acked = 0;
    while acked < rooms.len() {
        let frame = socket.next().await.expect("an open socket");
        assert_ne!(frame["type"], "error", "{frame}");
        acked += usize::from(frame["type"] == "ack");
    }
    assert_eq!(edge.services.stored(left).await, Vec::<String>::new());
}

#[tokio::test]
async fn sends_do_not_wait_for_a_history_that_does_not_answer() {
    let edge = Edge::start().await;
    let user = UserId::fresh();
    let conversation = edge.conversation(&[user]);
    let mut socket = edge.socket(user).await;
    edge.services.stall_lookups(true);
    socket.post(conversation, "first").await;
    socket.wait_for("ack").await;
    let started = Instant::now();
    for n in 0..50 {
        socket.post(conversation, &n.to_string()).await;
        socket.wait_for("ack").await;
    }
    assert!(started.elapsed() < limits::RPC_BEFORE_SEND, "{:?} for 50 sends", started.elapsed());

    edge.services.stall_lookups(false);
    let hello = json!({"type": "hello", "token": edge.token(user), "deviceId": "phone"});
    let mut phone = edge.open(&hello).await;
    let quiet = edge.conversation(&[user]);
    let mut names = (0..).map(|n| format!("old-{n}"));
    until("a repeat of an old message is recognized again", async || {
        let name = names.next().expect("endless");
        let old = edge.sent_long_ago(user, quiet, ("phone", &name), &format!("content of {name}"));
        edge.services.add_to_history(old.clone());
        phone.post(quiet, &name).await;
        phone.wait_for("ack").await["seq"] == json!(old.seq)
    })
    .await;
}

#[tokio::test]
async fn a_name_used_with_other_content_is_refused() {
    let edge = Edge::start().await;
    let user = UserId::fresh();
    let conversation = edge.conversation(&[user]);
    let old = edge.sent_long_ago(user, conversation, ("phone", "old"), "another text");
    edge.services.add_to_history(old);
    let hello = json!({"type": "hello", "token": edge.token(user), "deviceId": "phone"});
    let mut socket = edge.open(&hello).await;
    socket.post(conversation, "new").await;
    socket.wait_for("ack").await;
    for name in ["old", "new"] {
        let body = json!({
            "conversationId": conversation, "content": "third", "clientId": name, "deviceId": "phone",
        });
        let mut frame = body.clone();
        (frame["type"], frame["retry"]) = (json!("send"), json!(true));
        socket.send(&frame).await;
        assert_eq!(socket.wait_for("error").await["code"], "idempotency_mismatch", "{name}");
        for key in [None, Some(name)] {
            let (status, problem) = edge.post_message(user, key, &body).await;
            assert_eq!((status, &problem["code"]), (422, &json!("idempotency_mismatch")), "{name} {key:?}");
        }
    }
    assert_eq!(edge.services.stored(conversation).await, ["content of new", "another text"]);
}

#[tokio::test]
async fn a_message_into_an_unknown_conversation_is_refused_and_not_stored() {
    let edge = Edge::start().await;
    let (user, elsewhere) = (UserId::fresh(), ConversationId::fresh());
    let conversation = edge.conversation(&[UserId::fresh()]);
    let mut socket = edge.socket(user).await;
    for conversation in [conversation, elsewhere] {
        socket.post(conversation, "c1").await;
        let error = socket.expect("error").await;
        assert_eq!((&error["id"], &error["code"]), (&json!("c1"), &json!("not_found")));
        assert!(edge.services.stored(conversation).await.is_empty());
    }
}

#[tokio::test]
async fn a_message_is_edited_by_its_author_only() {
    let edge = Edge::start().await;
    let (author, other) = (UserId::fresh(), UserId::fresh());
    let conversation = edge.conversation(&[author, other]);
    let (mut socket, mut others) = (edge.socket(author).await, edge.socket(other).await);
    socket.post(conversation, "c1").await;
    let seq = socket.wait_for("ack").await["seq"].clone();
    let edit = json!({"type": "edit", "conversationId": conversation, "seq": seq, "content": "better"});
    others.send(&edit).await;
    assert_eq!(others.wait_for("error").await["code"], "forbidden");
    socket.send(&edit).await;
    assert_eq!(others.wait_for("message:edited").await["content"], "better");
}

/// An edge with a message of a user: its socket, the conversation, and the message's seq.
async fn with_message() -> (Edge, Socket, ConversationId, Seq) {
    let edge = Edge::start().await;
    let author = UserId::fresh();
    let conversation = edge.conversation(&[author]);
    let mut socket = edge.socket(author).await;
    socket.post(conversation, "c1").await;
    let seq = socket.wait_for("ack").await["seq"].as_u64().expect("a seq");
    (edge, socket, conversation, seq)
}

fn changes(conversation: ConversationId, seq: Seq) -> [Value; 3] {
    [
        json!({"type": "edit", "conversationId": conversation, "seq": seq, "content": "late"}),
        json!({"type": "react", "conversationId": conversation, "seq": seq, "emoji": "👍", "on": true}),
        json!({"type": "delete", "conversationId": conversation, "seq": seq}),
    ]
}

#[tokio::test]
async fn a_change_that_a_deletion_overtakes_is_refused_and_not_stored() {
    for change in 0..2 {
        let (edge, mut socket, conversation, seq) = with_message().await;
        let deletion = Event { kind: Kind::Deleted { target: seq }, ..posted(conversation, "") };
        edge.services.overtake([deletion.clone()]);
        socket.send(&changes(conversation, seq)[change]).await;
        assert_eq!(socket.wait_for("error").await["code"], "conflict");
        let logged = edge.services.logged(conversation).await;
        assert_eq!(logged.len(), 2, "{logged:?}");
        assert_eq!(logged[1].event, deletion);
    }
}

#[tokio::test]
async fn of_two_deletions_at_once_one_is_stored_and_both_are_acked() {
    let (edge, mut socket, conversation, seq) = with_message().await;
    edge.services.overtake([Event { kind: Kind::Deleted { target: seq }, ..posted(conversation, "") }]);
    socket.send(&changes(conversation, seq)[2]).await;
    let ack = socket.wait_for("ack").await;
    let logged = edge.services.logged(conversation).await;
    assert_eq!(logged.len(), 2, "{logged:?}");
    let stored = &logged[1];
    assert_eq!((&ack["seq"], &ack["messageId"]), (&json!(stored.seq), &json!(stored.event.id)));
    assert_eq!(ack["duplicate"], true);
}

#[tokio::test]
async fn a_change_that_messages_overtake_is_decided_again() {
    let (edge, mut socket, conversation, seq) = with_message().await;
    edge.services.overtake((0..5).map(|n| posted(conversation, &n.to_string())));
    socket.send(&changes(conversation, seq)[1]).await;
    let ack = socket.wait_for("ack").await;
    assert_eq!((&ack["seq"], &ack["duplicate"]), (&json!(seq + 6), &json!(false)));
    assert_eq!(edge.services.logged(conversation).await.len(), 7);
}
