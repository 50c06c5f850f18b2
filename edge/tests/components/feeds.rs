//! What arrives from NATS: events in order, gaps filled, removals applied.

use std::collections::BTreeSet;

use natter_nats::{
    async_nats::{HeaderMap, jetstream},
    header, message, subject,
};
use natter_schemas::{
    code::Code,
    event::{LogEntry, Role, Timestamp},
    id::{ConversationId, Seq, UserId},
    rpc::{Control, OwnMark, ReadMark},
    version::{Versions, WIRE},
};
use natter_testkit::until;
use serde_json::{Value, json};

use crate::harness::{Edge, Socket, membership, posted};

#[tokio::test]
async fn live_events_arrive_in_the_order_of_the_log_and_chain() {
    let edge = Edge::start().await;
    let user = UserId::fresh();
    let (conversation, other) = (edge.conversation(&[user]), edge.conversation(&[]));
    let mut socket = edge.socket(user).await;
    let mut stored = Vec::new();
    for number in 0..50 {
        stored.push(edge.store(conversation, &number.to_string()).await.seq);
        edge.store(other, "of a conversation without members here").await;
    }
    let mut prev = 0;
    for seq in stored {
        assert_eq!(next_event(&mut socket).await, (seq, prev));
        prev = seq;
    }
}

#[tokio::test]
async fn an_event_lost_on_its_way_is_filled_in_before_the_one_after_it() {
    let edge = Edge::start().await;
    let user = UserId::fresh();
    let conversation = edge.conversation(&[user]);
    let mut socket = edge.socket(user).await;
    let first = edge.store(conversation, "first").await.seq;
    let lost = LogEntry { seq: first + 1, event: posted(conversation, "lost") };
    let last = LogEntry { seq: first + 2, event: posted(conversation, "last") };
    edge.services.add_to_history(lost.clone());
    edge.services.add_to_history(last.clone());
    edge.republish(&last, lost.seq).await;
    for chain in [(first, 0), (lost.seq, first), (last.seq, lost.seq)] {
        assert_eq!(next_event(&mut socket).await, chain);
    }
}

/// The one after it is of another conversation, and no one speaks in the first one again.
#[tokio::test]
async fn a_lost_event_is_filled_in_though_heads_are_not_known_at_once() {
    let edge = Edge::start().await;
    let user = UserId::fresh();
    let (conversation, other) = (edge.conversation(&[user]), edge.conversation(&[user]));
    let mut socket = edge.socket(user).await;
    let first = edge.store(conversation, "first").await.seq;
    assert_eq!(next_event(&mut socket).await, (first, 0));
    let lost = LogEntry { seq: first + 1, event: posted(conversation, "lost") };
    let last = LogEntry { seq: first + 2, event: posted(other, "in another conversation") };
    edge.services.add_to_history(lost.clone());
    edge.services.add_to_history(last.clone());
    edge.services.refuse_heads(2);
    edge.republish(&last, 0).await;
    assert_eq!(next_event(&mut socket).await, (last.seq, 0));
    assert_eq!(next_event(&mut socket).await, (lost.seq, first));
}

#[tokio::test]
async fn a_removed_member_gets_nothing_more_of_the_conversation() {
    let edge = Edge::start().await;
    let user = UserId::fresh();
    let (conversation, other) = (edge.conversation(&[user]), edge.conversation(&[user]));
    let mut socket = edge.socket(user).await;
    edge.control(subject::control_user(user), Control::Membership(membership(conversation, None, 2))).await;
    assert_eq!(socket.expect("conversation:removed").await["conversationId"], conversation.to_string());
    edge.store(conversation, "after the removal").await;
    // Stored later in the same partition: what came before it was delivered, or never will be.
    edge.store(other, "in another conversation").await;
    assert_eq!(socket.expect("message:new").await["conversationId"], other.to_string());
    socket.post(conversation, "c1").await;
    assert_eq!(socket.expect("error").await["code"], "not_found");
}

