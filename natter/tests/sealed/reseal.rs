//! `natter keys reseal` and `natter keys retire`, beside people who write.

use std::{
    fs,
    process::{Command, Output},
    sync::atomic::{AtomicBool, Ordering::Relaxed},
    time::Duration,
};

use futures_util::future::join_all;
use natter_nats::{
    async_nats::jetstream,
    connect::{Address, Purpose, connect},
    log::LogReader,
    topology,
};
use natter_schemas::{codec, id::Partition};
use natter_testkit::{Cluster, Room, User, text, until};
use serde_json::Value;

use crate::{NATTER, ROOT, SEALED, store};

const PARTITIONS: u16 = 4;
/// Between two messages of who writes meanwhile.
const PAUSE: Duration = Duration::from_millis(20);
/// What the log keeps while it forgets: the persister is never so far behind. No purge: the log permits none.
const AGE: Duration = Duration::from_secs(6);
/// In no other word of these tests.
const MARK: &str = "mauersegler";

fn said(output: &Output) -> String {
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    format!("{}{}", text(&output.stdout), text(&output.stderr))
}

/// A command of `natter keys`, with sealing on.
fn command(cluster: &Cluster, arguments: &[&str]) -> Command {
    let sealed = [("CHAT_ENCRYPTION_ENABLED", "true"), ("CHAT_KEY_CACHE", "2s")];
    cluster.command(&[&["keys"], arguments].concat(), &sealed)
}

/// Its status, and what it said.
async fn keys(cluster: &Cluster, arguments: &[&str]) -> (Option<i32>, String) {
    let mut command = command(cluster, arguments);
    let output = tokio::task::spawn_blocking(move || command.output().unwrap()).await.unwrap();
    (output.status.code(), said(&output))
}

fn contents(page: &[Value]) -> Vec<String> {
    page.iter().map(|message| message["content"].as_str().unwrap_or("null").to_owned()).collect()
}

/// How many stored texts are in clear, and how many are sealed by epoch.
fn epochs(cluster: &Cluster) -> Vec<usize> {
    let store = store(cluster);
    let mut events = store.prepare("SELECT data FROM events").unwrap();
    let mut found = vec![0; 8];
    for data in events.query_map([], |row| row.get::<_, Vec<u8>>(0)).unwrap() {
        let event = codec::decode(&data.unwrap()).unwrap();
        if event.body().is_some() {
            found[event.key_version() as usize] += 1;
        }
    }
    found
}

/// Bytes of the store's files that have the mark.
fn marks(cluster: &Cluster) -> usize {
    ["", "-wal"]
        .iter()
        .filter_map(|end| fs::read(format!("{}{end}", cluster.database().display())).ok())
        .map(|bytes| bytes.windows(MARK.len()).filter(|some| *some == MARK.as_bytes()).count())
        .sum()
}

async fn log(cluster: &Cluster) -> (jetstream::Context, LogReader) {
    let address = Address::new(cluster.nats_url());
    let js = jetstream::new(connect(&address, Purpose::Work).await.unwrap());
    (js.clone(), LogReader::new(js, PARTITIONS))
}

/// What the log has now is acked by the persister. What is written meanwhile may not be: who writes never pauses.
async fn settled(log: &LogReader) {
    let last = log.last_seqs().await.unwrap();
    until("what the log had is acked by the persister", async || {
        log.floors().await.unwrap().iter().zip(&last).all(|(floor, last)| floor >= last)
    })
    .await;
}

/// The log as it is seven days later: without what it has and what is persisted now.
async fn forget(js: &jetstream::Context, log: &LogReader) {
    settled(log).await;
    let last = log.last_seqs().await.unwrap();
    let forgotten = Partition::all(PARTITIONS).zip(last).map(async |(p, last)| {
        let name = topology::log_stream(p);
        let kept = js.get_stream(&name).await.unwrap().cached_info().config.clone();
        let short = jetstream::stream::Config { max_age: AGE, duplicate_window: AGE, ..kept.clone() };
        js.update_stream(short).await.unwrap();
        until("the log has forgotten it", async || {
            let stream = js.get_stream(&name).await.unwrap();
            let state = &stream.cached_info().state;
            state.messages == 0 || state.first_sequence > last
        })
        .await;
        js.update_stream(kept).await.unwrap();
    });
    join_all(forgotten).await;
}

/// Writes until it is stopped; answers what was written.
async fn write(user: &User, room: &Room, stop: &AtomicBool) -> Vec<String> {
    let mut written = Vec::new();
    let mut pace = tokio::time::interval(PAUSE);
    while !stop.load(Relaxed) {
        pace.tick().await;
        let content = format!("meanwhile {}", written.len());
        user.post_message(room, &content).await;
        written.push(content);
    }
    written
}

