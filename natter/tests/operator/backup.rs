//! What was acked before a backup is there after it was restored, once, and what came later is reported as gone.

use std::fs;

use serde_json::{Value, json};
use tokio::{sync::oneshot, task::JoinHandle};

use natter_nats::{
    async_nats::jetstream,
    connect::{Address, Purpose, connect},
};
use natter_testkit::{Cluster, DevServer, Folder, Process, Room, User, command, text, until};

use crate::{NATTER, deployment::CommandOutput};

/// Acked messages, with the seq of each.
type Acked = Vec<(String, u64)>;

/// Sends one message after the other until it is asked to end.
fn talk(user: &User, room: &Room) -> (oneshot::Sender<()>, JoinHandle<Acked>) {
    let (end, mut ended) = oneshot::channel();
    let (user, room) = (user.clone(), room.clone());
    let talking = tokio::spawn(async move {
        let (mut device, mut acked) = (user.device("d1").await, Acked::new());
        while ended.try_recv() == Err(oneshot::error::TryRecvError::Empty) {
            let content = format!("message {}", acked.len());
            let seq = device.post(&room, &content).await;
            acked.push((content, seq));
        }
        acked
    });
    (end, talking)
}

/// Edge and worker on what another deployment left.
async fn started(cluster: &mut Cluster) -> (String, [Process; 2]) {
    let worker = cluster.spawn("worker", &[]);
    let edge = cluster.spawn("edge", &[]);
    let ready = edge.wait_for_event("edge is ready").await;
    (format!("http://{}", text(&ready["address"])), [worker, edge])
}

fn natter(cluster: &Cluster, arguments: &[&str]) -> CommandOutput {
    CommandOutput::of(&cluster.run(arguments, &[]))
}

#[tokio::test]
async fn a_backup_under_load_has_all_that_was_acked_before() {
    let (first, home) = (Cluster::start(NATTER).await, Folder::new());
    let backup = home.file("backup");
    let folder = backup.to_str().unwrap();
    let alice = first.user(0, "alice").await;
    let bob = first.user(1, "bob").await;
    let room = alice.group(&[&bob]).await;
    let client_id = "01976d3e-0000-7000-8000-000000000001";
    let mut phone = alice.device("phone").await;
    let before = phone.call_acked(room.message_frame(client_id, "first")).await;
    let epoch = phone.epoch();
    for n in 0..50 {
        phone.post(&room, &format!("early {n}")).await;
    }

    let (end, talking) = talk(&alice, &room);
    let line = natter(&first, &["backup", folder]).ok();
    end.send(()).unwrap();
    let acked = talking.await.unwrap();
    assert!(line.contains("with the store"), "{line}");
    let late = phone.post(&room, "after the backup").await;
    drop(first);

    let mut second = Cluster::bare(NATTER).await;
    natter(&second, &["restore", "--check", folder]).ok();
    natter(&second, &["restore", folder]).ok();
    // As after an interruption before its last step.
    let nats = connect(&Address::new(second.nats_url()), Purpose::Provision).await.unwrap();
    jetstream::new(nats).delete_stream("KV_natter").await.unwrap();
    natter(&second, &["restore", folder]).ok();
    let (address, _processes) = started(&mut second).await;
    let alice = User::log_in_as(&address, &alice.name).await;
    let contents: Vec<String> =
        alice.history(&room).await.iter().map(|message| text(&message["content"])).collect();
    let expected: Vec<String> = ["first".to_owned()]
        .into_iter()
        .chain((0..50).map(|n| format!("early {n}")))
        .chain(acked.into_iter().map(|(content, _)| content))
        .collect();
    // Of what was acked meanwhile a part is there, without a hole.
    assert!(contents.len() >= 51, "{contents:?}");
    assert_eq!(contents, expected[..contents.len()]);

    // Positions of before mean nothing: seqs are given out again.
    let mut phone = alice.resume("phone", &epoch, &json!({&room.id: late})).await;
    assert_ne!(phone.epoch(), epoch);
    let mut again = room.message_frame(client_id, "first");
    again["retry"] = json!(true);
    let same = phone.call_acked(again).await;
    assert_eq!((&same["seq"], &same["messageId"]), (&before["seq"], &before["messageId"]));
    assert!(phone.post(&room, "on we go").await > 0);
    natter(&second, &["verify"]).ok();
}

