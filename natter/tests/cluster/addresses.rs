//! What was made is where its answer says.

use reqwest::Method;
use serde_json::json;

use crate::shared;
use natter_testkit::{Answer, PASSWORD};

fn place(answer: &Answer) -> String {
    answer.headers["location"].to_str().unwrap().to_owned()
}

#[tokio::test]
async fn what_was_made_is_at_the_address_of_its_answer() {
    let cluster = shared().await;
    let (alice, bob) = (cluster.user(0, "alice").await, cluster.user(1, "bob").await);

    let name = format!("carol-{}", bob.id);
    let name = &name[..32];
    let account = json!({"username": name, "email": format!("{name}@tests.example"), "password": PASSWORD});
    let registered = alice.post("/api/auth/register", &account).await;
    let profile = bob.get(&place(&registered)).await.ok(200);
    assert_eq!(profile["id"], registered.ok(201)["user"]["id"]);

    for (kind, key) in [("direct", None), ("group", None), ("group", Some("k"))] {
        let body = json!({"type": kind, "participantIds": [bob.id]});
        let headers: Vec<_> = key.map(|key| ("Idempotency-Key", key)).into_iter().collect();
        let made = alice.call_with(Method::POST, "/api/conversations", &headers, Some(&body)).await;
        let conversation = bob.get(&place(&made)).await.ok(200);
        let again = alice.call_with(Method::POST, "/api/conversations", &headers, Some(&body)).await;
        // A direct conversation that exists is not made again.
        assert_eq!(again.headers.contains_key("location"), kind == "group", "{again:?}");
        assert_eq!(conversation["id"], made.ok(201)["id"]);
    }
}

#[tokio::test]
async fn a_message_is_at_its_address_in_its_present_state() {
    let cluster = shared().await;
    let (alice, bob, eve) =
        (cluster.user(0, "alice").await, cluster.user(1, "bob").await, cluster.user(1, "eve").await);
    let room = alice.group(&[&bob]).await;
    let posted = alice.post_once("a-key", &room.id, "hello").await;
    let place = place(&posted);
    let message = posted.ok(201);
    assert_eq!(place, room.path(&format!("/messages/{}", message["seq"])));
    assert_eq!(bob.get(&place).await.ok(200), message);
    let replayed = alice.post_once("a-key", &room.id, "hello").await;
    assert_eq!(replayed.headers["idempotency-replayed"], "true");
    assert_eq!(replayed.headers["location"].to_str().unwrap(), place);

    alice.patch(&place, &json!({"content": "hello, world"})).await.ok(200);
    bob.put(&format!("{place}/reactions/%F0%9F%91%8D")).await.ok(204);
    let message = bob.get(&place).await.ok(200);
    assert_eq!((&message["content"], &message["reactions"][0]["me"]), (&json!("hello, world"), &json!(true)));
    alice.delete(&place).await.ok(204);
    assert_eq!(bob.get(&place).await.ok(200)["content"], json!(null));

    assert_eq!(eve.get(&place).await.code(), (404, "not_found"));
    let no_message = room.path(&format!("/messages/{}", room.head));
    assert_eq!(bob.get(&no_message).await.code(), (404, "not_found"));
}
