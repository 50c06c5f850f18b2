//! The commands need no more than a worker may, and an edge reads nothing for whoever may not.

use std::{fs, process::Command, sync::Arc};

use natter_nats::{
    connect::{Address, Purpose, connect},
    service::{ProofSource, RpcClient},
    subject,
};
use natter_schemas::{
    code::Code,
    event::{Shape, Timestamp},
    id::{ConversationId, EventId, Partition, UserId},
    rpc::{GetDataKeys, GetPage, KeyName, OpenConversation, Page, RegisterUser, Window},
};

use natter_testkit::{Cluster, Folder, NatsProcess};

use crate::{
    NATTER,
    deployment::{CommandOutput, PARTITIONS, bus, settled},
    proofs::{SECRET, token},
};

const ACCOUNTS: &str = include_str!("../../../nats/server/accounts.conf");
const SECRETS: [&str; 4] =
    ["NATTER_EDGE_PASSWORD", "NATTER_WORKER_PASSWORD", "NATTER_PROVISION_PASSWORD", "NATTER_SYS_PASSWORD"];

/// One server with the users of a production cluster.
pub async fn guarded(home: &Folder) -> NatsProcess {
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

    let sealed = [
        ("NATS_URL", worker.as_str()),
        ("CHAT_ENCRYPTION_ENABLED", "true"),
        ("CHAT_MESSAGE_KEY", "8f1d2c3b4a5968778695a4b3c2d1e0f00123456789abcdeffedcba9876543210"),
    ];
    let working = cluster.spawn("worker", &sealed);
    working.wait_for_event("worker is ready").await;
    // A user who has a key, which the commands change and announce.
    let rpc = RpcClient::of_worker(connect(&Address::new(worker.clone()), Purpose::Rpc).await.unwrap());
    let name = KeyName { user: UserId::fresh(), epoch: None };
    assert!(rpc.call(&GetDataKeys { names: vec![name] }).await.unwrap()[0].is_some());
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
    for arguments in
        [["status"].as_slice(), &["rotate"], &["rewrap", "--again"], &["reseal"], &["retire", "1", "--check"]]
    {
        CommandOutput::of(&cluster.run(&[&["keys"], arguments].concat(), &sealed)).ok();
    }

    // What a node remembers is sent to who has the rights of a worker, and not to an edge.
    let unknown = EventId::fresh().to_string();
    let asked = natter(&["trace", &unknown]).error();
    assert!(asked.contains("is remembered by any node"), "{asked}");
    let edge = CommandOutput::of(&cluster.run(&["trace", &unknown], &[("NATS_URL", &url("edge"))])).error();
    assert!(edge.contains("this NATS user may not ask"), "{edge}");

    // Whole streams are saved by whoever makes them.
    let backup = home.file("backup");
    let arguments = ["backup", backup.to_str().unwrap()];
    CommandOutput::of(&cluster.run(&arguments, &[("NATS_URL", &url("provision"))])).ok();
}

pub async fn register(rpc: &RpcClient, name: &str) -> UserId {
    let (username, email, password) =
        (name.to_owned(), format!("{name}@example.org"), "correct horse".to_owned());
    let call = RegisterUser { username, email, password, display_name: None };
    rpc.call(&call).await.unwrap().user.id
}

/// Of whoever is asked for: an edge that has them all.
struct Tokens;

impl ProofSource for Tokens {
    fn of(&self, user: UserId) -> Option<Arc<str>> {
        Some(token(SECRET, user, Timestamp::now()))
    }

    fn of_anyone(&self) -> Option<Arc<str>> {
        Some(token(SECRET, UserId::fresh(), Timestamp::now()))
    }
}

#[tokio::test]
async fn an_edge_that_names_a_stranger_is_shown_nothing() {
    let (mut cluster, home) = (Cluster::bare(NATTER).await, Folder::new());
    let nats = guarded(&home).await;
    let url = |user: &str| format!("nats://{user}:secret@{}", nats.address);
    CommandOutput::of(&cluster.run(&["migrate"], &[("NATS_URL", &url("provision"))])).ok();
    let worker = cluster.spawn("worker", &[("NATS_URL", &url("worker"))]);
    let admin = worker.wait_for_event("worker is ready").await["admin"].as_str().unwrap().to_owned();

    let edge = connect(&Address::new(url("edge")), Purpose::Rpc).await.unwrap();
    let rpc = RpcClient::of_users(edge, Arc::new(Tokens));
    let (creator, member) = (register(&rpc, "alice").await, register(&rpc, "bob").await);
    let (shape, name, participants) = (Shape::Group, Some("room".to_owned()), vec![member]);
    let open = OpenConversation { creator, shape, name, participants, key: None, traceparent: None };
    let conversation = rpc.call(&open).await.unwrap().conversation.id;
    let page = Page { conversation, window: Window::Newest, limit: 10 };
    for user in [creator, member] {
        assert!(rpc.call(&GetPage { user, page }).await.is_ok());
    }
    // She is here: what is refused is what she may not read.
    let stranger = GetPage { user: register(&rpc, "carol").await, page };
    assert_eq!(rpc.call(&stranger).await, Err(Code::NotFound.into()));
    let metrics = reqwest::get(format!("http://{admin}/metrics")).await.unwrap().text().await.unwrap();
    assert!(metrics.contains("natter_reads_refused_total{call=\"page\"} 1"), "{metrics}");
    let line = worker.wait_for_line("an edge asked for a conversation").await;
    assert!(line.contains(&stranger.user.to_string()), "{line}");
}
