//! No secret and no content is in what the roles write, whatever the level of their logs and whatever fails.

use std::fs;

use natter_testkit::{
    Answer, Cassandra, Cluster, Collector, Folder, Kafka, OpenBao, Redis, User, text, until,
};
use nix::sys::signal::Signal;
use reqwest::Method;
use secrecy::ExposeSecret;
use serde_json::{Value, json};
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
const COOKIE: &str = "canary-cookie-ad5e";
/// In hexadecimal, as a root of keys is.
const ROOT: &str = "ca9a54ca9a54ca9a54ca9a54ca9a54ca9a54ca9a54ca9a54ca9a54ca9a54ca9a";

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

/// What clients get when something of theirs is refused.
#[derive(Default)]
struct Refusals(Vec<String>);

impl Refusals {
    #[track_caller]
    fn take(&mut self, answer: &Answer, statuses: &[u16]) {
        assert!(statuses.contains(&answer.status), "{answer:?}");
        self.0.push(format!("{:?} {}", answer.headers, answer.body));
    }
}

/// Everything that carries a secret and goes well or wrong at a client's wish. The answer: what must not be written, and
/// what clients got.
async fn use_everything(address: &str) -> (Vec<String>, Refusals) {
    let mut refusals = Refusals::default();
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
    refusals.take(&bob.post("/api/auth/login", &login).await, &[401]);
    // Passwords in wrong places.
    for login in
        [json!(WRONG_PASSWORD), json!({"login": [WRONG_PASSWORD]}), json!({"login": {"a": WRONG_PASSWORD}})]
    {
        refusals.take(&bob.post("/api/auth/login", &login).await, &[422]);
    }
    let broken = bob.with_token(format!("{}x", bob.token));
    refusals.take(&broken.get("/api/conversations").await, &[401]);
    // The refresh token as browsers send it.
    let kept = bob.refresh_token.clone();
    let mut browser = bob.log_in().await;
    let cookie = format!("natter_refresh={}", browser.refresh_token);
    let headers = [("Cookie", cookie.as_str())];
    let renewed = browser.call_with(Method::POST, "/api/auth/refresh", &headers, None).await;
    let set = renewed.headers["set-cookie"].to_str().unwrap().to_owned();
    let renewed = renewed.ok(200);
    browser.token = text(&renewed["token"]);
    browser.refresh_token = text(&renewed["refreshToken"]);
    assert!(set.contains(&browser.refresh_token), "{set}");
    let cookie = format!("natter_refresh={COOKIE}");
    let headers = [("Cookie", cookie.as_str())];
    refusals.take(&bob.call_with(Method::POST, "/api/auth/refresh", &headers, None).await, &[401]);
    // Not in JSON, of another form, too long.
    let too_long = DRAFT.repeat(20_000);
    for body in [json!(DRAFT), json!({"conversationId": DRAFT, "content": [DRAFT]})] {
        refusals.take(&alice.post("/api/messages", &body).await, &[400, 422]);
    }
    let body = json!({"conversationId": room.id, "content": too_long});
    refusals.take(&alice.post("/api/messages", &body).await, &[413, 422]);
    let mut socket = alice.socket("phone").await;
    let wrong = [json!({"type": "send", "content": DRAFT}), json!({"type": "send", "content": [DRAFT]})];
    for text in
        wrong.iter().map(Value::to_string).chain([DRAFT.to_owned(), json!({"type": DRAFT}).to_string()])
    {
        socket.send_raw(Message::text(text)).await;
        refusals.0.push(socket.wait_for("error").await.to_string());
    }
    let change = json!({"current": natter_testkit::PASSWORD, "next": NEW_PASSWORD});
    assert_eq!(alice.post("/api/me/password", &change).await.status / 100, 2);
    let wrong = json!({"current": WRONG_PASSWORD, "next": NEW_PASSWORD});
    refusals.take(&alice.post("/api/me/password", &wrong).await, &[400, 401, 403, 422]);
    let mut secrets = vec![before, kept];
    for user in [&alice, &bob, &session, &browser] {
        secrets.extend([user.token.clone(), user.refresh_token.clone()]);
    }
    // A refresh token names its session in front of the secret.
    let alone = secrets.iter().filter_map(|token| token.split_once('.').map(|(_, secret)| secret.to_owned()));
    secrets.extend(alone.collect::<Vec<_>>());
    (secrets, refusals)
}

/// The command lines of all processes, which anyone on the host may read.
fn command_lines() -> String {
    let processes = fs::read_dir("/proc").unwrap().filter_map(Result::ok);
    let lines = processes.filter_map(|process| fs::read(process.path().join("cmdline")).ok());
    let lines: Vec<String> = lines.map(|line| String::from_utf8_lossy(&line).replace('\0', " ")).collect();
    lines.join("\n")
}

/// Without that of `OpenBao`, which has its token, and is none of Natter's.
fn command_lines_of_others() -> String {
    let lines = command_lines();
    let lines: Vec<&str> = lines.lines().filter(|line| !line.contains("-dev-root-token-id")).collect();
    assert!(lines.iter().any(|line| line.ends_with(" worker ")), "{lines:?}");
    lines.join("\n")
}

