//! What a user missed while away, in one call.

use serde_json::{Value, json};

use crate::shared;
use natter_testkit::{User, until};

async fn inbox(user: &User) -> Value {
    let (one, other) = (user.get("/api/inbox").await.ok(200), user.at(1).get("/api/inbox").await.ok(200));
    assert_eq!(one, other, "the edges disagree");
    one
}

#[tokio::test]
async fn a_user_who_was_away_gets_rooms_and_counts_newest_first() {
    let cluster = shared().await;
    let (alice, bob, carol) =
        (cluster.user(0, "alice").await, cluster.user(0, "bob").await, cluster.user(1, "carol").await);
    let (many, few, quiet, read, own) = (
        alice.group(&[&bob]).await,
        carol.group(&[&bob]).await,
        alice.group(&[&bob]).await,
        alice.group(&[&bob]).await,
        alice.direct(&bob).await,
    );
    let mut sender = alice.device("a").await;
    let mut asked = Vec::new();
    for number in 0..105 {
        let body = json!({"content": format!("m{number}"), "clientId": format!("c{number}")});
        asked.push(sender.request(many.frame("send", &body)).await);
    }
    for id in asked {
        assert_eq!(sender.answer(id).await["type"], "ack");
    }
    let at_read = alice.post_message(&read, "seen").await;
    bob.mark_read(&read, at_read).await;
    bob.post_message(&own, "own words are not news").await;
    carol.post_message(&few, "one").await;
    let gone = carol.post_message(&few, "two").await;
    let last = carol.post_message(&few, "three").await;
    carol.delete(&few.path(&format!("/messages/{gone}"))).await.ok(204);
    let edit = json!({"content": "edited"});
    let edited = carol.patch(&few.path(&format!("/messages/{last}")), &edit).await.ok(200);
    // Each edge measures the log's time for itself: some milliseconds apart, more on a busy machine.
    until("alice's edge is past the edit", async || {
        alice.get("/health").await.ok(200)["timestamp"].as_str() > edited["editedAt"].as_str()
    })
    .await;
    let direct = alice.post_message(&own, "hello bob").await;

    let inbox = inbox(&bob).await;
    let items = inbox["items"].as_array().unwrap();
    let rooms: Vec<&Value> = items.iter().map(|item| &item["conversationId"]).collect();
    assert_eq!(rooms, [&json!(own.id), &json!(few.id), &json!(many.id)], "not {} nor {}", quiet.id, read.id);
    let counts: Vec<&Value> = items.iter().map(|item| &item["unreadCount"]).collect();
    assert_eq!(counts, [1, 2, 100]);
    assert_eq!(inbox["totalUnread"], 103);
    assert_eq!(items[0]["lastMessage"]["content"], "hello bob");
    assert_eq!((&items[0]["headSeq"], &items[0]["lastMessage"]["seq"]), (&json!(direct), &json!(direct)));
    assert_eq!(items[1]["lastMessage"]["content"], "edited");
    assert_eq!(items[2]["lastMessage"]["content"], "m104");
    for item in items {
        assert!(item["readSeq"].as_u64() < item["headSeq"].as_u64(), "{item}");
    }
}

#[tokio::test]
async fn a_user_with_nothing_unread_gets_nothing() {
    let cluster = shared().await;
    let (alice, bob) = (cluster.user(0, "alice").await, cluster.user(1, "bob").await);
    assert_eq!(inbox(&alice).await, json!({"totalUnread": 0, "items": [], "nextCursor": null}));
    let room = alice.group(&[&bob]).await;
    assert_eq!(inbox(&bob).await, json!({"totalUnread": 0, "items": [], "nextCursor": null}));
    let last = alice.post_message(&room, "hello").await;
    assert_eq!(inbox(&alice).await, json!({"totalUnread": 0, "items": [], "nextCursor": null}));
    assert_eq!(inbox(&bob).await["totalUnread"], 1);
    bob.mark_read(&room, last).await;
    assert_eq!(inbox(&bob).await, json!({"totalUnread": 0, "items": [], "nextCursor": null}));
    // Everything else that happens is no message.
    alice.patch(&room.path(""), &json!({"name": "Renamed"})).await.ok(200);
    alice.put(&room.path(&format!("/messages/{last}/reactions/%F0%9F%91%8D"))).await.ok(204);
    assert_eq!(inbox(&bob).await["totalUnread"], 0);
}

#[tokio::test]
async fn a_conversation_left_is_in_the_inbox_no_more() {
    let cluster = shared().await;
    let (alice, bob) = (cluster.user(0, "alice").await, cluster.user(1, "bob").await);
    let room = alice.group(&[&bob]).await;
    alice.post_message(&room, "hello").await;
    assert_eq!(inbox(&bob).await["totalUnread"], 1);
    alice.delete(&room.path(&format!("/participants/{}", bob.id))).await.ok(204);
    assert_eq!(inbox(&bob).await, json!({"totalUnread": 0, "items": [], "nextCursor": null}));
}
