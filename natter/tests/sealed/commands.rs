//! `natter keys`, beside people who write.

use std::process::{Command, Output};

use natter_schemas::id::UserId;
use natter_seal::Key;
use natter_testkit::{Cluster, until};
use natter_workers::services::keys::{LocalRoot, Roots};
use rusqlite::params;
use serde_json::Value;

use crate::{NATTER, ROOT, store};

/// A new root; the one of before follows it.
const NEW: &str = "1111111111111111111111111111111111111111111111111111111111111111";

fn text(output: &Output) -> String {
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    format!("{}{}", text(&output.stdout), text(&output.stderr))
}

fn newest_epoch(cluster: &Cluster) -> u32 {
    store(cluster).query_row("SELECT max(epoch) FROM data_keys", [], |row| row.get(0)).unwrap()
}

fn roots_in_store(cluster: &Cluster) -> u32 {
    store(cluster).query_row("SELECT count(DISTINCT root) FROM user_keys", [], |row| row.get(0)).unwrap()
}

/// So many more users have a key, wrapped by the root of before.
async fn many_users(cluster: &Cluster, count: usize) {
    let root = Roots::new(vec![Box::new(LocalRoot::new(Key::from(root_bytes())))]).unwrap();
    let mut store = store(cluster);
    let transaction = store.transaction().unwrap();
    for _ in 0..count {
        let user = UserId::fresh();
        let key = root.wrap(user, &Key::random().unwrap()).await.unwrap();
        let row = params![user.as_bytes(), key.root, key.wrapped];
        transaction.execute("INSERT INTO user_keys (user, root, wrapped) VALUES (?1, ?2, ?3)", row).unwrap();
    }
    transaction.commit().unwrap();
}

fn root_bytes() -> [u8; 32] {
    let byte = |at: usize| u8::from_str_radix(&ROOT[2 * at..2 * at + 2], 16).unwrap();
    std::array::from_fn(byte)
}

/// Both roots are known everywhere, and that of before wraps.
async fn cluster_of_both() -> Cluster {
    let both = format!("{ROOT},{NEW}");
    let settings = [("CHAT_ENCRYPTION_ENABLED", "true"), ("CHAT_MESSAGE_KEYS", both.as_str())];
    Cluster::start_with_settings(NATTER, &settings).await
}

/// A command of `natter keys`, for which the new root is the first.
fn command(cluster: &Cluster, arguments: &[&str]) -> Command {
    let both = format!("{NEW},{ROOT}");
    cluster.command(&[&["keys"], arguments].concat(), &[("CHAT_MESSAGE_KEYS", both.as_str())])
}

async fn keys(cluster: &Cluster, arguments: &[&str]) -> Output {
    let mut command = command(cluster, arguments);
    tokio::task::spawn_blocking(move || command.output().unwrap()).await.unwrap()
}

/// Which root wraps how many users' keys, the first first.
async fn status(cluster: &Cluster) -> Vec<u64> {
    let output = keys(cluster, &["status", "--json"]).await;
    assert!(output.status.success(), "{}", text(&output));
    let status: Value = serde_json::from_slice(&output.stdout).unwrap();
    status["roots"].as_array().unwrap().iter().map(|root| root["users"].as_u64().unwrap()).collect()
}

fn contents(page: &[Value]) -> Vec<String> {
    page.iter().map(|message| message["content"].as_str().unwrap_or("null").to_owned()).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn keys_are_rotated_and_rewrapped_while_people_write() {
    let mut cluster = cluster_of_both().await;
    let (alice, bob) = (cluster.user(0, "alice").await, cluster.user(1, "bob").await);
    let room = alice.group(&[&bob]).await;
    let mut expected = vec!["first".to_owned()];
    alice.post_message(&room, "first").await;
    bob.post_message(&room, "of bob").await;
    expected.push("of bob".to_owned());
    assert_eq!(status(&cluster).await, [0, 2]);
    for round in 0..3 {
        let write = async {
            for n in 0..10 {
                let text = format!("{round}.{n}");
                alice.post_message(&room, &text).await;
                expected.push(text);
            }
        };
        let change = async {
            for arguments in [["rotate"].as_slice(), &["rewrap", "--again"]] {
                let done = keys(&cluster, arguments).await;
                assert!(done.status.success(), "{}", text(&done));
            }
        };
        tokio::join!(write, change);
    }
    assert_eq!(status(&cluster).await, [2, 0]);
    assert_eq!(newest_epoch(&cluster), 4);
    assert_eq!(contents(&bob.history(&room).await), expected);

    // The root of before is not needed any more.
    cluster.kill_worker(0);
    cluster.kill_worker(1);
    let worker = cluster.spawn("worker", &[("CHAT_MESSAGE_KEYS", NEW)]);
    worker.wait_for_event("worker is ready").await;
    let edge = cluster.spawn("edge", &[]);
    let address = natter_testkit::text(&edge.wait_for_event("edge is ready").await["address"]).clone();
    let there = alice.at_addresses(vec![format!("http://{address}")]);
    assert_eq!(contents(&there.history(&room).await), expected);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_rewrap_that_was_killed_is_completed_by_the_next() {
    let cluster = cluster_of_both().await;
    let (alice, bob) = (cluster.user(0, "alice").await, cluster.user(1, "bob").await);
    let room = alice.group(&[&bob]).await;
    alice.post_message(&room, "the text").await;
    many_users(&cluster, 5_000).await;
    let mut running = command(&cluster, &["rewrap"]).spawn().unwrap();
    // Asked of the store itself: the command has finished before another process could have said it.
    until("some are wrapped by the new root", async || roots_in_store(&cluster) > 1).await;
    running.kill().unwrap();
    running.wait().unwrap();
    let done = status(&cluster).await;
    assert!(done[0] > 0 && done[1] > 0, "{done:?}");
    let again = keys(&cluster, &["rewrap"]).await;
    assert_eq!(again.status.code(), Some(0), "{}", text(&again));
    assert_eq!(status(&cluster).await, [5_002, 0]);
    assert_eq!(contents(&bob.history(&room).await), ["the text"]);
}
