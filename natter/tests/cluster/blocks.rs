//! Blocks: a direct conversation is closed for both sides, on both edges.

use std::time::Duration;

use serde_json::json;

use crate::shared;
use natter_testkit::{Device, Room, User, seq, text, until, until_within};

const SOON: Duration = Duration::from_secs(2);

fn path(user: &User) -> String {
    format!("/api/blocks/{}", user.id)
}

/// Within two seconds.
async fn is_closed(device: &mut Device, room: &Room, closed: bool) {
    until_within(SOON, &format!("sending is refused: {closed}"), async || {
        let answer = device.send(room, "x").await;
        let refused = answer["code"] == "forbidden";
        assert!(refused || answer["type"] == "ack", "{answer}");
        refused == closed
    })
    .await;
}

async fn blocked(user: &User) -> Vec<String> {
    let mut lists = Vec::new();
    for edge in [0, 1] {
        let found = user.at(edge).get("/api/blocks").await.ok(200);
        let items = found["items"].as_array().unwrap();
        assert!(items.iter().all(|item| item["username"].is_string() && item["email"].is_null()), "{found}");
        lists.push(items.iter().map(|item| text(&item["id"])).collect::<Vec<_>>());
    }
    assert_eq!(lists[0], lists[1]);
    lists.swap_remove(0)
}

#[tokio::test]
async fn a_block_closes_the_conversation_for_both_until_it_is_lifted() {
    let cluster = shared().await;
    let (alice, bob) = (cluster.user(0, "alice").await, cluster.user(1, "bob").await);
    let room = alice.direct(&bob).await;
    let mut devices = [
        alice.at(0).device("a0").await,
        alice.at(1).device("a1").await,
        bob.at(0).device("b0").await,
        bob.at(1).device("b1").await,
    ];
    let own = devices[0].post(&room, "mine").await;
    let theirs = devices[3].post(&room, "theirs").await;
    for _ in 0..2 {
        alice.put(&path(&bob)).await.ok(204);
        for device in &mut devices {
            is_closed(device, &room, true).await;
        }
        for (device, own) in [(0, own), (3, theirs)] {
            let reply = json!({"content": "x", "clientId": "reply", "replyTo": own});
            for frame in [
                room.frame("send", &reply),
                room.frame("edit", &json!({"seq": own, "content": "x"})),
                room.frame("react", &json!({"seq": own, "emoji": "👍", "on": true})),
            ] {
                let answer = devices[device].call(frame).await;
                assert_eq!(answer["code"], "forbidden", "{answer}");
            }
        }
        for (me, other) in [(&alice, &bob), (&bob, &alice)] {
            let body = json!({"conversationId": room.id, "content": "over HTTP"});
            assert_eq!(me.post("/api/messages", &body).await.code(), (403, "forbidden"));
            let body = json!({"type": "direct", "participantIds": [other.id]});
            assert_eq!(me.post("/api/conversations", &body).await.code(), (403, "forbidden"));
            // What was said stays readable.
            assert!(!me.history(&room).await.is_empty());
        }
        alice.at(1).delete(&path(&bob)).await.ok(204);
        for device in &mut devices {
            is_closed(device, &room, false).await;
        }
    }
}

#[tokio::test]
async fn ones_own_message_can_be_deleted_in_a_blocked_conversation() {
    let cluster = shared().await;
    let (alice, bob) = (cluster.user(0, "alice").await, cluster.user(1, "bob").await);
    let room = alice.direct(&bob).await;
    let (mut a, mut b) = (alice.device("a").await, bob.device("b").await);
    let (mine, theirs) = (a.post(&room, "mine").await, b.post(&room, "theirs").await);
    alice.put(&path(&bob)).await.ok(204);
    is_closed(&mut b, &room, true).await;
    a.call_acked(room.frame("delete", &json!({"seq": mine}))).await;
    b.call_acked(room.frame("delete", &json!({"seq": theirs}))).await;
    let history = bob.history(&room).await;
    assert!(history.iter().filter(|m| [mine, theirs].contains(&seq(m))).all(|m| m["content"].is_null()));
}

#[tokio::test]
async fn a_blocked_user_opens_no_direct_conversation_but_shares_groups() {
    let cluster = shared().await;
    let (alice, bob) = (cluster.user(0, "alice").await, cluster.user(1, "bob").await);
    alice.put(&path(&bob)).await.ok(204);
    for (me, other) in [(&bob, &alice), (&alice, &bob)] {
        let body = json!({"type": "direct", "participantIds": [other.id]});
        assert_eq!(me.post("/api/conversations", &body).await.code(), (403, "forbidden"));
    }
    let group = alice.group(&[&bob]).await;
    bob.post_message(&group, "a group is for all its members").await;
    alice.delete(&path(&bob)).await.ok(204);
    let room = bob.direct(&alice).await;
    bob.post_message(&room, "hello").await;
}

