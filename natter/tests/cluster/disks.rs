//! Disks without room, in a deployment of several processes: those of a cluster of nats-servers, and the store's.

use std::time::{Duration, Instant};

use natter_testkit::{
    Answer, Cassandra, Cluster, NatsCluster, Process, Room, SmallDisk, User, text, until, until_within,
};
use serde_json::{Value, json};

use crate::NATTER;

const REFUSED_WITHIN: Duration = Duration::from_secs(3);
const SENDING_WITHIN: Duration = Duration::from_secs(10);
/// For what a server needs to fill, and to start again.
const PATIENCE: Duration = Duration::from_mins(2);

/// One worker and one edge.
struct Deployment {
    // Dropped before the servers that they need.
    _edge: Process,
    _worker: Process,
    cluster: Cluster,
    http: String,
    /// The worker's.
    admin: String,
    settings: Vec<(&'static str, String)>,
}

impl Deployment {
    /// With these settings beside those of every cluster.
    async fn start(settings: Vec<(&'static str, String)>) -> Self {
        let mut cluster = Cluster::bare(NATTER).await;
        let changed: Vec<(&str, &str)> =
            settings.iter().map(|(name, value)| (*name, value.as_str())).collect();
        until_within(PATIENCE, "the servers take the topology and the tables", async || {
            cluster.run(&["migrate"], &changed).status.success()
        })
        .await;
        let worker = cluster.spawn("worker", &changed);
        let admin = format!("http://{}", text(&worker.wait_for_event("worker is ready").await["admin"]));
        let edge = cluster.spawn("edge", &changed);
        let http = format!("http://{}", text(&edge.wait_for_event("edge is ready").await["address"]));
        Self { _edge: edge, _worker: worker, cluster, http, admin, settings }
    }

    async fn user(&self, name: &str) -> User {
        User::register(vec![self.http.clone()], 0, name).await
    }

    /// The worker's readiness: status and parts.
    async fn worker_ready(&self) -> (u16, Value) {
        let answer = reqwest::get(format!("{}/health/ready", self.admin)).await.unwrap();
        let status = answer.status().as_u16();
        let body: Value = answer.json().await.unwrap();
        (status, body["parts"].clone())
    }

    /// Batches that the job `persist` has worked on.
    async fn persist_attempts(&self) -> f64 {
        let metrics = reqwest::get(format!("{}/metrics", self.admin)).await.unwrap().text().await.unwrap();
        let name = r#"natter_consume_batch_seconds_count{consumer="persist"}"#;
        let counts = metrics.lines().filter_map(|line| line.strip_prefix(name)?.trim().parse::<f64>().ok());
        counts.sum()
    }

    /// `natter verify`: the store has every event that the persister has acked, as it is in the log.
    fn verified(&self) -> bool {
        let changed: Vec<(&str, &str)> =
            self.settings.iter().map(|(name, value)| (*name, value.as_str())).collect();
        self.cluster.run(&["verify"], &changed).status.success()
    }
}

async fn post(user: &User, room: &Room, client_id: &str) -> (Answer, Duration) {
    let began = Instant::now();
    let body = json!({"conversationId": room.id, "content": "x".repeat(8000), "clientId": client_id});
    (user.post("/api/messages", &body).await, began.elapsed())
}

fn ids(messages: &[Value]) -> Vec<&str> {
    messages.iter().map(|message| message["id"].as_str().unwrap()).collect()
}

#[tokio::test]
async fn a_cluster_of_full_disks_refuses_with_its_reason() {
    let disks = [96; 3].map(SmallDisk::mount);
    let mut nats = NatsCluster::in_folders(disks.each_ref().map(SmallDisk::path));
    let settings = vec![("NATS_URL", nats.url()), ("DURABILITY", "replicated".to_owned())];
    let natter = Deployment::start(settings).await;
    let (alice, bob) = (natter.user("alice").await, natter.user("bob").await);
    let room = alice.group(&[&bob]).await;
    let reader = bob.device("phone").await;
    assert_eq!(alice.get("/health/ready").await.ok(200)["parts"]["log"], "up");

    disks[..2].iter().for_each(|disk| disk.fill(3 << 20));
    let mut acked = Vec::new();
    let refused = loop {
        let (answer, took) = post(&alice, &room, &format!("m-{}", acked.len())).await;
        if answer.status != 201 {
            assert!(took < REFUSED_WITHIN, "refused after {took:?}");
            break answer;
        }
        acked.push(answer.ok(201));
        assert!(acked.len() < 5_000, "the disks never fill");
    };
    assert_eq!(refused.code(), (503, "unavailable"));
    assert!(refused.body["detail"].as_str().unwrap().contains("disk"), "{}", refused.body);
    let mut writer = alice.socket("phone").await;
    let began = Instant::now();
    let answer = writer.call(room.message_frame("on-a-socket", "x")).await;
    assert!(began.elapsed() < REFUSED_WITHIN, "refused after {:?}", began.elapsed());
    assert_eq!((&answer["type"], &answer["code"]), (&json!("error"), &json!("unavailable")));
    assert!(answer["message"].as_str().unwrap().contains("disk"), "{answer}");
    let ready = alice.get("/health/ready").await;
    assert_eq!((ready.status, &ready.body["parts"]["log"]), (503, &json!("down")), "{}", ready.body);

    let room_at = Instant::now();
    for (node, disk) in disks[..2].iter().enumerate() {
        disk.make_room();
        nats.restart(node);
    }
    let last = loop {
        let (answer, _) = post(&alice, &room, "after").await;
        if answer.status == 201 {
            break answer.ok(201);
        }
        assert_eq!(answer.code(), (503, "unavailable"));
        assert!(room_at.elapsed() < SENDING_WITHIN, "no sending after {:?}", room_at.elapsed());
    };
    assert!(room_at.elapsed() < SENDING_WITHIN, "sending works after {:?}", room_at.elapsed());
    until("ready again", async || alice.get("/health/ready").await.status == 200).await;
    // A copy that was just started reports no messages until it has caught up.
    let page = format!("/api/messages?conversationId={}", room.id);
    until("the log can be read", async || alice.get(&page).await.status == 200).await;
    let history = alice.history(&room).await;
    let kept = ids(&history);
    assert_eq!(kept[..acked.len()], ids(&acked));
    assert_eq!(kept.last(), last["id"].as_str().as_ref());
    reader.wait_for_seq(&room, last["seq"].as_u64().unwrap()).await;
    until("the store has all of it", async || {
        natter.cluster.persisted() == i64::try_from(kept.len()).unwrap()
    })
    .await;
}

/// The store is full, and everybody goes on; the acked messages.
async fn send_beside_a_full_store(natter: &Deployment, alice: &User, bob: &User, room: &Room) -> Vec<Value> {
    let reader = bob.device("phone").await;
    let mut acked = Vec::new();
    // Until the store takes nothing more: how much that is, is its own matter.
    until_within(PATIENCE, "the worker says that its store is down", async || {
        acked.push(post(alice, room, &format!("m-{}", acked.len())).await.0.ok(201));
        let (status, parts) = natter.worker_ready().await;
        status == 503 && parts["store"] == "down" && parts["log"] == "up"
    })
    .await;
    let (before, since) = (natter.persist_attempts().await, Instant::now());
    until("it tries again and again", async || natter.persist_attempts().await >= before + 5.0).await;
    assert!(since.elapsed() > Duration::from_millis(500), "five attempts within {:?}", since.elapsed());
    acked.push(post(alice, room, "late").await.0.ok(201));
    reader.wait_for_seq(room, acked.last().unwrap()["seq"].as_u64().unwrap()).await;
    // Read from the log, which has all of it.
    assert_eq!(ids(&alice.history(room).await), ids(&acked));
    assert_eq!(natter.worker_ready().await.1["store"], "down");
    acked
}

/// And the store has room again.
async fn everything_is_stored(natter: &Deployment, alice: &User, room: &Room, acked: &[Value]) {
    until_within(PATIENCE, "the worker is ready again", async || natter.worker_ready().await.0 == 200).await;
    let history = alice.history(room).await;
    assert_eq!(ids(&history), ids(acked));
    assert!(natter.verified());
}

#[tokio::test]
async fn sqlite_on_a_full_disk_delays_the_store_and_nothing_else() {
    let disk = SmallDisk::mount(16);
    let database = format!("sqlite:{}/natter.db", disk.path().display());
    let natter = Deployment::start(vec![("DATABASE_URL", database)]).await;
    let (alice, bob) = (natter.user("alice").await, natter.user("bob").await);
    let room = alice.group(&[&bob]).await;

    disk.fill(0);
    let acked = send_beside_a_full_store(&natter, &alice, &bob, &room).await;
    disk.make_room();
    everything_is_stored(&natter, &alice, &room, &acked).await;
}

#[tokio::test]
async fn cassandra_on_a_full_disk_delays_the_store_and_nothing_else() {
    let disk = SmallDisk::mount(192);
    let cassandra = Cassandra::start_in(disk.path()).await;
    let natter = Deployment::start(vec![("DATABASE_URL", cassandra.new_keyspace())]).await;
    let (alice, bob) = (natter.user("alice").await, natter.user("bob").await);
    let room = alice.group(&[&bob]).await;

    disk.fill(0);
    let acked = send_beside_a_full_store(&natter, &alice, &bob, &room).await;
    disk.make_room();
    // With its policies it has closed its port, and opens it at a start only.
    cassandra.restart().await;
    everything_is_stored(&natter, &alice, &room, &acked).await;
}
