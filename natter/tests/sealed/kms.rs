//! The root is in a KMS, which may be away.

use std::{
    fs,
    time::{Duration, Instant},
};

use natter_testkit::{Cluster, OpenBao, Process, text, until};
use serde_json::json;

use crate::{NATTER, store};

#[tokio::test(flavor = "multi_thread")]
async fn while_the_kms_is_away_known_keys_go_on_and_no_others() {
    let bao = OpenBao::start().await;
    let folder = tempfile::tempdir().unwrap();
    let token = folder.path().join("token");
    fs::write(&token, format!("{}\n", OpenBao::TOKEN)).unwrap();
    let url = bao.settings().url;
    let settings = [
        ("CHAT_ENCRYPTION_ENABLED", "true"),
        ("CHAT_KMS_URL", url.as_str()),
        ("CHAT_KMS_TOKEN_FILE", token.to_str().unwrap()),
    ];
    let cluster = Cluster::start_with_settings(NATTER, &settings).await;
    let (alice, bob) = (cluster.user(0, "alice").await, cluster.user(0, "bob").await);
    let room = alice.group(&[&bob]).await;
    alice.post_message(&room, "before").await;

    bao.pause();
    alice.post_message(&room, "meanwhile").await;
    let page = bob.history(&room).await;
    let texts = |page: &[serde_json::Value]| page.iter().map(|m| m["content"].clone()).collect::<Vec<_>>();
    assert_eq!(texts(&page), ["before", "meanwhile"]);
    let body = json!({"conversationId": room.id, "content": "from bob"});
    assert_eq!(bob.post("/api/messages", &body).await.code(), (503, "unavailable"));
    // The other edge has no keys yet: the page is there, its texts are not.
    let marked = bob.at(1).history(&room).await;
    assert!(marked.iter().all(|message| message["unreadable"] == true), "{marked:?}");
    assert_eq!(marked.len(), 2);

    bao.resume();
    until("keys are there again", async || bob.post("/api/messages", &body).await.status == 201).await;
    until("the other edge has them too", async || {
        texts(&bob.at(1).history(&room).await) == ["before", "meanwhile", "from bob"]
    })
    .await;
}

/// A message that a process has logged, so many times.
fn logged(process: &Process, part: &str) -> usize {
    process.log().lines().filter(|line| line.contains(part)).count()
}

/// As long in the proportion of the cache as ten minutes are of five.
const OUTAGE: Duration = Duration::from_secs(8);

#[tokio::test(flavor = "multi_thread")]
async fn an_outage_longer_than_the_cache_refuses_sends_until_it_is_over() {
    const TEXT: &str = "rotkehlchen";
    let bao = OpenBao::start().await;
    let url = bao.settings().url;
    let settings = [
        ("CHAT_ENCRYPTION_ENABLED", "true"),
        ("CHAT_KMS_URL", url.as_str()),
        ("CHAT_KMS_TOKEN", OpenBao::TOKEN),
        ("CHAT_KEY_CACHE", "4s"),
    ];
    let mut cluster = Cluster::start_with_settings(NATTER, &settings).await;
    // Processes whose logs and metrics are looked at.
    let edge = cluster.spawn("edge", &[]);
    let ready = edge.wait_for_event("edge is ready").await;
    let (address, admin) = (format!("http://{}", text(&ready["address"])), text(&ready["admin"]));
    let worker = cluster.spawn("worker", &[]);
    worker.wait_for_event("worker is ready").await;
    for number in 0..2 {
        cluster.kill_worker(number);
    }
    let (alice, bob) = (cluster.user(0, "alice").await, cluster.user(0, "bob").await);
    let at = vec![address.clone(), address];
    let (alice, bob) = (alice.at_addresses(at.clone()), bob.at_addresses(at));
    let room = alice.group(&[&bob]).await;
    let mut reader = bob.device("b").await;
    let post = async |n: usize| {
        let body = json!({"conversationId": room.id, "content": format!("{TEXT} {n}")});
        alice.post("/api/messages", &body).await
    };
    post(0).await.ok(201);

    bao.pause();
    let away = Instant::now();
    let mut sent = 1;
    let refused = loop {
        let answer = post(sent).await;
        if answer.status != 201 {
            break answer;
        }
        sent += 1;
    };
    assert_eq!(refused.code(), (503, "unavailable"));
    assert!(sent > 1, "running conversations go on with the keys that are there");
    assert!(away.elapsed() < Duration::from_secs(8), "a key is used for four seconds: {:?}", away.elapsed());
    while away.elapsed() < OUTAGE {
        assert_eq!(post(sent).await.code(), (503, "unavailable"));
        let page = bob.history(&room).await;
        assert_eq!(page.len(), sent);
        assert!(page.iter().all(|message| message["unreadable"] == true), "{page:?}");
        reader.ping().await;
    }
    let metrics = reqwest::get(format!("http://{admin}/metrics")).await.unwrap().text().await.unwrap();
    let refusals = metrics.lines().find_map(|line| line.strip_prefix("natter_sends_without_key_total "));
    assert!(refusals.unwrap().parse::<u32>().unwrap() >= 2, "{metrics}");

    bao.resume();
    until("sends are sealed again", async || post(sent).await.status == 201).await;
    until("what was unreadable is read", async || {
        let page = bob.history(&room).await;
        page.len() == sent + 1 && page.iter().enumerate().all(|(n, m)| m["content"] == format!("{TEXT} {n}"))
    })
    .await;
    assert_eq!(logged(&edge, "no keys to be had"), 1);
    assert_eq!(logged(&edge, "keys can be had again"), 1);
    assert_eq!(logged(&worker, "the KMS is away"), 1);
    assert_eq!(logged(&worker, "the KMS answers again"), 1);
    let count = i64::try_from(sent).unwrap() + 1;
    until("all is persisted", async || cluster.persisted() == count).await;
    let in_clear = "SELECT count(*) FROM events WHERE instr(data, CAST(?1 AS BLOB)) > 0";
    let in_clear: i64 = store(&cluster).query_row(in_clear, [TEXT], |row| row.get(0)).unwrap();
    assert_eq!(in_clear, 0, "nothing was stored in clear");
}
