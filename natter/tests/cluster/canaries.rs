//! No secret and no content is in what the roles write, whatever the level of their logs and whatever fails.

use std::fs;

use natter_testkit::{Cluster, Folder, Redis, User};
use serde_json::json;
use tokio_tungstenite::tungstenite::Message;

use crate::NATTER;

const NATS: &str = "canary-nats-0f3a";
const REDIS: &str = "canary-redis-1b7c";
const KAFKA: &str = "canary-kafka-2d9e";
const STORE: &str = "canary-store-3e5f";
const SIGNING: &str = "canary-signing-4a6b-0123456789abcdef";
const KEY_FILE: &str = "canary-key-file-5c8d";
const CONTENT: &str = "canary content 6e1f";
const DRAFT: &str = "canary draft 7f2a";
const NEW_PASSWORD: &str = "canary password 8a3b";
const WRONG_PASSWORD: &str = "canary guess 9b4c";

/// Each place where one of these is, with what stands around it.
fn leaks(of: &str, text: &str, canaries: &[&str]) -> Vec<String> {
    let line = |canary: &str| {
        let line = text.lines().find(|line| line.contains(canary))?;
        let at = line.find(canary)?;
        let shown: String = line.chars().take(300).collect();
        Some(format!("{of}: {canary} at {at} of {shown}"))
    };
    canaries.iter().filter_map(|canary| line(canary)).collect()
}

/// A Redis that wants a password, and its address with it.
async fn guarded_redis() -> (Redis, String) {
    let redis = Redis::start().await;
    let password = format!(">{REDIS}");
    redis.run::<()>(&["ACL", "SETUSER", "natter", "on", &password, "~*", "&*", "+@all"]).await.unwrap();
    let url = format!("redis://natter:{REDIS}@{}", redis.address());
    (redis, url)
}

/// Everything that carries a secret and goes well or wrong at a client's wish. What must not be written is the answer.
async fn use_everything(address: &str) -> Vec<String> {
    let (alice, bob) = (User::register_as(address, "alice").await, User::register_as(address, "bob").await);
    let mut session = alice.log_in().await;
    let before = session.refresh_token.clone();
    session.refresh().await;
    let room = alice.group(&[&bob]).await;
    let posted = alice.post_message(&room, CONTENT).await;
    let edit = json!({"content": format!("{CONTENT} again")});
    alice.patch(&room.path(&format!("/messages/{posted}")), &edit).await.ok(200);
    bob.history(&room).await;
    let login = json!({"login": "alice", "password": WRONG_PASSWORD});
    assert_eq!(bob.post("/api/auth/login", &login).await.status, 401);
    let broken = bob.with_token(format!("{}x", bob.token));
    assert_eq!(broken.get("/api/conversations").await.status, 401);
    // Not in JSON, of another form, too long.
    let too_long = DRAFT.repeat(20_000);
    for body in [json!(DRAFT), json!({"conversationId": DRAFT, "content": [DRAFT]})] {
        assert!([400, 422].contains(&alice.post("/api/messages", &body).await.status));
    }
    let body = json!({"conversationId": room.id, "content": too_long});
    assert!([413, 422].contains(&alice.post("/api/messages", &body).await.status));
    let mut socket = alice.socket("phone").await;
    for text in [DRAFT.to_owned(), json!({"type": "send", "content": DRAFT}).to_string()] {
        socket.send_raw(Message::text(text)).await;
        socket.wait_for("error").await;
    }
    let change = json!({"current": natter_testkit::PASSWORD, "next": NEW_PASSWORD});
    assert_eq!(alice.post("/api/me/password", &change).await.status / 100, 2);
    let mut secrets = vec![before];
    for user in [&alice, &bob, &session] {
        secrets.extend([user.token.clone(), user.refresh_token.clone()]);
    }
    secrets
}

