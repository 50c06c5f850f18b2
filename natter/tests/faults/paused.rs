//! A nats-server that stands still: connections stay open and nothing answers.

use nix::sys::signal::Signal;
use serde_json::Value;

use natter_testkit::{DevServer, User, until};

use crate::NATTER;

#[tokio::test]
async fn a_paused_nats_server_shows_in_readiness_and_acks_once_later() {
    let natter = DevServer::start(NATTER, &[]).await;
    let (alice, bob) =
        (User::register_as(&natter.http, "alice").await, User::register_as(&natter.http, "bob").await);
    let room = alice.group(&[&bob]).await;
    let (mut writer, mut reader) = (alice.socket("phone").await, bob.socket("phone").await);
    writer.call(room.message_frame("before", "before")).await;

    natter.signal_nats(Signal::SIGSTOP);
    // A signal takes a moment to reach every thread: what was asked within it may still be answered.
    until("not ready", async || alice.get("/health/ready").await.status == 503).await;
    let id = writer.request(room.message_frame("meanwhile", "meanwhile")).await;
    let ready = alice.get("/health/ready").await;
    assert_eq!(ready.status, 503, "{}", ready.body);
    let down: Vec<&Value> =
        ready.body["parts"].as_object().unwrap().values().filter(|p| *p == "down").collect();
    assert!(!down.is_empty(), "{}", ready.body);
    // The process itself is well.
    alice.get("/health/live").await.ok(200);
    natter.signal_nats(Signal::SIGCONT);

    until("ready again", async || alice.get("/health/ready").await.status == 200).await;
    let ack = writer.wait_for("ack").await;
    assert_eq!((&ack["id"], &ack["duplicate"]), (&id.into(), &false.into()), "{ack}");
    writer.ping().await;
    assert_eq!(writer.frames.iter().filter(|frame| frame["id"] == id).count(), 1);
    let history = alice.history(&room).await;
    let contents: Vec<_> = history.iter().map(|m| m["content"].as_str().unwrap()).collect();
    assert_eq!(contents, ["before", "meanwhile"]);
    reader.wait_for_seq(&room, ack["seq"].as_u64().unwrap()).await;
}
