//! What somebody did to the store by hand is found, row by row.

use serde_json::{Value, json};

use natter_testkit::until;

use crate::{
    rows::{insert, lose, lose_bytes, lose_head, overwrite},
    scene::{Scene, partition, posted},
};

fn found(partitions: &[Value]) -> Vec<(u64, String)> {
    let first = partitions.iter().flat_map(|p| p["first"].as_array().unwrap());
    let mut found: Vec<_> =
        first.map(|one| (one["seq"].as_u64().unwrap(), one["what"].as_str().unwrap().to_owned())).collect();
    found.sort();
    found
}

#[tokio::test]
async fn rows_that_were_deleted_changed_garbled_or_added_by_hand_are_found() {
    let mut scene = Scene::start().await;
    let (alice, bob) = scene.two().await;
    let (room, other) = (alice.group(&[&bob]).await, alice.group(&[&bob]).await);
    let mut said = Vec::new();
    for n in 0..20 {
        said.push(alice.post_message(&room, &format!("message {n}")).await);
        alice.post_message(&other, "elsewhere").await;
    }
    scene.settled().await;
    scene.assert_equal();
    scene.kill_workers();

    let store = scene.store();
    lose(&store, &room, said[3]);
    overwrite(&store, &room, said[7], b"\x01\xff");
    let forged = natter_schemas::codec::encode(&posted(&alice, &room, "never said"));
    overwrite(&store, &room, said[9], &forged);
    lose_bytes(&store, &room, said[11]);
    let (code, partitions) = scene.verified();
    let mut expected = vec![
        (said[3], "missing".to_owned()),
        (said[7], "unreadable".to_owned()),
        (said[9], "different".to_owned()),
        (said[11], "unreadable".to_owned()),
    ];
    assert_eq!((code, found(&partitions)), (Some(1), expected.clone()), "{partitions:#?}");

    // A row where the partition's log has another conversation's event, or one that nobody can read.
    let p = partition(&room);
    let free = scene.publish(p, crate::scene::id(&other), b"noise".to_vec()).await;
    scene.start_worker();
    scene.settled().await;
    insert(&store, free, &posted(&bob, &room, "never said either"));
    lose_head(&store, &room);
    expected.push((free, "only_in_store".to_owned()));
    expected.push((said[19], "head_behind".to_owned()));
    expected.sort();
    let (code, partitions) = scene.verified();
    assert_eq!((code, found(&partitions)), (Some(1), expected), "{partitions:#?}");

    let lines = scene.natter(&["verify", "--partition", &p.to_string()]).failed();
    for words in
        ["DIFFERENT", "missing in the store", "only in the store", "the store's head is 0", "left out"]
    {
        assert!(lines.contains(words), "{words}: {lines}");
    }
    assert!(!lines.contains("never said"), "content stays out: {lines}");

    // What is missing comes back, with all that follows from it; what was forged is deleted first.
    for seq in [said[7], said[9], said[11], said[19], free] {
        lose(&store, &room, seq);
    }
    scene.natter(&["replay", "--partition", &p.to_string(), "--from", "1"]).ok();
    scene.assert_equal();
}

#[tokio::test]
async fn what_the_persister_has_not_acked_is_not_due_yet() {
    let mut scene = Scene::start().await;
    let (alice, bob) = scene.two().await;
    let room = alice.group(&[&bob]).await;
    scene.settled().await;
    let p = partition(&room);
    let floor = scene.last_seq(p).await;
    scene.kill_workers();
    let late = posted(&alice, &room, "while nobody persists");
    scene.publish(p, late.conversation, natter_schemas::codec::encode(&late)).await;
    let (code, partitions) = scene.verified();
    assert_eq!((code, &partitions[usize::from(p.0)]["to"]), (Some(0), &json!(floor)), "{partitions:#?}");

    scene.start_worker();
    scene.settled().await;
    until("what came late is compared too", async || {
        let (code, partitions) = scene.verified();
        assert_eq!(code, Some(0), "{partitions:#?}");
        partitions[usize::from(p.0)]["to"] == floor + 1
    })
    .await;
}