#[tokio::test(flavor = "multi_thread")]
async fn what_roles_write_at_trace_level_has_no_secret() {
    let mut cluster = Cluster::bare(NATTER).await;
    let (_redis, redis) = guarded_redis().await;
    let nats = cluster.nats_url().replace("nats://", &format!("nats://natter:{NATS}@"));
    let settings = [
        ("NATS_URL", nats.as_str()),
        ("REDIS_URL", &redis),
        ("JWT_SECRET", SIGNING),
        ("LOG_LEVEL", "trace"),
        ("KAFKA_BROKERS", "127.0.0.1:1"),
        ("KAFKA_SECURITY_PROTOCOL", "sasl_plaintext"),
        ("KAFKA_SASL_USERNAME", "natter"),
        ("KAFKA_SASL_PASSWORD", KAFKA),
    ];
    let migrated = cluster.run(&["migrate"], &settings);
    assert!(migrated.status.success(), "{migrated:?}");
    let (worker, edge) = (cluster.spawn("worker", &settings), cluster.spawn("edge", &settings));
    let ready = edge.wait_for_event("edge is ready").await;
    let worker_ready = worker.wait_for_event("worker is ready").await;
    let mut secrets = use_everything(&format!("http://{}", ready["address"].as_str().unwrap())).await;
    secrets.extend(
        [NATS, REDIS, KAFKA, SIGNING, CONTENT, DRAFT, NEW_PASSWORD, WRONG_PASSWORD, natter_testkit::PASSWORD]
            .map(str::to_owned),
    );
    let canaries: Vec<&str> = secrets.iter().map(String::as_str).collect();

    let mut found = Vec::new();
    for (name, ready) in [("edge", &ready), ("worker", &worker_ready)] {
        let url = format!("http://{}/metrics", ready["admin"].as_str().unwrap());
        let metrics = reqwest::get(url).await.unwrap().text().await.unwrap();
        assert!(metrics.contains("natter_"), "{metrics}");
        found.extend(leaks(&format!("metrics of the {name}"), &metrics, &canaries));
    }
    worker.wait_for_line("kafka").await;
    for (name, process) in [("edge", &edge), ("worker", &worker)] {
        let log = process.log();
        // Drivers write the most.
        assert!(log.contains("attempting connection"), "the {name} writes what drivers do");
        found.extend(leaks(name, &log, &canaries));
    }
    assert!(found.is_empty(), "{}", found.join("\n"));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_start_that_fails_names_no_secret() {
    let (cluster, folder) = (Cluster::bare(NATTER).await, Folder::new());
    let key = folder.file("key.pem");
    fs::write(&key, format!("-----BEGIN PRIVATE KEY-----\n{KEY_FILE}\n-----END PRIVATE KEY-----\n")).unwrap();
    let key = key.to_str().unwrap();
    let jwt_key = format!("one:{key}");
    let migrated = cluster.run(&["migrate"], &[]);
    assert!(migrated.status.success(), "{migrated:?}");
    let url = |scheme: &str, secret: &str, rest: &str| format!("{scheme}://natter:{secret}@{rest}");
    for (role, name, value) in [
        ("edge", "NATS_URL", url("nats", NATS, "ho st:4222")),
        ("edge", "NATS_URL", url("nats", NATS, "127.0.0.1:1")),
        ("edge", "NATS_URL", url("tls", NATS, cluster.nats_url().trim_start_matches("nats://"))),
        ("edge", "REDIS_URL", url("redis", REDIS, "127.0.0.1:1")),
        ("edge", "REDIS_URL", url("redis", REDIS, "127.0.0.1:port")),
        ("edge", "REDIS_URL", format!("natter:{REDIS}@redis")),
        ("worker", "DATABASE_URL", url("scylla", STORE, "127.0.0.1:1/natter")),
        ("worker", "DATABASE_URL", url("scylla", STORE, "127.0.0.1:port/natter")),
        ("worker", "DATABASE_URL", url("postgres", STORE, "127.0.0.1/natter")),
        ("migrate", "DATABASE_URL", url("scylla", STORE, "127.0.0.1:1/natter")),
        ("edge", "JWT_SECRET", SIGNING[..20].to_owned()),
        ("edge", "JWT_SECRETS", format!("not an id:{SIGNING}")),
        ("edge", "JWT_PRIVATE_KEY", jwt_key.clone()),
        ("worker", "CHAT_MESSAGE_KEY", format!("{STORE}-not-32-bytes")),
        ("worker", "CHAT_KMS_URL", url("https", STORE, "bao")),
    ] {
        let mut settings = vec![("LOG_LEVEL", "trace"), ("CHAT_ENCRYPTION_ENABLED", "true")];
        if name.starts_with("JWT_") {
            // One of them only.
            settings.push(("JWT_SECRET", ""));
        }
        settings.push((name, value.as_str()));
        let output = cluster.run(&[role], &settings);
        let said =
            [output.stdout, output.stderr].map(|bytes| String::from_utf8_lossy(&bytes).into_owned()).concat();
        assert_eq!(output.status.code(), Some(1), "{role} with {name}={value}: {said}");
        assert!(said.contains("natter: "), "{said}");
        let canaries = [NATS, REDIS, STORE, &SIGNING[..20], KEY_FILE];
        let found = leaks(role, &said, &canaries);
        assert!(found.is_empty(), "{name}={value}: {found:?}");
    }
}