#[tokio::test]
async fn an_added_member_is_sent_the_conversation_and_its_events() {
    let edge = Edge::start().await;
    let user = UserId::fresh();
    let mut socket = edge.socket(user).await;
    let conversation = edge.conversation(&[user]);
    let past = edge.store(conversation, "before the member came").await.seq;
    let version = edge.store(conversation, "the event that added the member").await.seq;
    let seq = edge.store(conversation, "before CONTROL arrived").await.seq;
    edge.control(
        subject::control_user(user),
        Control::Membership(membership(conversation, Some(Role::Member), version)),
    )
    .await;
    let added = socket.expect("conversation:added").await["conversation"].take();
    assert_eq!(added["id"], conversation.to_string());
    // Its head is a position: what comes after it follows, and is not counted in it.
    assert_eq!((&added["headSeq"], &added["unreadCount"]), (&json!(version), &json!(0)));
    assert_eq!(added["lastMessage"]["seq"], past);
    assert_eq!(next_event(&mut socket).await, (seq, version));
}

#[tokio::test]
async fn a_notice_of_a_block_makes_the_edge_ask_what_is_stored() {
    let edge = Edge::start().await;
    let user = UserId::fresh();
    let conversation = edge.conversation(&[user]);
    let blocked = async || edge.app.members.access(user, conversation).await.expect("a member").blocked;
    assert!(!blocked().await, "what the edge has loaded");
    for stored in [true, false, true] {
        edge.services.set_blocked(conversation, stored);
        edge.control(subject::control_user(user), Control::BlockChanged { conversation, lifted: !stored })
            .await;
        until("what is stored counts", async || blocked().await == stored).await;
    }
}

#[tokio::test]
async fn a_session_that_ends_closes_its_sockets_and_its_token_is_refused() {
    let edge = Edge::start().await;
    let user = UserId::fresh();
    let token = edge.token(user);
    let session = edge.app.tokens.verify(&token).expect("a fresh token").session;
    let hello = json!({"type": "hello", "token": token});
    let (mut socket, mut other) = (edge.open(&hello).await, edge.socket(user).await);
    edge.control(subject::control_session(session), Control::SessionEnded).await;
    assert_eq!(socket.closed().await, 4500);
    let Err(error) = edge.app.hello.accept(&token, None, None).await else { panic!("the token still works") };
    assert_eq!(error.code, Code::SessionRevoked);
    // Another session of the same user goes on.
    other.send(&json!({"type": "ping"})).await;
    other.expect("pong").await;
}

#[tokio::test]
async fn a_user_who_comes_and_goes_is_shown_to_those_who_joined() {
    let edge = Edge::start().await;
    let (viewer, user, stranger) = (UserId::fresh(), UserId::fresh(), UserId::fresh());
    let conversation = edge.conversation(&[viewer, user]);
    edge.conversation(&[stranger]);
    let mut socket = edge.socket(viewer).await;
    socket.send(&json!({"type": "join", "conversationId": conversation})).await;
    socket.wait_for("joined").await;
    let (_strangers, users) = (edge.socket(stranger).await, edge.socket(user).await);
    let online = socket.expect("presence").await;
    assert_eq!((&online["userId"], &online["status"]), (&json!(user), &json!("online")));
    drop(users);
    let offline = socket.expect("presence").await;
    assert_eq!((&offline["userId"], &offline["status"]), (&json!(user), &json!("offline")));
}

#[tokio::test]
async fn messages_that_cannot_be_decoded_are_skipped() {
    let edge = Edge::start().await;
    let user = UserId::fresh();
    let conversation = edge.conversation(&[user]);
    let mut socket = edge.socket(user).await;
    let partition = edge.partition(conversation);
    for subject in [
        format!("live.{partition}.{conversation}"),
        format!("live-reads.{partition}.{conversation}.{user}"),
        format!("signal.{partition}.{conversation}"),
        format!("presence.{user}"),
    ] {
        #[expect(clippy::disallowed_methods, reason = "what no process sends")]
        edge.nats.publish(subject, "?".into()).await.expect("connected");
    }
    let seq = edge.store(conversation, "after them").await.seq;
    assert_eq!(next_event(&mut socket).await, (seq, 0));
}

