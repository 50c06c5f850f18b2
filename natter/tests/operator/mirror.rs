//! With a mirror, doubt covers Kafka too.

use std::process::Command;

use natter_testkit::Kafka;
use serde_json::{Value, json};

use natter_testkit::until;

use crate::deployment::{CommandOutput, OperatorCluster};

#[tokio::test(flavor = "multi_thread")]
async fn with_a_mirror_the_topic_is_compared_with_the_log_as_well() {
    let (mut deployment, kafka) = tokio::join!(OperatorCluster::start(), Kafka::start());
    let (alice, bob) = deployment.two().await;
    for _ in 0..4 {
        let room = alice.group(&[&bob]).await;
        alice.post_message(&room, "hello").await;
    }
    let brokers = kafka.brokers();
    let settings = [("KAFKA_BROKERS", brokers.as_str())];
    // What dies with a worker is delivered again only after half a minute.
    deployment.settled().await;
    deployment.kill_workers();
    deployment.start_worker_with(&settings);
    let verify = |flags: &[&str]| {
        CommandOutput::of(&deployment.cluster.run(&[&["verify"], flags].concat(), &settings))
    };
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
    let output = verify(&["--json"]);
    assert_eq!(output.code, Some(1));
    let output = output.json();
    let of = |p: usize| {
        (output["partitions"][p]["equal"].clone(), output["partitions"][p]["kafka"]["equal"].clone())
    };
    assert_eq!((of(1), of(2)), ((json!(true), json!(true)), (json!(true), json!(false))), "{output:#}");

    kafka.kill();
    let away = verify(&["--partition", "0"]).failed();
    assert!(away.contains("; kafka NOT CHECKED: "), "{away}");
}
