//! Who has no keys shows no texts and sends none.

use natter_testkit::{Cluster, User, seq, text};
use serde_json::json;

use crate::{NATTER, ROOT, SEALED};

/// Another root: none of what is there opens with it.
const OTHER: &str = "0000000000000000000000000000000000000000000000000000000000000001";

#[tokio::test(flavor = "multi_thread")]
async fn without_its_root_a_page_has_markers_and_senders_are_refused() {
    let mut cluster = Cluster::start_with_settings(NATTER, &SEALED).await;
    let (alice, bob) = (cluster.user(0, "alice").await, cluster.user(0, "bob").await);
    let room = alice.group(&[&bob]).await;
    let first = alice.post_message(&room, "before").await;

    cluster.kill_worker(0);
    cluster.kill_worker(1);
    let worker = cluster.spawn("worker", &[("CHAT_MESSAGE_KEY", OTHER)]);
    worker.wait_for_event("worker is ready").await;
    // The edge that has the key goes on.
    let second = alice.post_message(&room, "meanwhile").await;
    assert_eq!(alice.history(&room).await[1]["content"], "meanwhile");

    // One that comes now has none: everything is shown but the texts.
    let edge = cluster.spawn("edge", &[]);
    let address = format!("http://{}", text(&edge.wait_for_event("edge is ready").await["address"]));
    let there = |user: &User| user.at_addresses(vec![address.clone(), address.clone()]);
    let mut device = there(&bob).device("b").await;
    let page = there(&bob).history(&room).await;
    assert_eq!(page.iter().map(seq).collect::<Vec<_>>(), [first, second]);
    for message in &page {
        assert_eq!((&message["content"], &message["unreadable"]), (&json!(null), &json!(true)), "{message}");
    }
    let body = json!({"conversationId": room.id, "content": "now"});
    for user in [&alice, &bob] {
        assert_eq!(there(user).post("/api/messages", &body).await.code(), (503, "unavailable"));
    }
    // What is live has a marker as well.
    let late = alice.post_message(&room, "late").await;
    device.wait_for_seq(&room, late).await;
    let frames = device.frames_of("message:new");
    let shown: Vec<_> = frames.iter().map(|frame| (seq(frame), &frame["message"]["content"])).collect();
    assert_eq!(shown, [(late, &json!(null))]);
    assert_eq!(frames[0]["message"]["unreadable"], true);
    device.ping().await;

    // With both roots everything is shown again.
    let both = format!("{OTHER},{ROOT}");
    let keys = [("CHAT_MESSAGE_KEY", ""), ("CHAT_MESSAGE_KEYS", both.as_str())];
    worker.kill();
    let worker = cluster.spawn("worker", &keys);
    worker.wait_for_event("worker is ready").await;
    let edge = cluster.spawn("edge", &[]);
    let address = format!("http://{}", text(&edge.wait_for_event("edge is ready").await["address"]));
    let page = bob.at_addresses(vec![address]).history(&room).await;
    let texts: Vec<_> = page.iter().map(|message| &message["content"]).collect();
    assert_eq!(texts, ["before", "meanwhile", "late"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn without_a_service_of_keys_nothing_is_sent_in_clear() {
    let mut cluster = Cluster::start_with_settings(NATTER, &[]).await;
    let edge = cluster.spawn("edge", &[("CHAT_ENCRYPTION_ENABLED", "true")]);
    let address = format!("http://{}", text(&edge.wait_for_event("edge is ready").await["address"]));
    let (alice, bob) = (cluster.user(0, "alice").await, cluster.user(0, "bob").await);
    let room = alice.group(&[&bob]).await;
    alice.post_message(&room, "in clear, as it is set").await;
    let there = alice.at_addresses(vec![address.clone(), address]);
    for content in ["one", "two"] {
        let body = json!({"conversationId": room.id, "content": content});
        assert_eq!(there.post("/api/messages", &body).await.code(), (503, "unavailable"));
    }
    let edit = json!({"content": "changed"});
    let first = seq(&there.history(&room).await[0]);
    let edited = there.patch(&room.path(&format!("/messages/{first}")), &edit).await;
    assert_eq!(edited.code(), (503, "unavailable"));
    let page = there.history(&room).await;
    assert_eq!(page.len(), 1);
    assert_eq!(page[0]["content"], "in clear, as it is set");
}

#[tokio::test]
async fn a_worker_that_should_seal_and_has_no_key_says_so() {
    let cluster = Cluster::bare(NATTER).await;
    assert!(cluster.run(&["migrate"], &[]).status.success());
    let refused = cluster.run(&["worker"], &[("CHAT_ENCRYPTION_ENABLED", "true")]);
    let said = String::from_utf8_lossy(&refused.stderr).into_owned();
    assert!(!refused.status.success());
    assert!(said.contains("CHAT_MESSAGE_KEY is missing") && said.contains("openssl rand"), "{said}");
}
