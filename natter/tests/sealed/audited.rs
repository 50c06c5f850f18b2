//! What operators do with keys is in the audit log.

use std::fs;

use natter_testkit::{Cluster, Folder};
use serde_json::{Value, json};

use crate::{NATTER, SEALED};

#[tokio::test(flavor = "multi_thread")]
async fn what_operators_do_with_keys_is_recorded() {
    let (cluster, folder) = (Cluster::start_with_settings(NATTER, &SEALED).await, Folder::new());
    let (alice, bob) = (cluster.user(0, "alice").await, cluster.user(1, "bob").await);
    let room = alice.group(&[&bob]).await;
    alice.post_message(&room, "sealed").await;
    let path = folder.file("audit.log").display().to_string();
    let run = |arguments: &[&str]| {
        let output = cluster.run(&[&["keys"], arguments].concat(), &[("AUDIT_LOG", path.as_str())]);
        assert!(output.status.success(), "{output:?}");
    };
    run(&["status"]);
    run(&["rotate"]);
    run(&["rotate", "--user", &alice.name]);
    run(&["rewrap", "--again"]);

    let written = fs::read_to_string(folder.file("audit.log")).unwrap();
    let records: Vec<Value> = written.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let of = |kind: &str| records.iter().filter(|record| record["type"] == kind).collect::<Vec<_>>();
    let operator = &of("user_keys_rewrapped")[0]["operator"];
    assert!(operator.as_str().is_some_and(|name| !name.is_empty()), "{records:?}");
    let shown =
        |record: &Value| (record["user"].clone(), record["unopened"].clone(), record["operator"].clone());
    let rotated: Vec<_> = of("data_keys_rotated").into_iter().map(shown).collect();
    assert_eq!(
        rotated,
        [(Value::Null, json!(0), operator.clone()), (json!(alice.id), json!(0), operator.clone())]
    );
    assert!(
        records.iter().all(|record| record["process"].as_str().unwrap().starts_with("keys:")),
        "{records:?}"
    );
    // One chain for each command, also of one that changes nothing.
    assert_eq!((of("started").len(), of("stopped").len(), records.len()), (4, 4, 11));
    let verified = cluster.run(&["audit", "verify", &path], &[]);
    assert!(verified.status.success(), "{verified:?}");
    assert!(!written.contains(&alice.name), "{written}");
}
