//! Access begins at once and ends at once, on every device, on both edges.

use std::time::{Duration, Instant};

use serde_json::json;

use crate::shared;
use natter_testkit::{Device, Room, User, chain, kind, seq, until};

/// Guarantee 7.
const SOON: Duration = Duration::from_secs(2);

async fn remove(by: &User, user: &User, room: &Room) {
    by.delete(&room.path(&format!("/participants/{}", user.id))).await.ok(204);
}

async fn add(by: &User, user: &User, room: &Room) {
    by.post(&room.path("/participants"), &json!({"userIds": [user.id]})).await.ok(200);
}

async fn receives(device: &Device, room: &Room, what: &str) {
    device.wait_for_frame(what, |frame| frame["type"] == what && room.has(frame)).await;
}

#[tokio::test]
async fn a_removed_member_gets_nothing_on_either_edge_and_reads_404() {
    let cluster = shared().await;
    let (alice, bob) = (cluster.user(0, "alice").await, cluster.user(1, "bob").await);
    let room = alice.group(&[&bob]).await;
    let mut sender = alice.device("sender").await;
    let witness = alice.at(1).device("witness").await;
    let mut removed = [bob.at(0).device("near").await, bob.device("far").await];
    let before = sender.post(&room, "before").await;
    for device in &mut removed {
        device.wait_for_seq(&room, before).await;
        device.join(&room).await;
    }
    remove(&alice, &bob, &room).await;
    let begun = Instant::now();
    for device in &removed {
        receives(device, &room, "conversation:removed").await;
    }
    assert!(begun.elapsed() < SOON, "it took {:?}", begun.elapsed());

    let after = sender.post(&room, "after").await;
    alice.mark_read(&room, after).await;
    sender.join(&room).await;
    sender.set_typing(&room, true).await;
    witness.wait_for_seq(&room, after).await;
    for device in &mut removed {
        device.ping().await;
        let seen = device.frames();
        let end = seen.iter().position(|frame| kind(frame) == "conversation:removed").unwrap();
        let later: Vec<_> = seen[end + 1..].iter().filter(|frame| room.has(frame)).collect();
        assert!(later.is_empty(), "after the removal: {later:?}");
        assert!(!seen.iter().any(|frame| frame["seq"].as_u64() >= Some(after)), "it got the message");
        let refused = device.call(room.frame("send", &json!({"content": "still?", "clientId": "c"}))).await;
        assert_eq!(refused["code"], "not_found", "{refused}");
    }
    for edge in [0, 1] {
        let bob = bob.at(edge);
        assert_eq!(bob.get(&room.path("")).await.code(), (404, "not_found"));
        let history = format!("/api/messages?conversationId={}", room.id);
        assert_eq!(bob.get(&history).await.code(), (404, "not_found"));
        let seen = bob.status_of(&alice).await;
        assert_eq!(
            (&seen["status"], &seen["lastSeenAt"]),
            (&json!("offline"), &json!(null)),
            "a stranger again"
        );
        let list = bob.get("/api/conversations").await.ok(200);
        assert!(list["items"].as_array().unwrap().is_empty(), "{list}");
    }
    let epoch = witness.epoch();
    let back = bob.resume("near", &epoch, &json!({room.id.clone(): before})).await;
    receives(&back, &room, "conversation:removed").await;
    assert!(chain(&back.frames(), &room, before).is_empty());
}

