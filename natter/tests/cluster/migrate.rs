//! What `natter migrate` makes and what its `--status` shows.

use std::process::Output;

use natter_nats::async_nats::{self, jetstream};
use natter_testkit::Cassandra;

use crate::NATTER;
use natter_testkit::Cluster;

fn said(output: &Output) -> (Option<i32>, String) {
    assert!(output.stderr.is_empty(), "{output:?}");
    (output.status.code(), String::from_utf8_lossy(&output.stdout).into_owned())
}

/// Looks, migrates, looks again and migrates again.
fn goes_from_nothing_to_everything(cluster: &Cluster, database: &str) {
    let run = |arguments: &[&str]| said(&cluster.run(arguments, &[("DATABASE_URL", database)]));
    let before = run(&["migrate", "--status"]);
    for words in ["0001_accounts", "pending", "stream CONV_0 is missing: run `natter migrate`"] {
        assert!(before.0 == Some(1) && before.1.contains(words), "{before:?} lacks {words}");
    }
    assert_eq!(run(&["migrate", "--status"]), before, "a look changes nothing");

    let (code, made) = run(&["migrate"]);
    for words in ["migration 0001_accounts: applied\n", "stream CONV_0: created\n"] {
        assert!(code == Some(0) && made.contains(words), "{made} lacks {words}");
    }
    let (code, after) = run(&["migrate", "--status"]);
    assert!(code == Some(0) && after.contains("NATS is as this version wants it"), "{after}");
    assert!(after.contains("0001_accounts") && !after.contains("pending"), "{after}");
    assert_eq!(run(&["migrate"]), (Some(0), "nothing to change\n".to_owned()));
}

#[tokio::test]
async fn migrate_makes_a_file_and_the_log() {
    let cluster = Cluster::bare(NATTER).await;
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("other.db");
    goes_from_nothing_to_everything(&cluster, &format!("sqlite:{}", path.display()));
}

#[tokio::test]
async fn migrate_makes_a_keyspace_and_the_log() {
    let (cluster, cassandra) = tokio::join!(Cluster::bare(NATTER), Cassandra::start());
    let keyspace = format!("scylla://{}/natter", cassandra.address());
    let refused = cluster.run(&["migrate"], &[("DATABASE_URL", &keyspace)]);
    let why = String::from_utf8_lossy(&refused.stderr);
    assert!(refused.status.code() == Some(1) && why.contains("replication=3"), "{why}");
    goes_from_nothing_to_everything(&cluster, &format!("{keyspace}?replication=1"));

    // Parts that no program of this version has: nothing of it starts on them.
    let later = "INSERT INTO schema_migrations (folder, version, name, checksum, statements_done) \
                 VALUES ('migrations', 9999, 'later', '', 0)";
    let options = natter_store::scylla::Options::new(vec![cassandra.address()], "natter");
    natter_store::scylla::connect(&options).await.unwrap().query_unpaged(later, ()).await.unwrap();
    for arguments in [["migrate"], ["worker"]] {
        let refused = cluster.run(&arguments, &[("DATABASE_URL", &keyspace)]);
        let why = String::from_utf8_lossy(&refused.stderr);
        assert!(refused.status.code() == Some(1) && why.contains("9999_later"), "{why}");
    }
}

/// It would be a panic without a choice of the cryptography provider.
#[tokio::test]
async fn tls_to_a_server_without_it_is_refused_with_a_sentence() {
    let cluster = Cluster::bare(NATTER).await;
    let url = cluster.nats_url().replace("nats://", "tls://");
    let refused = cluster.run(&["migrate"], &[("NATS_URL", &url)]);
    let why = String::from_utf8_lossy(&refused.stderr);
    assert!(refused.status.code() == Some(1) && !why.contains("panicked"), "{why}");
}

#[tokio::test]
async fn without_the_bucket_of_its_log_only_an_accepted_new_log_starts() {
    let cluster = Cluster::bare(NATTER).await;
    let run = |arguments: &[&str]| cluster.run(arguments, &[]);
    assert!(run(&["migrate"]).status.success());
    let js = jetstream::new(async_nats::connect(cluster.nats_url()).await.unwrap());
    js.publish("conv.0.0197c0de0197c0de0197c0de0197c0de", "an event".into()).await.unwrap().await.unwrap();
    js.delete_stream("KV_natter").await.unwrap();

    let refused = run(&["migrate"]);
    let why = String::from_utf8_lossy(&refused.stderr);
    assert!(refused.status.code() == Some(1) && why.contains("--accept-new-log"), "{why}");
    assert!(why.contains("1 events"), "{why}");
    let edge = run(&["edge"]);
    assert!(String::from_utf8_lossy(&edge.stderr).contains("KV_natter is missing: run `natter migrate`"));
    let (code, made) = said(&run(&["migrate", "--accept-new-log"]));
    assert!(code == Some(0) && made.contains("warning: a part of the log is gone"), "{made}");
    assert_eq!(said(&run(&["migrate"])), (Some(0), "nothing to change\n".to_owned()));
}
