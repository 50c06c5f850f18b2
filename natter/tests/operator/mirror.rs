//! With a mirror, doubt covers Kafka too.

use std::process::Command;

use natter_testkit::Kafka;
use serde_json::{Value, json};

use natter_testkit::until;

use crate::scene::{Said, Scene};

#[tokio::test(flavor = "multi_thread")]
async fn with_a_mirror_the_topic_is_compared_with_the_log_as_well() {
    let (mut scene, kafka) = tokio::join!(Scene::start(), Kafka::start());
    let (alice, bob) = scene.two().await;
    for _ in 0..4 {
        let room = alice.group(&[&bob]).await;
        alice.post_message(&room, "hello").await;
    }
    let brokers = kafka.brokers();
    let settings = [("KAFKA_BROKERS", brokers.as_str())];
    // What dies with a worker is delivered again only after half a minute.
    scene.settled().await;
    scene.kill_workers();
    scene.start_worker_with(&settings);
    let verify = |flags: &[&str]| Said::of(&scene.cluster.run(&[&["verify"], flags].concat(), &settings));
    let whole = |partitions: &Value| {
        let partitions = partitions.as_array().unwrap();
        partitions.iter().all(|p| p["kafka"]["equal"] == true && p["kafka"]["records"] == p["events"])
    };
    until("the topic has the log", async || whole(&verify(&["--json"]).json()["partitions"])).await;
    let lines = verify(&[]).ok();
    assert_eq!(lines.matches(" records, equal").count(), 4, "{lines}");

    let mut foreign = Command::new("sh");
    let kcat = "echo not a record of ours | kcat -P -b \"$1\" -t natter.events.v1 -p 2";
    assert!(foreign.args(["-c", kcat, "sh", &brokers]).status().unwrap().success());
    let said = verify(&["--json"]);
    assert_eq!(said.code, Some(1));
    let said = said.json();
    let of =
        |p: usize| (said["partitions"][p]["equal"].clone(), said["partitions"][p]["kafka"]["equal"].clone());
    assert_eq!((of(1), of(2)), ((json!(true), json!(true)), (json!(true), json!(false))), "{said:#}");

    kafka.kill();
    let away = verify(&["--partition", "0"]).failed();
    assert!(away.contains("; kafka NOT CHECKED: "), "{away}");
}