#[tokio::test]
async fn a_damaged_backup_and_a_full_place_are_refused() {
    let (first, home) = (Cluster::start(NATTER).await, Folder::new());
    let backup = home.file("backup");
    let folder = backup.to_str().unwrap();
    natter(&first, &["backup", folder]).ok();
    assert!(natter(&first, &["backup", folder]).error().contains("there already"));
    assert!(natter(&first, &["restore", folder]).error().contains("there already"));

    let other = Cluster::bare(NATTER).await;
    let partitions = [("PARTITIONS", "2")];
    let refused = CommandOutput::of(&other.run(&["restore", folder], &partitions)).error();
    assert!(refused.contains("set it to 4"), "{refused}");

    let log = backup.join("CONV_0.snapshot");
    let mut bytes = fs::read(&log).unwrap();
    let middle = bytes.len() / 2;
    bytes[middle] ^= 1;
    fs::write(&log, &bytes).unwrap();
    for arguments in [&["restore", "--check", folder][..], &["restore", folder]] {
        let refused = natter(&other, arguments).error();
        assert!(refused.contains("CONV_0.snapshot is damaged"), "{refused}");
    }
    assert!(!other.database().exists(), "nothing was restored of it");
    fs::write(backup.join("manifest.json"), "{}").unwrap();
    assert!(natter(&other, &["restore", "--check", folder]).error().contains("format null is not 1"));
}

#[tokio::test]
async fn a_data_folder_is_saved_running_or_not_and_put_back() {
    let home = Folder::new();
    let path = |name: &str| home.file(name).to_str().unwrap().to_owned();
    let run = |arguments: &[&str]| CommandOutput::of(&command(NATTER, &[]).args(arguments).output().unwrap());
    let mut server = DevServer::start_in(NATTER, home.file("data"), &[]).await;
    let alice = User::register_as(&server.http, "alice").await;
    let bob = User::register_as(&server.http, "bob").await;
    let room = alice.group(&[&bob]).await;
    alice.post_message(&room, "kept").await;
    run(&["backup", &path("running"), "--data-dir", &path("data")]).ok();
    server.stop().await;
    run(&["backup", &path("stopped"), "--data-dir", &path("data"), "--with-keys"]).ok();

    for (backup, keeps_sessions) in [("running", false), ("stopped", true)] {
        let data = format!("{backup}-again");
        run(&["restore", &path(backup), "--data-dir", &path(&data)]).ok();
        assert!(
            run(&["restore", &path(backup), "--data-dir", &path(&data)]).error().contains("there already")
        );
        let mut server = DevServer::start_in(NATTER, home.file(&data), &[]).await;
        let mut same = alice.clone();
        same.move_to(&server.http);
        assert_eq!(same.get("/api/me").await.status == 200, keeps_sessions);
        let again = User::log_in_as(&server.http, "alice").await;
        let history: Vec<Value> = again.history(&room).await;
        assert_eq!(history.len(), 1);
        server.stop().await;
    }
}

/// As a snapshot of a CQL cluster is that was taken after the log.
#[tokio::test]
async fn a_store_of_a_later_moment_than_its_log_is_not_restored() {
    let home = Folder::new();
    let path = |name: &str| home.file(name).to_str().unwrap().to_owned();
    let run = |arguments: &[&str]| CommandOutput::of(&command(NATTER, &[]).args(arguments).output().unwrap());
    let mut server = DevServer::start_in(NATTER, home.file("data"), &[]).await;
    let alice = User::register_as(&server.http, "alice").await;
    let bob = User::register_as(&server.http, "bob").await;
    let room = alice.group(&[&bob]).await;
    run(&["backup", &path("early"), "--data-dir", &path("data")]).ok();
    alice.post_message(&room, "later").await;
    let stored = || {
        let db = rusqlite::Connection::open(server.data().join("natter.db")).unwrap();
        db.query_row("SELECT count(*) FROM messages", [], |row| row.get::<_, i64>(0)).unwrap()
    };
    until("the store has it", async || stored() == 1).await;
    assert!(server.stop().await.success());
    run(&["backup", &path("late"), "--data-dir", &path("data")]).ok();

    let late = fs::read(home.file("late").join("natter.db")).unwrap();
    fs::write(home.file("early").join("natter.db"), &late).unwrap();
    let manifest = home.file("early").join("manifest.json");
    let mut listed: Value = serde_json::from_slice(&fs::read(&manifest).unwrap()).unwrap();
    listed["files"]["natter.db"] =
        json!({ "bytes": late.len(), "blake3": blake3::hash(&late).to_hex().as_str() });
    fs::write(&manifest, listed.to_string()).unwrap();
    for _ in 0..2 {
        let refused = run(&["restore", &path("early"), "--data-dir", &path("again")]).error();
        assert!(refused.contains("the log was rolled back"), "{refused}");
    }
}
