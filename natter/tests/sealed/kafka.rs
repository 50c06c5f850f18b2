//! What a topic has of sealed texts, by `KAFKA_CONTENT`.

use std::process::Command;

use natter_testkit::{Cluster, Kafka, Process, Room, until, until_some};
use nix::sys::signal::Signal;
use serde_json::Value;

use crate::{NATTER, SEALED};

/// The value of the record of a posted message.
fn record(kafka: &Kafka, room: &Room, seq: u64) -> Option<Value> {
    let mut kcat = Command::new("kcat");
    kcat.args(["-C", "-e", "-q", "-t", "natter.events.v1", "-b", &kafka.brokers()]);
    let output = kcat.output().unwrap();
    let text = String::from_utf8(output.stdout).unwrap();
    let mut values = text.lines().filter_map(|line| serde_json::from_str::<Value>(line).ok());
    values.find(|value| value["seq"] == seq && value["conversationId"] == room.id)
}

/// Ends it as an operator does, so that the next one need not wait for what it had.
async fn ended(worker: Process) {
    worker.signal(Signal::SIGTERM);
    until("the worker has ended", async || worker.has_ended()).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_topic_has_texts_as_its_setting_says() {
    let kafka = Kafka::start().await;
    let brokers = kafka.brokers();
    let mut cluster = Cluster::start_with_settings(NATTER, &SEALED).await;
    let (alice, bob) = (cluster.user(0, "alice").await, cluster.user(1, "bob").await);
    let room = alice.group(&[&bob]).await;
    for content in ["sealed", "plain", "none"] {
        let worker =
            cluster.spawn("worker", &[("KAFKA_BROKERS", brokers.as_str()), ("KAFKA_CONTENT", content)]);
        worker.wait_for_event("worker is ready").await;
        let seq = alice.post_message(&room, &format!("rohrdommel {content}")).await;
        let record = until_some("the message is in the topic", async || record(&kafka, &room, seq)).await;
        match content {
            "plain" => assert_eq!(record["content"], "rohrdommel plain"),
            "none" => assert!(record.get("content").is_none(), "{record}"),
            _ => {
                assert_eq!(record["content"]["keyVersion"], 1, "{record}");
                assert!(record["content"]["ciphertext"].as_str().is_some_and(|text| text.len() > 81));
                assert!(!record.to_string().contains("rohrdommel"), "{record}");
            }
        }
        let settings = [("KAFKA_BROKERS", brokers.as_str()), ("KAFKA_CONTENT", content)];
        until("the whole topic is what the log makes", async || {
            cluster.run(&["mirror", "verify"], &settings).status.success()
        })
        .await;
        ended(worker).await;
    }
}
