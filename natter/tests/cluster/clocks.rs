//! Machines whose clocks are wrong: nothing is decided by them.

use std::time::Duration;

use serde_json::{Value, json};

use crate::{
    NATTER,
    presence::{is_shown, statuses_received},
};
use natter_testkit::{Cluster, Device, Room, User, seq, text, until, until_within};

/// What operators see when clocks are not synchronized.
const APART: i64 = 300;
const SOON: Duration = Duration::from_secs(2);

/// The ids of the list of conversations, newest activity first.
async fn list(user: &User) -> Vec<String> {
    let found = user.get("/api/conversations").await.ok(200);
    found["items"].as_array().unwrap().iter().map(|item| text(&item["id"])).collect()
}

async fn is_closed(device: &mut Device, room: &Room, closed: bool) {
    until_within(SOON, &format!("sending is refused: {closed}"), async || {
        (device.send(room, "x").await["code"] == "forbidden") == closed
    })
    .await;
}

#[tokio::test]
async fn edges_with_clocks_apart_order_the_list_by_what_came_last() {
    let cluster = Cluster::start_with_clocks_apart(NATTER, APART).await;
    // Edge 0 is ahead, edge 1 behind.
    let (alice, bob) = (cluster.user(0, "alice").await, cluster.user(1, "bob").await);
    let (first, second) = (alice.group(&[&bob]).await, alice.group(&[&bob]).await);
    alice.post_message(&first, "from a clock that is ahead").await;
    bob.post_message(&second, "from one that is behind, and later").await;
    for user in [&alice, &alice.at(1)] {
        assert_eq!(list(user).await, [second.id.clone(), first.id.clone()]);
    }
    bob.post_message(&first, "and the first again").await;
    until("its order when it is stored", async || cluster.persisted() == 3).await;
    assert_eq!(list(&bob).await, [first.id.clone(), second.id.clone()]);
    let times: Vec<String> =
        bob.history(&first).await.iter().map(|message| text(&message["createdAt"])).collect();
    assert!(times.is_sorted() && times.len() == 2, "{times:?}");
}

/// Seconds of its minute, hour and day.
fn seconds(time: &Value) -> i64 {
    let time = text(time);
    let part = |range: std::ops::Range<usize>| time[range].parse::<i64>().unwrap();
    part(11..13) * 3_600 + part(14..16) * 60 + part(17..19)
}

/// Whether two times are half a minute apart at most, across midnight too.
fn are_close(one: &Value, other: &Value) -> bool {
    const DAY: i64 = 24 * 3_600;
    let apart = (seconds(one) - seconds(other)).rem_euclid(DAY);
    apart.min(DAY - apart) <= 30
}

#[tokio::test]
async fn every_edge_shows_clients_the_time_that_messages_have() {
    let cluster = Cluster::start_with_clocks_apart(NATTER, APART).await;
    let (alice, bob) = (cluster.user(0, "alice").await, cluster.user(1, "bob").await);
    let room = alice.group(&[&bob]).await;
    alice.post_message(&room, "at the log's time").await;
    let created = alice.history(&room).await[0]["createdAt"].take();
    for edge in [0, 1] {
        let mut device = alice.at(edge).device("phone").await;
        let welcome = device.frames()[0]["serverTime"].take();
        let pong = device.call(json!({"type": "ping"})).await["serverTime"].take();
        let health = alice.at(edge).get("/health").await.ok(200)["timestamp"].take();
        for shown in [welcome, pong, health] {
            assert!(are_close(&shown, &created), "edge {edge}: {shown}, and a message of {created}");
        }
    }
}