#[tokio::test(flavor = "multi_thread")]
async fn texts_from_before_are_sealed_in_the_store_also_after_kill_9() {
    let mut cluster = Cluster::start_with_settings(NATTER, &[("CHAT_MESSAGE_KEY", ROOT)]).await;
    let (alice, bob) = (cluster.user(0, "alice").await, cluster.user(1, "bob").await);
    let mut rooms = Vec::new();
    for room in 0..8 {
        let group = alice.group(&[&bob]).await;
        for n in 0..15 {
            alice.post_message(&group, &format!("{MARK} {room}.{n}")).await;
        }
        rooms.push(group);
    }
    let (_, log) = log(&cluster).await;
    settled(&log).await;
    assert!(marks(&cluster) >= 120, "what is looked for would be found");
    let (status, out) = {
        let output = cluster.run(&["keys", "reseal"], &[]);
        (output.status.code(), said(&output))
    };
    assert!(status == Some(1) && out.contains("CHAT_ENCRYPTION_ENABLED is not true"), "{out}");

    let edge = cluster.spawn("edge", &[("CHAT_ENCRYPTION_ENABLED", "true")]);
    let address = format!("http://{}", text(&edge.wait_for_event("edge is ready").await["address"]));
    let there = bob.at_addresses(vec![address.clone(), address]);
    let stop = AtomicBool::new(false);
    let change = async {
        let mut running = command(&cluster, &["reseal", "--rate", "30"]).spawn().unwrap();
        until("some are sealed", async || epochs(&cluster)[0] < 120).await;
        running.kill().unwrap();
        running.wait().unwrap();
        assert!(epochs(&cluster)[0] > 0, "it was killed in the middle");
        let (status, out) = keys(&cluster, &["reseal"]).await;
        assert!(status == Some(0) && out.contains("the log has them as they were written"), "{out}");
        stop.store(true, Relaxed);
    };
    let (written, ()) = tokio::join!(write(&there, &rooms[0], &stop), change);
    settled(&log).await;
    assert_eq!(epochs(&cluster)[0], 0);
    let (status, out) = keys(&cluster, &["reseal", "--rewrite"]).await;
    assert!(status == Some(0) && out.contains("\n0 texts sealed in 8 conversations"), "{out}");
    assert_eq!(marks(&cluster), 0, "the store's files have no text in clear");

    for (number, room) in rooms.iter().enumerate() {
        let mut expected: Vec<_> = (0..15).map(|n| format!("{MARK} {number}.{n}")).collect();
        if number == 0 {
            expected.extend(written.iter().cloned());
        }
        for user in [&bob, &bob.at(0), &there] {
            assert_eq!(contents(&user.history(room).await), expected);
        }
    }
    let verified = cluster.run(&["verify"], &[]);
    assert!(verified.status.success() && said(&verified).contains("texts are sealed again"), "{verified:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_old_key_is_removed_when_nothing_needs_it_while_people_write() {
    let settings = [&SEALED[..], &[("CHAT_KEY_CACHE", "2s")]].concat();
    let cluster = Cluster::start_with_settings(NATTER, &settings).await;
    let (alice, bob) = (cluster.user(0, "alice").await, cluster.user(1, "bob").await);
    let (room, other) = (alice.group(&[&bob]).await, alice.group(&[&bob]).await);
    alice.post_message(&room, "the first").await;
    let stop = AtomicBool::new(false);
    let change = async {
        let (js, log) = log(&cluster).await;
        assert!(keys(&cluster, &["retire", "1"]).await.1.contains("their users' newest"));
        assert_eq!(keys(&cluster, &["rotate"]).await.0, Some(0));
        settled(&log).await;
        let (status, out) = keys(&cluster, &["retire", "1"]).await;
        assert!(status == Some(1) && out.contains("nothing was removed"), "{out}");
        let (status, out) = keys(&cluster, &["reseal"]).await;
        assert_eq!(status, Some(0), "{out}");
        let (status, out) = keys(&cluster, &["retire", "1", "--check"]).await;
        assert!(status == Some(1) && out.contains("the log forgets them"), "{out}");
        // What an edge sealed with the old key until it learned of the new one is in the store by now.
        forget(&js, &log).await;
        let (status, out) = keys(&cluster, &["reseal"]).await;
        assert_eq!(status, Some(0), "{out}");
        let (status, out) = keys(&cluster, &["retire", "1"]).await;
        assert!(status == Some(0) && out.contains("keys removed"), "{out}");
        stop.store(true, Relaxed);
    };
    let (written, ()) = tokio::join!(write(&alice, &other, &stop), change);
    let oldest: u32 = store(&cluster)
        .query_row(
            "SELECT min(epoch) FROM data_keys WHERE user = ?1",
            [alice.id.parse::<natter_schemas::id::UserId>().unwrap().as_bytes()],
            |row| row.get(0),
        )
        .unwrap();
    assert_eq!(oldest, 2);
    for user in [&bob, &bob.at(0)] {
        assert_eq!(contents(&user.history(&room).await), ["the first"]);
        assert_eq!(contents(&user.history(&other).await), written);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_root_is_retired_when_it_wraps_no_users_key() {
    let new = "1111111111111111111111111111111111111111111111111111111111111111";
    let cluster = Cluster::start_with_settings(NATTER, &SEALED).await;
    let (alice, bob) = (cluster.user(0, "alice").await, cluster.user(1, "bob").await);
    let room = alice.group(&[&bob]).await;
    alice.post_message(&room, "the text").await;
    let both = format!("{new},{ROOT}");
    let run = |arguments: &[&str]| {
        let settings = [("CHAT_MESSAGE_KEY", ""), ("CHAT_MESSAGE_KEYS", both.as_str())];
        let output = cluster.run(&[&["keys"], arguments].concat(), &settings);
        (output.status.code(), String::from_utf8(output.stdout.clone()).unwrap(), said(&output))
    };
    let status: Value = serde_json::from_str(&run(&["status", "--json"]).1).unwrap();
    let root = |at: usize| status["roots"][at]["root"].as_str().unwrap().to_owned();
    let (first, before) = (root(0), root(1));
    let (status, _, out) = run(&["retire", &before]);
    assert!(status == Some(1) && out.contains("the keys of 2 users"), "{out}");
    let (status, _, out) = run(&["retire", &first]);
    assert!(status == Some(1) && out.contains("wraps new keys"), "{out}");
    let (status, _, out) = run(&["retire", "local-unknown"]);
    assert!(status == Some(1) && out.contains("there is no root"), "{out}");
    assert_eq!(run(&["rewrap"]).0, Some(0));
    let (status, _, out) = run(&["retire", &before]);
    assert!(status == Some(0) && out.contains("remove it from the settings"), "{out}");
}