#[tokio::test]
async fn messages_of_a_version_too_far_from_this_one_are_not_read() {
    let edge = Edge::start().await;
    let user = UserId::fresh();
    let conversation = edge.conversation(&[user]);
    let mut socket = edge.socket(user).await;
    let next = WIRE.newest() + 1;
    let mut headers = HeaderMap::new();
    headers.insert(header::VERSIONS, Versions::new(next, next).to_string());
    let removed = message::encode(&Control::Membership(membership(conversation, None, 2)));
    let js = jetstream::new(edge.nats.clone());
    let stored = js.publish_with_headers(subject::control_user(user), headers.clone(), removed).await;
    stored.expect("connected").await.expect("CONTROL takes it");
    let subject = format!("live-reads.{}.{conversation}.{user}", edge.partition(conversation));
    let mark = |seq| read_up_to(conversation, user, seq);
    #[expect(clippy::disallowed_methods, reason = "as a process of that version sends it")]
    let sent = edge.nats.publish_with_headers(subject.clone(), headers, message::encode(&mark(7))).await;
    sent.expect("connected");
    message::send(&edge.nats, subject, &mark(8)).await.expect("connected");
    let receipt = socket.expect("read:receipt").await;
    assert_eq!(receipt["seq"], 8, "no one was removed, and the mark before it is none");
}

/// The last of a user who has also marked something as unread since: how far was read is shown all the same.
#[tokio::test]
async fn a_read_mark_lost_on_its_way_is_shown_as_what_it_became() {
    let edge = Edge::start().await;
    let [user, first, second] = [(); 3].map(|()| UserId::fresh());
    let conversation = edge.conversation(&[user, first, second]);
    let mut socket = edge.socket(user).await;
    let unmoved = ReadMark { moved: false, ..read_up_to(conversation, first, 12) };
    edge.services.lost_marks.add([(2, unmoved), (3, read_up_to(conversation, second, 13))]).await;
    let mut headers = HeaderMap::new();
    headers.insert(header::SEQUENCE, "4");
    let subject = format!("live-reads.{}.{conversation}.{user}", edge.partition(conversation));
    let mark = message::encode(&read_up_to(conversation, user, 14));
    #[expect(clippy::disallowed_methods, reason = "as the server republishes it")]
    edge.nats.publish_with_headers(subject, headers, mark).await.expect("connected");
    let mut shown = BTreeSet::new();
    while shown.len() < 3 {
        shown.insert(socket.expect("read:receipt").await["seq"].as_u64());
    }
    assert_eq!(shown, [12, 13, 14].map(Some).into());
}

#[tokio::test]
async fn a_read_mark_that_nothing_follows_is_shown_as_well() {
    let edge = Edge::start().await;
    let [user, reader] = [(); 2].map(|()| UserId::fresh());
    let conversation = edge.conversation(&[user, reader]);
    let mut socket = edge.socket(user).await;
    edge.services.lost_marks.add([(2, read_up_to(conversation, reader, 12))]).await;
    assert_eq!(socket.expect("read:receipt").await["seq"], 12);
}

fn read_up_to(conversation: ConversationId, user: UserId, seq: Seq) -> ReadMark {
    let (own, at) = (OwnMark { seq, version: 0 }, Timestamp(1));
    ReadMark { conversation, user, seq, at, private: false, moved: true, own }
}

/// `(seq, prevSeq)` of the next frame, which is a message.
async fn next_event(socket: &mut Socket) -> (u64, u64) {
    let frame = socket.expect("message:new").await;
    let number = |value: &Value| value.as_u64().expect("a seq");
    (number(&frame["seq"]), number(&frame["prevSeq"]))
}
