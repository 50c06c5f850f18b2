//! The root is in a KMS, which may be away.

use std::fs;

use natter_testkit::{Cluster, OpenBao, until};
use serde_json::json;

use crate::NATTER;

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
