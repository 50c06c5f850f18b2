//! When the roles refuse to start, and what they say then.

use std::process::Output;

use crate::{NATTER, shared};
use natter_testkit::Cluster;

/// One sentence that names what is wrong; no panic, no stack of causes.
fn refused(output: &Output, words: &[&str]) {
    let said = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(1), "{said}");
    let sentence = said.lines().find(|line| line.starts_with("natter: ")).unwrap_or_else(|| panic!("{said}"));
    assert!(words.iter().all(|word| sentence.contains(word)), "{sentence} lacks one of {words:?}");
    assert!(!said.contains("panicked"), "{said}");
}

/// What a role must be given, and what its refusal contains without it.
const NEEDED: &[(&str, &str, &[&str])] = &[
    ("edge", "NATS_URL", &["NATS_URL is missing", "nats://"]),
    ("edge", "REDIS_URL", &["REDIS_URL is missing", "redis://"]),
    ("edge", "JWT_SECRET", &["JWT_SECRET is missing", "32 bytes"]),
    ("worker", "NATS_URL", &["NATS_URL is missing", "nats://"]),
    ("worker", "REDIS_URL", &["REDIS_URL is missing", "redis://"]),
    ("worker", "DATABASE_URL", &["DATABASE_URL is missing", "sqlite:"]),
    ("migrate", "NATS_URL", &["NATS_URL is missing", "nats://"]),
    ("migrate", "DATABASE_URL", &["DATABASE_URL is missing", "sqlite:"]),
];

#[tokio::test]
async fn a_setting_that_is_missing_stops_the_start_with_a_sentence() {
    let cluster = shared().await;
    for (role, name, words) in NEEDED {
        refused(&cluster.run(&[role], &[(name, "")]), words);
    }
}

#[tokio::test]
async fn a_setting_that_is_weak_or_wrong_stops_the_start_with_a_sentence() {
    let cluster = shared().await;
    for (role, name, value) in [
        ("edge", "JWT_SECRET", "short"),
        ("edge", "RATE_LIMITS", "off"),
        ("edge", "PRESENCE_TTL", "1s"),
        ("edge", "REDIS_URL", "http://127.0.0.1"),
        ("worker", "DATABASE_URL", "postgres://somewhere/db"),
        ("worker", "DURABILITY", "some"),
        ("migrate", "LOG_MAX_BYTES", "12"),
    ] {
        refused(&cluster.run(&[role], &[(name, value)]), &[name, "allowed: "]);
    }
    for role in ["edge", "worker"] {
        refused(&cluster.run(&[role], &[("PARTITIONS", "8")]), &["PARTITIONS", "4", "8"]);
    }
    refused(&cluster.run(&["migrate"], &[("PARTITIONS", "8")]), &["PARTITIONS", "4", "8"]);
}

#[tokio::test]
async fn a_nats_or_redis_that_is_not_there_is_named_after_a_while() {
    let cluster = shared().await;
    // Nothing listens on port 1.
    let nats = cluster.command(&["worker"], &[("NATS_URL", "nats://127.0.0.1:1")]);
    let redis = cluster.command(&["edge"], &[("REDIS_URL", "redis://127.0.0.1:1")]);
    let run = |command| async { tokio::process::Command::from(command).output().await.unwrap() };
    let (nats, redis) = tokio::join!(run(nats), run(redis));
    refused(&nats, &["127.0.0.1:1"]);
    refused(&redis, &["REDIS_URL", "no Redis answered"]);
}

#[tokio::test]
async fn nothing_starts_before_migrate_which_has_nothing_to_change_the_second_time() {
    let cluster = Cluster::bare(NATTER).await;
    for role in ["edge", "worker"] {
        refused(&cluster.run(&[role], &[]), &["natter migrate"]);
    }
    let first = cluster.run(&["migrate"], &[]);
    let said = String::from_utf8_lossy(&first.stdout);
    assert!(first.status.success() && said.lines().count() > 1, "{first:?}");
    let second = cluster.run(&["migrate"], &[]);
    assert!(second.status.success());
    assert_eq!(String::from_utf8_lossy(&second.stdout), "nothing to change\n");
}
