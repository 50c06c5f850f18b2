//! The store does not answer for half a minute: people notice nothing.

use std::time::{Duration, Instant};

use serde_json::Value;

use natter_testkit::{User, chain, seq};

use crate::shared;

const STANDSTILL: Duration = Duration::from_secs(30);

/// Between two messages, as of someone who types fast: as fast as acks come, this would measure the load of two cores.
const PACE: Duration = Duration::from_millis(50);

#[tokio::test(flavor = "multi_thread")]
async fn a_store_paused_for_thirty_seconds_loses_and_hides_no_message() {
    let deployment = shared().await;
    let edges = deployment.addresses.clone();
    let (alice, bob) =
        (User::register(edges.clone(), 0, "alice").await, User::register(edges, 1, "bob").await);
    let room = alice.group(&[&bob]).await;
    let (mut sender, receiver) = (alice.device("a").await, bob.device("b").await);
    sender.post(&room, "before").await;
    // Below the floor: what follows is the log's alone.
    deployment.verified().await;

    deployment.cassandra.pause();
    let paused = Instant::now();
    let mut acked = Vec::new();
    let mut pace = tokio::time::interval(PACE);
    while paused.elapsed() < STANDSTILL {
        pace.tick().await;
        acked.push(sender.post(&room, &format!("m{}", acked.len())).await);
        receiver.wait_for_seq(&room, acked[acked.len() - 1]).await;
        if acked.len() % 50 == 0 {
            let page = alice.get(&format!("/api/messages?conversationId={}&limit=20", room.id)).await.ok(200);
            let page: Vec<u64> = page["items"].as_array().unwrap().iter().map(seq).collect();
            assert_eq!(page, acked[acked.len() - 20..], "the newest page while the store stands still");
        }
    }
    deployment.cassandra.resume();

    deployment.verified().await;
    let history: Vec<Value> = bob.history(&room).await;
    assert_eq!(history[0]["content"], "before");
    assert_eq!(history[1..].iter().map(seq).collect::<Vec<_>>(), acked);
    let live: Vec<u64> = chain(&receiver.frames(), &room, room.head).iter().map(seq).collect();
    assert_eq!(live[1..], acked);
    assert_eq!(bob.conversation(&room).await["unreadCount"], 100);
}
