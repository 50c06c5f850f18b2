//! A block closes a direct conversation: neither typing, nor receipts, nor presence pass through it.

use futures_util::StreamExt;
use natter_nats::{message, subject};
use natter_schemas::{
    event::Timestamp,
    id::{ConversationId, UserId},
    rpc::{Control, OwnMark, ReadMark},
};
use natter_testkit::until;
use serde_json::json;
use tokio::time::timeout;

use crate::harness::{Edge, PATIENCE, Socket};

/// Two users with a socket each, their conversation, and one of the first of them with a third user.
struct Pair {
    edge: Edge,
    users: [UserId; 2],
    sockets: [Socket; 2],
    conversation: ConversationId,
    third: UserId,
    elsewhere: ConversationId,
}

impl Pair {
    async fn start() -> Self {
        let edge = Edge::start().await;
        let users = [UserId::fresh(), UserId::fresh()];
        let (conversation, third) = (edge.conversation(&users), UserId::fresh());
        let elsewhere = edge.conversation(&[users[0], third]);
        let sockets = [edge.socket(users[0]).await, edge.socket(users[1]).await];
        Self { edge, users, sockets, conversation, third, elsewhere }
    }

    /// One blocks the other, or no longer does; returns when the edge knows.
    async fn block(&self, blocked: bool) {
        let conversation = self.conversation;
        self.edge.services.set_blocked(conversation, blocked);
        for user in self.users {
            let change = Control::BlockChanged { conversation, lifted: !blocked };
            self.edge.control(subject::control_user(user), change).await;
        }
        for user in self.users {
            until("the edge knows of the block", async || {
                let access = self.edge.app.members.access(user, conversation).await;
                access.is_ok_and(|access| access.blocked == blocked)
            })
            .await;
        }
    }
}

#[tokio::test]
async fn typing_does_not_pass_a_block() {
    let mut pair = Pair::start().await;
    let mut signals = pair.edge.nats.subscribe("signal.>").await.expect("connected");
    pair.edge.nats.flush().await.expect("connected");
    for conversation in [pair.elsewhere, pair.conversation] {
        pair.sockets[0].send(&json!({"type": "join", "conversationId": conversation})).await;
        pair.sockets[0].wait_for("joined").await;
    }
    pair.block(true).await;
    for conversation in [pair.conversation, pair.elsewhere] {
        let typing = json!({"type": "typing", "conversationId": conversation, "isTyping": true});
        pair.sockets[0].send(&typing).await;
    }
    assert_eq!(pair.sockets[0].wait_for("error").await["code"], "forbidden");
    let first = timeout(PATIENCE, signals.next()).await.expect("in time").expect("a signal");
    assert!(first.subject.ends_with(&pair.elsewhere.to_string()), "{}", first.subject);
}

#[tokio::test]
async fn a_receipt_of_a_blocked_conversation_is_the_readers_alone() {
    let mut pair = Pair::start().await;
    let ([reader, _], conversation) = (pair.users, pair.conversation);
    let mut own = pair.edge.socket(reader).await;
    for blocked in [true, false] {
        pair.block(blocked).await;
        let read = json!({"type": "read", "id": 1, "conversationId": conversation, "seq": 7});
        pair.sockets[0].send(&read).await;
        pair.sockets[0].wait_for("read:ack").await;
        assert_eq!(pair.edge.services.marks().last().map(|mark| mark.private), Some(blocked));
    }
    let subject = format!("live-reads.{}.{conversation}.{reader}", pair.edge.partition(conversation));
    for (seq, private) in [(7, true), (8, false)] {
        let mark = ReadMark {
            conversation,
            user: reader,
            seq,
            at: Timestamp(1),
            private,
            moved: true,
            own: OwnMark { seq, version: 0 },
        };
        message::send(&pair.edge.nats, subject.clone(), &mark).await.expect("connected");
    }
    for seq in [7, 8] {
        assert_eq!(own.wait_for("read:receipt").await["seq"], seq);
    }
    assert_eq!(pair.sockets[1].wait_for("read:receipt").await["seq"], 8, "the first is not for the other");
}

#[tokio::test]
async fn presence_does_not_pass_a_block_and_is_right_again_after_it() {
    let pair = Pair::start().await;
    let [viewer, user] = pair.users;
    pair.block(true).await;
    let mut watching = pair.edge.socket(viewer).await;
    for conversation in [pair.conversation, pair.elsewhere] {
        watching.send(&json!({"type": "join", "conversationId": conversation})).await;
        let joined = watching.wait_for("joined").await;
        assert!(!joined["online"].as_array().expect("a list").contains(&json!(user)), "{joined}");
    }
    until("the user is online", async || {
        pair.edge.app.shared.presence(&[user]).await.is_ok_and(|presences| presences[0].online)
    })
    .await;
    let Pair { edge, users, sockets: [_viewers, users_socket], conversation, third, .. } = pair;
    drop(users_socket);
    // Presence is sent in rounds: what came before a third user's is sent with it at the latest, or never.
    let thirds = edge.socket(third).await;
    let online = watching.wait_for("presence").await;
    assert_eq!((&online["userId"], &online["status"]), (&json!(third), &json!("online")));
    drop(thirds);
    let offline = watching.wait_for("presence").await;
    assert_eq!((&offline["userId"], &offline["status"]), (&json!(third), &json!("offline")));

    edge.services.set_blocked(conversation, false);
    let change = Control::BlockChanged { conversation, lifted: true };
    for user in users {
        edge.control(subject::control_user(user), change).await;
    }
    let after = watching.wait_for("presence").await;
    assert_eq!((&after["userId"], &after["status"]), (&json!(user), &json!("offline")));
}
