//! The commands need no more than a worker may.

use std::{fs, process::Command};

use natter_nats::subject;
use natter_schemas::id::{ConversationId, Partition};

use natter_testkit::{Cluster, Folder, NatsProcess};

use crate::{
    NATTER,
    deployment::{CommandOutput, PARTITIONS, bus, settled},
};

const ACCOUNTS: &str = include_str!("../../../nats/server/accounts.conf");
const SECRETS: [&str; 4] =
    ["NATTER_EDGE_PASSWORD", "NATTER_WORKER_PASSWORD", "NATTER_PROVISION_PASSWORD", "NATTER_SYS_PASSWORD"];

/// One server with the users of a production cluster.
async fn guarded(home: &Folder) -> NatsProcess {
    let config = format!(
        "listen: \"127.0.0.1:-1\"\nmax_payload: 8MB\n\
         jetstream {{ store_dir: \"{}/js\", max_file_store: 10GB }}\n{ACCOUNTS}",
        home.path().display()
    );
    fs::write(home.file("nats.conf"), config).unwrap();
    let configure = |command: &mut Command| {
        command.arg("-c").arg(home.file("nats.conf")).envs(SECRETS.map(|name| (name, "secret")));
    };
    NatsProcess::start(home, configure).await
}

#[tokio::test]
async fn a_workers_rights_are_enough_for_every_command() {
    let (mut cluster, home) = (Cluster::bare(NATTER).await, Folder::new());
    let nats = guarded(&home).await;
    let url = |user: &str| format!("nats://{user}:secret@{}", nats.address);
    let worker = url("worker");
    CommandOutput::of(&cluster.run(&["migrate"], &[("NATS_URL", &url("provision"))])).ok();

    let _worker = cluster.spawn("worker", &[("NATS_URL", &worker)]);
    let natter = |arguments: &[&str]| CommandOutput::of(&cluster.run(arguments, &[("NATS_URL", &worker)]));
    let (publisher, log) = bus(&worker).await;
    let room = ConversationId::fresh();
    let p = Partition::of(room, PARTITIONS);
    for n in 0..2 {
        publisher.publish(subject::conv(p, room), &n.to_string(), "noise".into()).await.unwrap();
    }
    settled(&log).await;

    let parked = natter(&["parked", "list", "--json"]).json_lines();
    let number = |n: usize| parked[n]["number"].to_string();
    assert_eq!(parked.len(), 2);
    natter(&["parked", "show", &number(0)]).ok();
    natter(&["parked", "replay", "--all"]).failed();
    natter(&["parked", "drop", "--yes", &number(0), &number(1)]).ok();
    assert_eq!(natter(&["parked", "list"]).ok(), "nothing is parked\n");
    natter(&["replay", "--from", "1"]).ok();
    natter(&["verify"]).ok();
}
