//! A log, a store or a nats-server that is gone for good.

use std::{fs, os::unix::fs::PermissionsExt, path::Path, process::Command};

use nix::sys::signal::Signal;
use serde_json::Value;

use natter_testkit::{DevServer, Room, User, command, until};

use crate::NATTER;

/// Two people, a room and what they wrote, all of it in the store; stopped.
async fn stopped_with_history() -> (DevServer, User, Room, Vec<Value>, String) {
    let mut natter = DevServer::start(NATTER, &[]).await;
    let (alice, bob) =
        (User::register_as(&natter.http, "alice").await, User::register_as(&natter.http, "bob").await);
    let room = alice.group(&[&bob]).await;
    let mut socket = alice.socket("phone").await;
    socket.flood(&room, 20, "hi").await;
    let history = alice.history(&room).await;
    until("the store has all of it", async || stored(&natter) == history.len()).await;
    let epoch = socket.epoch();
    assert!(natter.stop().await.success());
    (natter, alice, room, history, epoch)
}

/// Rows of messages in the store's file.
pub fn stored(natter: &DevServer) -> usize {
    let db = rusqlite::Connection::open(natter.data().join("natter.db")).unwrap();
    let rows: i64 = db.query_row("SELECT count(*) FROM messages", [], |row| row.get(0)).unwrap();
    usize::try_from(rows).unwrap()
}

/// What the start that is refused says.
fn refusal(natter: &DevServer) -> String {
    let mut command = command(NATTER, &[]);
    command.args(["dev", "--port", "0", "--admin-port", "0", "--data-dir"]).arg(natter.data());
    let output = command.output().unwrap();
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert_eq!(output.status.code(), Some(1), "{said}");
    said.lines()
        .find(|line| line.starts_with("natter: "))
        .unwrap_or_else(|| panic!("no sentence: {said}"))
        .to_owned()
}

async fn lost(gone: impl Fn(&Path)) {
    let (mut natter, mut alice, room, before, epoch) = stopped_with_history().await;
    gone(&natter.data().join("nats/jetstream"));
    let sentence = refusal(&natter);
    let highest = before.last().unwrap()["seq"].to_string();
    for word in ["KV_natter", "--accept-new-log", "up to seq ", &highest] {
        assert!(sentence.contains(word), "'{word}' is not in: {sentence}");
    }
    natter.start_again_with("--accept-new-log").await;
    assert!(natter.log().contains("a part of the log is gone"), "{}", natter.log());
    assert!(natter.metric("natter_log_lost_total").await > 0.5);
    alice.move_to(&natter.http);
    assert_eq!(alice.history(&room).await, before);
    assert!(alice.post_message(&room, "after").await > before.last().unwrap()["seq"].as_u64().unwrap());
    assert_ne!(alice.socket("phone").await.epoch(), epoch);
}

#[tokio::test]
async fn without_its_jetstream_folder_it_starts_only_when_a_new_log_is_accepted() {
    lost(|folder| fs::remove_dir_all(folder).unwrap()).await;
}

#[tokio::test]
async fn without_the_bucket_of_its_log_it_starts_only_when_a_new_one_is_accepted() {
    lost(|folder| fs::remove_dir_all(folder.join("jetstream/$G/streams/KV_natter")).unwrap()).await;
}

/// As after a power cut that took what was not synced.
#[tokio::test]
async fn with_a_log_that_was_rolled_back_it_starts_only_when_a_new_one_is_accepted() {
    let (mut natter, mut alice, room, _, epoch) = stopped_with_history().await;
    let (files, early) = (natter.data().join("nats/jetstream"), natter.data().join("early"));
    assert!(Command::new("cp").arg("-a").args([&files, &early]).status().unwrap().success());
    natter.start_again().await;
    alice.move_to(&natter.http);
    for number in 0..5 {
        alice.post_message(&room, &format!("later {number}")).await;
    }
    let before = alice.history(&room).await;
    until("the store has all of it", async || stored(&natter) == before.len()).await;
    assert!(natter.stop().await.success());
    fs::remove_dir_all(&files).unwrap();
    fs::rename(&early, &files).unwrap();

    let sentence = refusal(&natter);
    for word in ["the last events of 1 of 1 partitions", "--accept-new-log"] {
        assert!(sentence.contains(word), "'{word}' is not in: {sentence}");
    }
    natter.start_again_with("--accept-new-log").await;
    alice.move_to(&natter.http);
    assert_eq!(alice.history(&room).await, before);
    assert!(alice.post_message(&room, "after").await > before.last().unwrap()["seq"].as_u64().unwrap());
    assert_ne!(alice.socket("phone").await.epoch(), epoch);
}

#[tokio::test]
async fn a_log_that_is_gone_alone_is_warned_of_with_numbers_and_begins_a_new_epoch() {
    let (mut natter, mut alice, room, before, epoch) = stopped_with_history().await;
    fs::remove_dir_all(natter.data().join("nats/jetstream/jetstream/$G/streams/CONV_0")).unwrap();
    natter.start_again().await;
    let log = natter.log();
    for words in ["a part of the log is gone: the events of 1 of 1 partitions", "has events up to seq "] {
        assert!(log.contains(words), "'{words}' is not in: {log}");
    }
    assert!(natter.metric("natter_log_lost_total").await > 0.5);
    alice.move_to(&natter.http);
    assert_eq!(alice.history(&room).await, before);
    assert_ne!(alice.socket("phone").await.epoch(), epoch);
}

#[tokio::test]
async fn an_empty_store_beside_a_log_is_rebuilt_with_a_warning() {
    let (mut natter, _, _, before, _) = stopped_with_history().await;
    for file in ["natter.db", "natter.db-wal", "natter.db-shm"] {
        match fs::remove_file(natter.data().join(file)) {
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => {}
            removed => removed.unwrap(),
        }
    }
    natter.start_again().await;
    assert_eq!(stored(&natter), before.len());
    assert!(natter.log().contains("rebuilt from the log"), "{}", natter.log());
    assert!(natter.metric("natter_store_rebuilt_events_total").await >= 20.0);
    // Once: what is there is not empty.
    assert!(natter.stop().await.success());
    let said = natter.log().matches("it is rebuilt from the log").count();
    natter.start_again().await;
    assert_eq!(natter.log().matches("it is rebuilt from the log").count(), said);
}

#[tokio::test]
async fn natter_dev_ends_with_the_servers_log_when_it_cannot_restart_it() {
    let bin = tempfile::tempdir().unwrap();
    let link: &'static str =
        Box::leak(bin.path().join("nats-server").into_os_string().into_string().unwrap().into_boxed_str());
    std::os::unix::fs::symlink(natter_nats::server::find().unwrap(), link).unwrap();
    let mut natter = DevServer::start(NATTER, &[("NATTER_NATS_SERVER", link)]).await;
    fs::remove_file(link).unwrap();
    fs::write(link, "#!/bin/sh\necho the last words of nats-server\nexit 3\n").unwrap();
    fs::set_permissions(link, fs::Permissions::from_mode(0o755)).unwrap();
    natter.signal_nats(Signal::SIGKILL);
    let status = natter.ended().await;
    assert_eq!(status.code(), Some(1), "{}", natter.log());
    let log = natter.log();
    let sentence = log.split_once("natter: ").unwrap_or_else(|| panic!("no sentence: {log}")).1;
    assert!(sentence.contains("nats-server died") && sentence.contains("last words"), "{sentence}");
}
