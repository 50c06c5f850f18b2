//! Users who want to be forgotten, in a deployment of a CQL cluster and Kafka: what is in the files of all servers.

use std::{fs, path::Path, process::Output};

use natter_testkit::{Cassandra, Cluster, Kafka, until};
use serde_json::{Value, json};

use crate::{NATTER, SEALED, rest::files_with};

// In no other word of these tests, and of letters of which no four are in another: where files are compressed, what comes
// first is there as it is.
const TEXT: &str = "qkvwyzfjbx";
const NAME: &str = "Jxqzwvkpfg";
const USERNAME: &str = "zxvqjwkgyf";

fn ok(output: &Output) -> String {
    assert!(output.status.success(), "{output:?}");
    String::from_utf8(output.stdout.clone()).unwrap()
}

/// In any of these folders.
fn found(folders: &[&Path], text: &str) -> Vec<String> {
    folders.iter().flat_map(|folder| files_with(folder, text)).collect()
}

/// What an operator does after `gc_grace_seconds`, which are over at once.
async fn compacted(cassandra: &Cassandra, keyspace: &str, tables: &Path) {
    for table in fs::read_dir(tables).unwrap().flatten() {
        let name = table.file_name().to_string_lossy().into_owned();
        let name = name.rsplit_once('-').unwrap().0;
        cassandra.cql(&format!("ALTER TABLE {keyspace}.{name} WITH gc_grace_seconds = 0")).await;
    }
    ok(&cassandra.nodetool(&["flush"]));
    ok(&cassandra.nodetool(&["compact", keyspace]));
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_of_an_erased_user_is_on_disks_of_a_cluster() {
    let (kafka, cassandra) = tokio::join!(Kafka::start(), Cassandra::start_operated());
    let (url, brokers, backups) = (cassandra.new_keyspace(), kafka.brokers(), tempfile::tempdir().unwrap());
    let changed = [SEALED[0], SEALED[1], ("DATABASE_URL", url.as_str()), ("KAFKA_BROKERS", brokers.as_str())];
    let cluster = Cluster::start_with_settings(NATTER, &changed).await;
    let (alice, bob) = (cluster.user(0, USERNAME).await, cluster.user(1, "bob").await);
    alice.patch("/api/me", &json!({"displayName": format!("Anna {NAME}")})).await.ok(200);
    let room = alice.group(&[&bob]).await;
    let seq = alice.post_message(&room, TEXT).await;
    alice
        .patch(&room.path(&format!("/messages/{seq}")), &json!({"content": format!("{TEXT} again")}))
        .await
        .ok(200);
    assert_eq!(bob.history(&room).await[0]["content"], format!("{TEXT} again"));
    until("the store and Kafka have it", async || {
        let verified = cluster.run(&["mirror", "verify"], &[]);
        verified.status.success() && !found(&[kafka.folder()], &room.id).is_empty()
    })
    .await;
    let saved = backups.path().join("saved");
    ok(&cluster.run(&["backup", saved.to_str().unwrap()], &[]));

    // Before anything is compacted, or erased: it is sealed, or a hash.
    let all = [cassandra.folder(), kafka.folder(), cluster.folder(), saved.as_path()];
    let email = format!("{}@tests.example", alice.name);
    let sealed = [TEXT, NAME, &NAME.to_lowercase(), &email];
    for text in sealed {
        assert_eq!(found(&all, text), Vec::<String>::new(), "{text}");
    }
    let keyspace = url.rsplit_once('/').unwrap().1.split_once('?').unwrap().0;
    let tables = cassandra.folder().join("data/data").join(keyspace);
    ok(&cassandra.nodetool(&["flush", keyspace]));
    assert!(!found(&[&tables], &alice.name).is_empty(), "what is looked for would be found");

    let printed: Value =
        serde_json::from_str(&ok(&cluster.run(&["erase", "user", &alice.name], &[]))).unwrap();
    let remains = printed["receipt"]["remains"].to_string();
    assert!(remains.contains("gc_grace_seconds") && !remains.contains("Kafka"), "{remains}");
    for text in sealed {
        assert_eq!(found(&all, text), Vec::<String>::new(), "{text}");
    }
    compacted(&cassandra, keyspace, &tables).await;
    assert_eq!(found(&[&tables, kafka.folder()], &alice.name), Vec::<String>::new());
    assert_eq!(bob.history(&room).await[0]["unreadable"], true);
}