/// What the deployment and its users are given.
const CONFIGURED: [&str; 12] = [
    NATS,
    REDIS,
    KAFKA,
    SIGNING,
    CONTENT,
    DRAFT,
    NEW_PASSWORD,
    WRONG_PASSWORD,
    COOKIE,
    ROOT,
    OpenBao::TOKEN,
    natter_testkit::PASSWORD,
];

#[tokio::test(flavor = "multi_thread")]
async fn what_roles_write_at_trace_level_has_no_secret() {
    let mut cluster = Cluster::bare(NATTER).await;
    let (_redis, redis) = guarded_redis().await;
    let nats = cluster.nats_url().replace("nats://", &format!("nats://natter:{NATS}@"));
    let bao = OpenBao::start().await;
    let (kms, folder) = (bao.settings().url, Folder::new());
    let audit = folder.file("audit.log").display().to_string();
    let collector = Collector::start().await;
    let settings = [
        ("OTLP_ENDPOINT", collector.url.as_str()),
        ("OTLP_SAMPLE_RATIO", "1"),
        ("NATS_URL", nats.as_str()),
        ("REDIS_URL", &redis),
        ("JWT_SECRET", SIGNING),
        ("LOG_LEVEL", "trace"),
        ("RUST_BACKTRACE", "full"),
        ("AUDIT_LOG", &audit),
        ("CHAT_ENCRYPTION_ENABLED", "true"),
        ("CHAT_KMS_URL", &kms),
        ("CHAT_KMS_TOKEN", OpenBao::TOKEN),
        ("CHAT_MESSAGE_KEYS", ROOT),
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
    let (mut secrets, refusals) =
        use_everything(&format!("http://{}", ready["address"].as_str().unwrap())).await;
    let token = cluster.run(&["token", "bob"], &settings);
    assert!(token.status.success(), "{token:?}");
    secrets.push(String::from_utf8(token.stdout).unwrap().trim().to_owned());
    secrets.extend(CONFIGURED.map(str::to_owned));
    let canaries: Vec<&str> = secrets.iter().map(String::as_str).collect();

    let mut found = leaks("refusals", &refusals.0.join("\n"), &canaries);
    found.extend(leaks("natter token", &String::from_utf8(token.stderr).unwrap(), &canaries));
    found.extend(leaks("the audit log", &fs::read_to_string(&audit).unwrap(), &canaries));
    found.extend(leaks("command lines", &command_lines_of_others(), &canaries));
    for (name, ready) in [("edge", &ready), ("worker", &worker_ready)] {
        let url = format!("http://{}/metrics", ready["admin"].as_str().unwrap());
        let metrics = reqwest::get(url).await.unwrap().text().await.unwrap();
        assert!(metrics.contains("natter_"), "{metrics}");
        found.extend(leaks(&format!("metrics of the {name}"), &metrics, &canaries));
    }
    worker.wait_for_line("kafka").await;
    collector.wait_for("a span of the persister", |span| span.name == "persist").await;
    found.extend(leaks("spans", &format!("{:#?}", collector.spans()), &canaries));
    for (name, process) in [("edge", &edge), ("worker", &worker)] {
        // As a crash ends it.
        process.signal(Signal::SIGABRT);
        until("it has ended", async || process.has_ended()).await;
        let log = process.log();
        // Drivers write the most.
        assert!(log.contains("establishing connection"), "the {name} writes what drivers do");
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

/// Those whose drivers get the password, and say much while they use it.
#[tokio::test(flavor = "multi_thread")]
async fn what_is_written_about_real_stores_has_no_password() {
    let (cassandra, kafka) = (Cassandra::start_guarded().await, Kafka::with_sasl().await);
    let mut cluster = Cluster::bare(NATTER).await;
    let (url, sasl) = (cassandra.new_keyspace(), kafka.settings().security.sasl.unwrap());
    let brokers = kafka.brokers();
    let password = sasl.password.expose_secret().to_owned();
    // It is no word that stands there for another reason.
    let of_store =
        url.split_once(':').unwrap().1.split_once('@').unwrap().0.trim_start_matches('/').to_owned();
    let settings = [
        ("DATABASE_URL", url.as_str()),
        ("KAFKA_BROKERS", &brokers),
        ("KAFKA_SECURITY_PROTOCOL", "sasl_plaintext"),
        ("KAFKA_SASL_USERNAME", &sasl.username),
        ("KAFKA_SASL_PASSWORD", &password),
        ("LOG_LEVEL", "trace"),
    ];
    let migrated = cluster.run(&["migrate"], &settings);
    assert!(migrated.status.success(), "{migrated:?}");
    let worker = cluster.spawn("worker", &settings);
    worker.wait_for_event("worker is ready").await;
    // A partition is mirrored from its first event on.
    let edge = cluster.spawn("edge", &settings);
    let address = format!("http://{}", text(&edge.wait_for_event("edge is ready").await["address"]));
    let (alice, bob) = (User::register_as(&address, "alice").await, User::register_as(&address, "bob").await);
    alice.group(&[&bob]).await;
    worker.wait_for_event("mirroring this partition from here on").await;
    let migrated = [migrated.stdout, migrated.stderr].concat();
    let written = format!("{}{}", worker.log(), String::from_utf8_lossy(&migrated));
    let found = leaks("the worker and the migration", &written, &[&password, &of_store]);
    assert!(found.is_empty(), "{}", found.join("\n"));
}