/// The clock of a nats-server cannot be faked (it asks the kernel without libc), so those of all others are: what counts is
/// that they differ from it, all to the same side.
#[tokio::test]
async fn a_log_with_another_clock_than_all_others_breaks_nothing() {
    for ahead in [APART, -APART] {
        let mut cluster = Cluster::start_with_clocks(NATTER, [ahead; 2]).await;
        let (mut alice, bob) = (cluster.user(0, "alice").await, cluster.user(1, "bob").await);
        let (first, second) = (alice.group(&[&bob]).await, alice.group(&[&bob]).await);
        let (mut phone, mut laptop) = (alice.device("phone").await, bob.device("laptop").await);
        phone.join(&first).await;

        // One message, sent again over both edges and after its worker has died.
        let message = first.message_frame("once", "hello");
        let sent = phone.call_acked(message.clone()).await;
        laptop.wait_for_seq(&first, seq(&sent)).await;
        cluster.kill_worker(0);
        let mut again = alice.at(1).device("phone").await;
        for device in [&mut phone, &mut again] {
            let repeated = device.call_acked(message.clone()).await;
            assert_eq!((&repeated["seq"], &repeated["duplicate"]), (&sent["seq"], &json!(true)));
        }
        let other = phone.call(first.message_frame("once", "something else")).await;
        assert_eq!(other["code"], "idempotency_mismatch");
        until("it is stored", async || cluster.persisted() == 1).await;
        assert_eq!(bob.history(&first).await.len(), 1);

        // Lists, tokens, presence.
        laptop.post(&second, "later").await;
        assert_eq!(list(&alice).await, [second.id.clone(), first.id.clone()]);
        alice.refresh().await;
        alice.at(1).get("/api/me").await.ok(200);
        is_shown(&phone, &bob, &["online"]).await;
        drop(laptop);
        is_shown(&phone, &bob, &["online", "offline"]).await;
        let (status, pong) = (alice.status_of(&bob).await, phone.call(json!({"type": "ping"})).await);
        assert!(are_close(&status["lastSeenAt"], &pong["serverTime"]), "{status}, {pong}");
    }
}

#[tokio::test]
async fn every_edge_and_worker_is_shown_with_its_wrong_clock() {
    let cluster = Cluster::start_with_clocks_apart(NATTER, APART).await;
    for (edge, ahead) in [(0, APART), (1, -APART)] {
        let url = format!("{}/health/ready", cluster.addresses()[edge]);
        let ready: Value = reqwest::get(&url).await.unwrap().json().await.unwrap();
        assert_eq!((&ready["status"], &ready["parts"]["clock"]), (&json!("ok"), &json!("down")));
        let shown = ready["clockAheadMs"].as_i64().unwrap();
        assert!((shown - ahead * 1_000).abs() < 1_000, "{shown} ms, not {ahead} s");
    }
    let metrics = format!("{}/metrics", cluster.worker_admin(0).await);
    let metrics = reqwest::get(&metrics).await.unwrap().text().await.unwrap();
    let shown = metrics.lines().find_map(|line| line.strip_prefix("natter_clock_ahead_seconds "));
    let shown: f64 = shown.expect("the metric").parse().unwrap();
    assert!((shown - 300.0).abs() < 1.0, "{shown}");
}

#[tokio::test]
async fn clocks_set_back_leave_blocks_presence_and_tokens_as_they_are() {
    let cluster = Cluster::start_with_clocks_apart(NATTER, 60).await;
    let (alice, bob) = (cluster.user(0, "alice").await, cluster.user(1, "bob").await);
    let (room, group) = (alice.direct(&bob).await, alice.group(&[&bob]).await);
    let (mut a, mut b) = (alice.device("a").await, bob.device("b").await);
    a.join(&group).await;
    let block = format!("/api/blocks/{}", bob.id);
    alice.put(&block).await.ok(204);
    is_closed(&mut b, &room, true).await;
    until("he is online", async || alice.status_of(&bob).await["status"] == "online").await;

    cluster.set_clocks(-120);
    // Every process sees it within a second; until then this changes nothing.
    for _ in 0..3 {
        alice.delete(&block).await.ok(204);
        is_closed(&mut b, &room, false).await;
        alice.put(&block).await.ok(204);
        is_closed(&mut b, &room, true).await;
        is_closed(&mut a, &room, true).await;
    }
    alice.delete(&block).await.ok(204);
    is_closed(&mut b, &room, false).await;

    drop(b);
    shown(&a, &bob, "offline").await;
    assert_eq!(alice.at(1).status_of(&bob).await["status"], "offline");
    let b = bob.device("b").await;
    shown(&a, &bob, "online").await;
    let seq = a.post(&group, "with the token of before").await;
    b.wait_for_seq(&group, seq).await;
    bob.log_in().await.get("/api/conversations").await.ok(200);
    alice.at(1).get("/api/conversations").await.ok(200);
}

/// As the newest of the statuses this device received of him, with versions that only rise.
async fn shown(device: &Device, user: &User, status: &str) {
    until(&format!("he is shown {status}"), async || {
        statuses_received(device, user).last().is_some_and(|s| s == status)
    })
    .await;
}
