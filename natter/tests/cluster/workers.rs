//! One of two workers dies in the middle of things.

use std::collections::HashSet;

use serde_json::{Value, json};

use crate::NATTER;
use natter_testkit::{Cluster, chain, seq, until};

const SENDS: usize = 500;

#[tokio::test]
async fn a_worker_killed_during_500_sends_loses_and_doubles_no_message() {
    let mut cluster = Cluster::start(NATTER).await;
    let (alice, bob) = (cluster.user(0, "alice").await, cluster.user(1, "bob").await);
    let mut rooms = Vec::new();
    for _ in 0..4 {
        rooms.push(alice.group(&[&bob]).await);
    }
    let (mut sender, mut other) = (alice.device("a").await, bob.device("b").await);
    let mut asked = Vec::new();
    for number in 0..SENDS {
        if number == SENDS / 2 {
            // Half of what was sent is acked by now at the least; the rest is under way.
            sender.answer(asked[number / 2 - 1]).await;
            cluster.kill_worker(0);
        }
        let body = json!({"content": format!("m{number}"), "clientId": format!("c{number}")});
        asked.push(sender.request(rooms[number % rooms.len()].frame("send", &body)).await);
    }
    let mut acks: Vec<Value> = Vec::new();
    for id in asked {
        let ack = sender.answer(id).await;
        assert_eq!((&ack["type"], &ack["duplicate"]), (&json!("ack"), &json!(false)), "{ack}");
        acks.push(ack);
    }
    for room in &rooms {
        let expected: Vec<u64> = acks.iter().filter(|ack| room.has(ack)).map(seq).collect();
        other.wait_for_seq(room, *expected.last().unwrap()).await;
        let live: Vec<u64> = chain(&other.frames(), room, room.head).iter().map(seq).collect();
        assert_eq!(live, expected);
        for user in [&alice, &bob] {
            let history: Vec<u64> = user.history(room).await.iter().map(seq).collect();
            assert_eq!(history, expected);
        }
        assert_eq!(bob.conversation(room).await["unreadCount"], 100);
    }
    let ids: HashSet<String> = acks.iter().map(|ack| ack["messageId"].to_string()).collect();
    assert_eq!(ids.len(), SENDS);
    // What the dead one had taken is written by the other.
    until("everything is persisted, once", async || cluster.persisted() == i64::try_from(SENDS).unwrap())
        .await;
    for room in &rooms {
        let expected: Vec<u64> = acks.iter().filter(|ack| room.has(ack)).map(seq).collect();
        let history: Vec<u64> = bob.history(room).await.iter().map(seq).collect();
        assert_eq!(history, expected, "after persisting");
    }
    other.post(&rooms[0], "and it goes on").await;
    alice.group(&[&bob]).await;
}
