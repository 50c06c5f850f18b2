//! A key that is gone is gone from every process that knew it.

use std::time::Duration;

use natter_nats::{
    connect::{Address, Purpose, connect},
    publisher::Publisher,
};
use natter_schemas::{
    codec,
    event::{Body, Kind},
    id::UserId,
};
use natter_testkit::{Cluster, until_some, until_within};
use natter_workers::control::publish_keys_changed;
use serde_json::json;

use crate::{NATTER, SEALED, store};

/// Of a key that is kept for five minutes.
const SOON: Duration = Duration::from_secs(2);

#[tokio::test(flavor = "multi_thread")]
async fn a_destroyed_key_is_gone_from_every_edge_within_two_seconds() {
    let cluster = Cluster::start_with_settings(NATTER, &SEALED).await;
    let (alice, bob) = (cluster.user(0, "alice").await, cluster.user(1, "bob").await);
    let room = alice.group(&[&bob]).await;
    alice.post_message(&room, "of alice").await;
    bob.post_message(&room, "of bob").await;
    for edge in [0, 1] {
        let page = bob.at(edge).history(&room).await;
        assert_eq!([&page[0]["content"], &page[1]["content"]], ["of alice", "of bob"]);
    }

    let id: UserId = alice.id.parse().unwrap();
    let gone = store(&cluster);
    let user = id.as_bytes().to_vec();
    assert_eq!(gone.execute("DELETE FROM user_keys WHERE user = ?1", [&user]).unwrap(), 1);
    // Of messages, and of the profile.
    assert_eq!(gone.execute("DELETE FROM data_keys WHERE user = ?1", [&user]).unwrap(), 2);
    let nats = connect(&Address::new(cluster.nats_url()), Purpose::Publish).await.unwrap();
    publish_keys_changed(&Publisher::new(nats), &[id]).await.unwrap();
    for edge in [0, 1] {
        let shown = async || {
            let page = bob.at(edge).history(&room).await;
            (page[0]["unreadable"].clone(), page[1]["content"].clone()) == (json!(true), json!("of bob"))
        };
        until_within(SOON, "the text is not shown any more, and others are", shown).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn every_edge_seals_with_a_new_key_within_two_seconds() {
    let cluster = Cluster::start_with_settings(NATTER, &SEALED).await;
    let (alice, bob) = (cluster.user(0, "alice").await, cluster.user(1, "bob").await);
    let room = alice.group(&[&bob]).await;
    for edge in [0, 1] {
        alice.at(edge).post_message(&room, "before").await;
    }
    let rotated = cluster.run(&["keys", "rotate", "--user", &alice.name], &[]);
    assert!(rotated.status.success(), "{rotated:?}");
    let mut texts = vec!["before".to_owned(), "before".to_owned()];
    for edge in [0, 1] {
        let is_sealed_with_it = async || {
            let seq = alice.at(edge).post_message(&room, "after").await;
            texts.push("after".to_owned());
            epoch_of(&cluster, seq).await == 2
        };
        until_within(SOON, "it seals with the new key", is_sealed_with_it).await;
    }
    let shown: Vec<_> = bob.history(&room).await.iter().map(|message| message["content"].clone()).collect();
    assert_eq!(shown, texts);
}

/// Of the key that a message is sealed with, once it is stored.
async fn epoch_of(cluster: &Cluster, seq: u64) -> u32 {
    let seq = i64::try_from(seq).unwrap();
    let store = store(cluster);
    let query = "SELECT data FROM messages JOIN events USING (place) WHERE seq = ?1";
    let data = until_some("the message is stored", async || {
        store.query_row(query, [seq], |row| row.get::<_, Vec<u8>>(0)).ok()
    })
    .await;
    match codec::decode(&data).unwrap().kind {
        Kind::Posted { body: Body::Sealed { key_version, .. }, .. } => key_version,
        other => panic!("not sealed: {other:?}"),
    }
}
