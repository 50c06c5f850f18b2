//! Presence settles, whatever dies; and messages do not depend on it.

use std::time::{Duration, Instant};

use serde_json::json;

use natter_testkit::{Cluster, PRESENCE_TTL, chain, until};

use crate::{
    NATTER,
    presence::{is_shown, statuses_received},
};

/// The sweep comes every 2 s, changes are sent every half second, and this machine is busy.
const GRACE: Duration = Duration::from_secs(6);

#[tokio::test]
async fn users_of_a_killed_edge_go_offline_or_resume_on_the_other() {
    let mut cluster = Cluster::start(NATTER).await;
    let (alice, bob, carol) =
        (cluster.user(0, "alice").await, cluster.user(1, "bob").await, cluster.user(1, "carol").await);
    let room = alice.group(&[&bob, &carol]).await;
    let mut viewer = alice.device("viewer").await;
    viewer.join(&room).await;
    let (phone, moves) = (bob.device("phone").await, carol.device("moves").await);
    is_shown(&viewer, &bob, &["online"]).await;
    is_shown(&viewer, &carol, &["online"]).await;
    let first = viewer.post(&room, "before").await;
    phone.wait_for_seq(&room, first).await;
    let epoch = phone.epoch();

    cluster.kill_edge(1);
    let killed = Instant::now();
    moves.closed().await;
    let moved = carol.at_addresses(cluster.addresses()).device("moves").await;
    let missed = viewer.post(&room, "meanwhile").await;
    is_shown(&viewer, &bob, &["online", "offline"]).await;
    let took = killed.elapsed();
    assert!(took < PRESENCE_TTL + GRACE, "a ghost for {took:?}");
    assert_eq!(alice.status_of(&bob).await["status"], "offline");

    let bob = bob.at_addresses(cluster.addresses());
    let phone = bob.resume("phone", &epoch, &json!({room.id.clone(): first})).await;
    is_shown(&viewer, &bob, &["online", "offline", "online"]).await;
    let last = viewer.post(&room, "after").await;
    phone.wait_for_seq(&room, last).await;
    let seqs: Vec<_> =
        chain(&phone.frames(), &room, first).iter().map(|event| event["seq"].clone()).collect();
    assert_eq!(seqs, [json!(missed), json!(last)]);
    // Her session on the dead edge ended unnoticed beside the new one.
    until("it has ended", async || killed.elapsed() > PRESENCE_TTL + GRACE).await;
    assert_eq!(statuses_received(&viewer, &carol), ["online"]);
    drop(moved);
    is_shown(&viewer, &carol, &["online", "offline"]).await;
}

#[tokio::test]
async fn a_dead_redis_stops_no_message_and_keeps_presence_correct() {
    let mut cluster = Cluster::start(NATTER).await;
    let (alice, bob, carol) =
        (cluster.user(0, "alice").await, cluster.user(1, "bob").await, cluster.user(1, "carol").await);
    let room = alice.group(&[&bob, &carol]).await;
    let mut viewer = alice.device("viewer").await;
    viewer.join(&room).await;
    let (stays, goes) = (bob.device("stays").await, carol.device("goes").await);
    is_shown(&viewer, &bob, &["online"]).await;
    is_shown(&viewer, &carol, &["online"]).await;

    cluster.kill_redis();
    let dead = Instant::now();
    drop(goes);
    let mut last = room.head;
    let mut slowest = Duration::ZERO;
    while dead.elapsed() < 2 * PRESENCE_TTL {
        let begun = Instant::now();
        last = viewer.post(&room, "said without Redis").await;
        stays.wait_for_seq(&room, last).await;
        alice.at(1).post_message(&room, "over HTTP").await;
        slowest = slowest.max(begun.elapsed());
    }
    assert!(slowest < Duration::from_secs(5), "a message took {slowest:?}");
    assert_eq!(alice.sees_online(&bob).await, None, "not known");
    assert_eq!(alice.post("/api/presence/heartbeat", &json!({})).await.code(), (503, "unavailable"));
    assert_eq!(statuses_received(&viewer, &bob), ["online"]);

    cluster.restart_redis().await;
    let back = Instant::now();
    until("bob is seen online again", async || alice.sees_online(&bob).await == Some(true)).await;
    assert!(back.elapsed() < PRESENCE_TTL, "online again only after {:?}", back.elapsed());
    until("carol is shown offline", async || statuses_received(&viewer, &carol).last().unwrap() == "offline")
        .await;
    let took = back.elapsed();
    assert!(took < 2 * PRESENCE_TTL + GRACE, "a ghost for {took:?}");
    assert!(!statuses_received(&viewer, &bob).contains(&"offline".to_owned()), "an offline storm");
    stays.wait_for_seq(&room, last).await;
    chain(&stays.frames(), &room, room.head);
}

#[tokio::test]
async fn a_redis_restarted_empty_keeps_live_users_online() {
    let mut cluster = Cluster::start(NATTER).await;
    let (alice, bob, carol) =
        (cluster.user(0, "alice").await, cluster.user(1, "bob").await, cluster.user(1, "carol").await);
    let room = alice.group(&[&bob, &carol]).await;
    let mut viewer = alice.device("viewer").await;
    viewer.join(&room).await;
    let (_stays, goes) = (bob.device("stays").await, carol.device("goes").await);
    is_shown(&viewer, &bob, &["online"]).await;
    is_shown(&viewer, &carol, &["online"]).await;
    cluster.kill_redis();
    cluster.restart_redis().await;
    let back = Instant::now();
    until("both send heartbeats again", async || {
        alice.sees_online(&bob).await == Some(true) && alice.sees_online(&carol).await == Some(true)
    })
    .await;
    drop(goes);
    until("carol is shown offline", async || statuses_received(&viewer, &carol).last().unwrap() == "offline")
        .await;
    assert!(back.elapsed() < 2 * PRESENCE_TTL + GRACE);
    assert!(!statuses_received(&viewer, &bob).contains(&"offline".to_owned()), "an offline storm");
}