#[tokio::test]
async fn a_new_member_may_read_the_past_and_has_nothing_unread() {
    let cluster = shared().await;
    let (alice, bob, carol) =
        (cluster.user(0, "alice").await, cluster.user(1, "bob").await, cluster.user(0, "carol").await);
    let room = alice.group(&[&carol]).await;
    let past: Vec<u64> = vec![alice.post_message(&room, "one").await, carol.post_message(&room, "two").await];
    let mut devices = [bob.at(0).device("near").await, bob.device("far").await];
    add(&alice, &bob, &room).await;
    for device in &devices {
        receives(device, &room, "conversation:added").await;
    }
    let conversation = devices[0].frames_of("conversation:added")[0]["conversation"].take();
    assert_eq!(conversation["unreadCount"], 0, "{conversation}");
    assert_eq!(conversation["role"], "member");
    for edge in [0, 1] {
        let history: Vec<u64> = bob.at(edge).history(&room).await.iter().map(seq).collect();
        assert_eq!(history, past);
        assert_eq!(bob.at(edge).conversation(&room).await["unreadCount"], 0);
        assert_eq!(bob.at(edge).get("/api/inbox").await.ok(200)["totalUnread"], 0);
    }
    let new = alice.post_message(&room, "welcome").await;
    for device in &mut devices {
        device.wait_for_seq(&room, new).await;
        device.join(&room).await;
    }
    assert_eq!(bob.conversation(&room).await["unreadCount"], 1);
}

#[tokio::test]
async fn messages_right_after_an_addition_arrive_without_a_hole() {
    let cluster = shared().await;
    let (alice, carol) = (cluster.user(0, "alice").await, cluster.user(1, "carol").await);
    let room = alice.group(&[&carol]).await;
    let (mut sender, mut other) = (alice.device("sender").await, carol.device("other").await);
    for round in 0..5 {
        let bob = cluster.user(round % 2, "bob").await;
        let devices = [bob.at(0).device("near").await, bob.at(1).device("far").await];
        let ((), first, second) = tokio::join!(
            add(&alice, &bob, &room),
            sender.post(&room, "at once"),
            other.post(&room, "at once")
        );
        let last = sender.post(&room, "right after").await.max(first).max(second);
        let last = last.max(bob.post_message(&room, "thank you").await);
        for device in &devices {
            device.wait_for_seq(&room, last).await;
            let events: Vec<_> = device.frames().into_iter().filter(|f| f["prevSeq"].is_u64()).collect();
            let begin = events[0]["prevSeq"].as_u64().unwrap();
            let heard: Vec<u64> = chain(&device.frames(), &room, begin).iter().map(seq).collect();
            // The head that it was announced with is its position: all later events follow, and no other.
            let added =
                device.frames_of("conversation:added")[0]["conversation"]["headSeq"].as_u64().unwrap();
            assert_eq!(begin, added);
            let history = bob.history(&room).await;
            let later: Vec<u64> = history.iter().map(seq).filter(|s| *s > added).collect();
            assert!(later.iter().all(|seq| heard.contains(seq)), "{heard:?} lacks some of {later:?}");
        }
    }
}

#[tokio::test]
async fn one_who_left_and_came_back_is_where_the_others_are() {
    let cluster = shared().await;
    let (alice, bob) = (cluster.user(0, "alice").await, cluster.user(1, "bob").await);
    let room = alice.group(&[&bob]).await;
    let (near, far) = (bob.at(0).device("near").await, bob.device("far").await);
    for round in 1..=5 {
        remove(&bob, &bob, &room).await;
        alice.post_message(&room, "without bob").await;
        add(&bob, &bob, &room).await;
        let last = alice.post_message(&room, "with bob").await;
        for device in [&near, &far] {
            device.wait_for_seq(&room, last).await;
            let received =
                |what: &str| device.frames_of(what).into_iter().filter(|frame| room.has(frame)).count();
            until("every coming and going is received", async || {
                received("conversation:removed") == round && received("conversation:added") == round
            })
            .await;
        }
        for edge in [0, 1] {
            assert_eq!(bob.at(edge).conversation(&room).await["unreadCount"], 1, "round {round}");
        }
    }
    let texts: Vec<_> =
        near.frames_of("message:new").into_iter().map(|f| f["message"]["content"].clone()).collect();
    assert!(!texts.contains(&json!("without bob")), "{texts:?}");
}
