//! What a process lacks, before it is started.

use natter_testkit::Cluster;

use crate::{NATTER, deployment::CommandOutput};

#[tokio::test(flavor = "multi_thread")]
async fn servers_that_settings_name_are_tried() {
    let cluster = Cluster::start(NATTER).await;
    let connect = |cluster: &Cluster| cluster.run(&["doctor", "--connect"], &[]);
    let well = CommandOutput::of(&connect(&cluster)).ok();
    for found in [
        "ok    settings",
        "ok    nats: answers, and has a log of",
        "ok    redis: answers",
        "ok    store: answers",
    ] {
        assert!(well.contains(found), "{found} is not in:\n{well}");
    }
    cluster.kill_redis();
    let output = connect(&cluster);
    assert_eq!(output.status.code(), Some(1));
    let sick = String::from_utf8(output.stdout).unwrap();
    assert!(sick.contains("WRONG redis: ") && sick.contains("ok    nats: "), "{sick}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_deployment_that_was_never_made_is_said_to_need_migrate() {
    let cluster = Cluster::bare(NATTER).await;
    let output = cluster.run(&["doctor", "--connect"], &[("DATABASE_URL", "sqlite:/nowhere/natter.db")]);
    assert_eq!(output.status.code(), Some(1));
    let sick = String::from_utf8(output.stdout).unwrap();
    assert!(sick.contains("run `natter migrate`") && sick.contains("WRONG store: "), "{sick}");
}
