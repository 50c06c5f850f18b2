//! The commands need no more than a worker may.

use std::{fs, path::Path, process::Command};

use natter_nats::subject;
use natter_schemas::id::{ConversationId, Partition};
use serde_json::Value;

use crate::{
    harness::{Cluster, Home, Process, until},
    scene::{PARTITIONS, Said, bus, settled},
};

const ACCOUNTS: &str = include_str!("../../../nats/server/accounts.conf");
const SECRETS: [&str; 4] =
    ["NATTER_EDGE_PASSWORD", "NATTER_WORKER_PASSWORD", "NATTER_PROVISION_PASSWORD", "NATTER_SYS_PASSWORD"];

/// One server with the users of a production cluster; answers its `host:port`.
async fn guarded(home: &Home) -> (Process, String) {
    let dir = home.path.display();
    let config = format!(
        "listen: \"127.0.0.1:-1\"\nports_file_dir: \"{dir}\"\nmax_payload: 8MB\n\
         jetstream {{ store_dir: \"{dir}/js\", max_file_store: 10GB }}\n{ACCOUNTS}"
    );
    fs::write(home.file("nats.conf"), config).unwrap();
    let fetched = Path::new(env!("CARGO_MANIFEST_DIR")).join("../.deps/bin/nats-server");
    let binary = if fetched.exists() { fetched } else { "nats-server".into() };
    let mut command = Command::new(std::env::var_os("NATTER_NATS_SERVER").map_or(binary, Into::into));
    command.arg("-c").arg(home.file("nats.conf")).envs(SECRETS.map(|name| (name, "secret")));
    let process = Process::start(&command, &home.file("nats.log"));
    let ports = home.file(&format!("nats-server_{}.ports", process.pid()));
    let mut host = String::new();
    until("nats-server says its port", async || {
        let said: Value =
            serde_json::from_str(&fs::read_to_string(&ports).unwrap_or_default()).unwrap_or_default();
        said["nats"][0].as_str().unwrap_or_default().trim_start_matches("nats://").clone_into(&mut host);
        !host.is_empty()
    })
    .await;
    (process, host)
}

#[tokio::test]
async fn a_workers_rights_are_enough_for_every_command() {
    let (cluster, home) = (Cluster::bare().await, Home::new());
    let (_nats, host) = guarded(&home).await;
    let url = |user: &str| format!("nats://{user}:secret@{host}");
    let worker = url("worker");
    let natter = |arguments: &[&str]| Said::of(&cluster.run(arguments, &[("NATS_URL", &worker)]));
    Said::of(&cluster.run(&["migrate"], &[("NATS_URL", &url("provision"))])).ok();

    let _worker =
        Process::start(&cluster.command(&["worker"], &[("NATS_URL", &worker)]), &home.file("worker.log"));
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