#[tokio::test]
async fn each_side_has_a_block_of_its_own_and_a_list_of_them() {
    let cluster = shared().await;
    let (alice, bob, carol) =
        (cluster.user(0, "alice").await, cluster.user(1, "bob").await, cluster.user(0, "carol").await);
    let room = alice.direct(&bob).await;
    let (mut a, mut b) = (alice.device("a").await, bob.device("b").await);
    alice.put(&path(&bob)).await.ok(204);
    alice.put(&path(&bob)).await.ok(204);
    alice.put(&path(&carol)).await.ok(204);
    bob.put(&path(&alice)).await.ok(204);
    let mut of_alice = blocked(&alice).await;
    of_alice.sort();
    let mut expected = vec![bob.id.clone(), carol.id.clone()];
    expected.sort();
    assert_eq!(of_alice, expected);
    assert_eq!(blocked(&bob).await, std::slice::from_ref(&alice.id));
    assert!(blocked(&carol).await.is_empty(), "who is blocked does not learn of it");
    alice.delete(&path(&bob)).await.ok(204);
    for device in [&mut a, &mut b] {
        is_closed(device, &room, true).await;
    }
    bob.delete(&path(&alice)).await.ok(204);
    for device in [&mut a, &mut b] {
        is_closed(device, &room, false).await;
    }
    assert_eq!(blocked(&alice).await, std::slice::from_ref(&carol.id));
    assert_eq!(alice.put(&path(&alice)).await.code(), (422, "invalid"));
    let unknown = "/api/blocks/01890000-0000-7000-8000-000000000000";
    assert_eq!(alice.put(unknown).await.code(), (404, "not_found"));
    alice.delete(&path(&bob)).await.ok(204);
}

#[tokio::test]
async fn a_blocked_user_sees_nothing_of_the_blocker_and_adds_them_to_nothing() {
    let cluster = shared().await;
    let (alice, bob, carol) =
        (cluster.user(0, "alice").await, cluster.user(1, "bob").await, cluster.user(0, "carol").await);
    let room = alice.direct(&bob).await;
    let theirs = bob.group(&[&carol]).await;
    let (mut a, mut b) = (alice.device("a").await, bob.device("b").await);
    let last = b.post(&room, "are you there").await;
    until("bob sees alice", async || bob.sees_online(&alice).await == Some(true)).await;
    alice.put(&path(&bob)).await.ok(204);
    is_closed(&mut b, &room, true).await;
    is_closed(&mut a, &room, true).await;

    let status = bob.status_of(&alice).await;
    assert_eq!((&status["status"], &status["lastSeenAt"]), (&json!("offline"), &json!(null)));
    let online = b.join(&room).await["online"].take();
    assert!(!online.as_array().unwrap().contains(&json!(alice.id)), "{online}");
    a.join(&room).await;
    b.set_typing(&room, true).await;
    alice.mark_read(&room, last).await;
    let of_alice = |conversation: &serde_json::Value| {
        let participants = conversation["participants"].as_array().unwrap();
        participants.iter().find(|p| p["userId"] == alice.id).unwrap()["readSeq"].clone()
    };
    assert_eq!(of_alice(&bob.conversation(&room).await), 0);
    for (path, body) in [
        ("/api/conversations".to_owned(), json!({"type": "group", "participantIds": [carol.id, alice.id]})),
        ("/api/conversations".to_owned(), json!({"type": "direct", "participantIds": [alice.id]})),
        (theirs.path("/participants"), json!({"userIds": [alice.id]})),
    ] {
        let answer = bob.post(&path, &body).await;
        assert_eq!(answer.code(), (403, "forbidden"));
        assert_eq!(answer.body["detail"], "Not allowed", "the answer does not say why");
    }
    // Whatever was passed on before is here by now.
    let fence = carol.post_message(&theirs, "fence").await;
    b.wait_for_seq(&theirs, fence).await;
    a.ping().await;
    let of = |device: &Device, kind: &str, user: &User| {
        device.frames_of(kind).iter().filter(|frame| frame["userId"] == user.id).count()
    };
    assert_eq!(
        (of(&a, "typing", &bob), of(&b, "read:receipt", &alice), of(&b, "presence", &alice)),
        (0, 0, 0)
    );
}

#[tokio::test]
async fn who_left_a_group_comes_back_by_adding_themselves() {
    let cluster = shared().await;
    let (alice, bob) = (cluster.user(0, "alice").await, cluster.user(1, "bob").await);
    let room = alice.group(&[&bob]).await;
    let device = bob.device("b").await;
    let (participants, body) = (room.path("/participants"), json!({"userIds": [bob.id]}));
    bob.delete(&room.path(&format!("/participants/{}", bob.id))).await.ok(204);
    assert_eq!(alice.post(&participants, &body).await.code(), (403, "forbidden"));
    assert_eq!(
        bob.post(&participants, &json!({"userIds": [bob.id, alice.id]})).await.code(),
        (404, "not_found")
    );
    let again = bob.post(&participants, &body).await.ok(200);
    assert_eq!(again["participantCount"], 2);
    device.wait_for_frame("conversation:added", |frame| frame["type"] == "conversation:added").await;
    bob.post_message(&room, "here again").await;
}
