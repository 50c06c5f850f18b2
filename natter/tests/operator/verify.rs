//! What was changed in the store by hand is found, row by row.

use serde_json::{Value, json};

use natter_testkit::until;

use crate::{
    deployment::{OperatorCluster, partition, posted},
    rows::{insert, lose, lose_bytes, lose_head, overwrite},
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
    let mut deployment = OperatorCluster::start().await;
    let (alice, bob) = deployment.two().await;
    let (room, other) = (alice.group(&[&bob]).await, alice.group(&[&bob]).await);
    let mut output = Vec::new();
    for n in 0..20 {
        output.push(alice.post_message(&room, &format!("message {n}")).await);
        alice.post_message(&other, "elsewhere").await;
    }
    deployment.settled().await;
    deployment.assert_equal();
    deployment.kill_workers();

    let store = deployment.store();
    lose(&store, &room, output[3]);
    overwrite(&store, &room, output[7], b"\x01\xff");
    let forged = natter_schemas::codec::encode(&posted(&alice, &room, "never output"));
    overwrite(&store, &room, output[9], &forged);
    lose_bytes(&store, &room, output[11]);
    let (code, partitions) = deployment.verified();
    let mut expected = vec![
        (output[3], "missing".to_owned()),
        (output[7], "unreadable".to_owned()),
        (output[9], "different".to_owned()),
        (output[11], "unreadable".to_owned()),
    ];
    assert_eq!((code, found(&partitions)), (Some(1), expected.clone()), "{partitions:#?}");

    // A row where the partition's log has another conversation's event, or one that cannot be decoded.
    let p = partition(&room);
    let free = deployment.publish(p, crate::deployment::id(&other), b"noise".to_vec()).await;
    deployment.start_worker();
    deployment.settled().await;
    insert(&store, free, &posted(&bob, &room, "never output either"));
    lose_head(&store, &room);
    expected.push((free, "only_in_store".to_owned()));
    expected.push((output[19], "head_behind".to_owned()));
    expected.sort();
    let (code, partitions) = deployment.verified();
    assert_eq!((code, found(&partitions)), (Some(1), expected), "{partitions:#?}");

    let lines = deployment.natter(&["verify", "--partition", &p.to_string()]).failed();
    for words in
        ["DIFFERENT", "missing in the store", "only in the store", "the store's head is 0", "left out"]
    {
        assert!(lines.contains(words), "{words}: {lines}");
    }
    assert!(!lines.contains("never output"), "content stays out: {lines}");

    // What is missing comes back, with all that follows from it; what was forged is deleted first.
    for seq in [output[7], output[9], output[11], output[19], free] {
        lose(&store, &room, seq);
    }
    deployment.natter(&["replay", "--partition", &p.to_string(), "--from", "1"]).ok();
    deployment.assert_equal();
}

#[tokio::test]
async fn what_the_persister_has_not_acked_is_not_due_yet() {
    let mut deployment = OperatorCluster::start().await;
    let (alice, bob) = deployment.two().await;
    let room = alice.group(&[&bob]).await;
    deployment.settled().await;
    let p = partition(&room);
    let floor = deployment.last_seq(p).await;
    deployment.kill_workers();
    let late = posted(&alice, &room, "while nothing is persisted");
    deployment.publish(p, late.conversation, natter_schemas::codec::encode(&late)).await;
    let (code, partitions) = deployment.verified();
    assert_eq!((code, &partitions[usize::from(p.0)]["to"]), (Some(0), &json!(floor)), "{partitions:#?}");

    deployment.start_worker();
    deployment.settled().await;
    until("what came late is compared too", async || {
        let (code, partitions) = deployment.verified();
        assert_eq!(code, Some(0), "{partitions:#?}");
        partitions[usize::from(p.0)]["to"] == floor + 1
    })
    .await;
}
