use futures_util::future::join_all;
use natter_nats::{
    connect::{Address, Purpose, connect},
    publisher::Publisher,
    subject,
};
use natter_schemas::id::{ConversationId, EventId, Partition};
use natter_testkit::{Socket, until};
use serde_json::{Value, json};

use crate::{deployment::Deployment, traffic::Traffic};

/// Of a deployment's edges and workers.
const WORKER: usize = 2;
const PARTITIONS: u16 = 4;
/// More than are no news.
const SLOW: usize = 20;
const BIG: usize = 8 * 1024;
/// A slow reader's queue and what the kernel takes for it.
const FILLING: usize = 600;
const AT_ONCE: usize = 30;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fault {
    RedisGone,
    WorkerGone,
    EventParked,
    SlowReaders,
    KafkaDown,
    ClockWrong,
    StoreFull,
    LogFull,
    NatsKilled,
}

impl Fault {
    const FAST: [Self; 3] = [Self::RedisGone, Self::WorkerGone, Self::EventParked];
    /// Those that delay sends are last: an objective takes a minute to recover.
    const ALL: [Self; 9] = [
        Self::RedisGone,
        Self::WorkerGone,
        Self::EventParked,
        Self::SlowReaders,
        Self::KafkaDown,
        Self::ClockWrong,
        Self::StoreFull,
        Self::LogFull,
        Self::NatsKilled,
    ];

    /// `FAULTS`: `all`, or some by name; the fastest without it.
    pub fn chosen() -> Vec<Self> {
        let Ok(names) = std::env::var("FAULTS") else { return Self::FAST.to_vec() };
        let names: Vec<&str> = names.split(',').collect();
        let is_chosen = |fault: &Self| names == ["all"] || names.contains(&format!("{fault:?}").as_str());
        let chosen: Vec<Self> = Self::ALL.into_iter().filter(is_chosen).collect();
        assert!(!chosen.is_empty(), "FAULTS names none of {:?}", Self::ALL);
        chosen
    }

    pub const fn alert(self) -> &'static str {
        match self {
            Self::RedisGone => "NatterRedisDown",
            Self::WorkerGone => "NatterProcessGone",
            Self::EventParked => "NatterEventParked",
            Self::SlowReaders => "NatterSlowReaders",
            Self::KafkaDown => "NatterKafkaDown",
            Self::ClockWrong => "NatterClockWrong",
            Self::StoreFull => "NatterStoreTakesNothing",
            Self::LogFull => "NatterLogDisk",
            Self::NatsKilled => "NatterNatsDown",
        }
    }

    pub async fn begin(self, deployment: &mut Deployment, traffic: &Traffic) {
        match self {
            Self::RedisGone => deployment.cluster.kill_redis(),
            Self::WorkerGone => deployment.kill_process(WORKER),
            Self::EventParked => publish_noise(&deployment.nats.url(), traffic).await,
            Self::SlowReaders => fill_slow_readers(traffic).await,
            Self::KafkaDown => deployment.kafka.as_ref().unwrap().kill(),
            Self::ClockWrong => deployment.clock.as_ref().unwrap().set(300),
            Self::StoreFull => fill_store(deployment, traffic).await,
            Self::LogFull => deployment.nats.disk.fill(0),
            Self::NatsKilled => deployment.nats.kill(),
        }
    }

    /// As its run book says.
    pub async fn mend(self, deployment: &mut Deployment) {
        match self {
            Self::RedisGone => deployment.cluster.restart_redis().await,
            Self::WorkerGone => deployment.start_process(WORKER).await,
            Self::EventParked => drop_parked(deployment),
            // They are closed.
            Self::SlowReaders => {}
            Self::KafkaDown => deployment.kafka.as_ref().unwrap().restart().await,
            Self::ClockWrong => deployment.clock.as_ref().unwrap().set(0),
            Self::StoreFull => deployment.store_disk.make_room(),
            Self::LogFull => {
                deployment.nats.disk.make_room();
                deployment.nats.restart();
            }
            Self::NatsKilled => deployment.nats.restart(),
        }
    }
}

async fn publish_noise(nats: &str, traffic: &Traffic) {
    let address = Address::new(nats.to_owned());
    let publisher = Publisher::new(connect(&address, Purpose::Work).await.unwrap());
    let room: ConversationId = traffic.room.id.parse().unwrap();
    let subject = subject::conv(Partition::of(room, PARTITIONS), room);
    let noise = b"\x01not an event".to_vec();
    publisher.publish(subject, &EventId::fresh().to_string(), noise.into()).await.unwrap();
}

fn drop_parked(deployment: &Deployment) {
    let listed = deployment.output(&["parked", "list", "--json"]);
    for parked in listed.lines() {
        let parked: Value = serde_json::from_str(parked).unwrap();
        assert!(deployment.run(&["parked", "drop", &parked["number"].to_string(), "--yes"]));
    }
}

/// Until it takes nothing more: how much that is, is its own matter.
async fn fill_store(deployment: &Deployment, traffic: &Traffic) {
    deployment.store_disk.fill(0);
    until("a worker says that its store is down", async || {
        for _ in 0..AT_ONCE {
            traffic.post(&"x".repeat(BIG)).await.ok(201);
        }
        deployment.store_is_down().await
    })
    .await;
}

/// They never read what is sent to them.
async fn fill_slow_readers(traffic: &Traffic) {
    let hello = json!({"type": "hello", "token": traffic.bob.token});
    let readers = join_all((0..SLOW).map(|_| Socket::narrow(traffic.bob.address(), &hello))).await;
    let mut writer = traffic.alice.socket("writer").await;
    writer.flood(&traffic.room, FILLING, &"x".repeat(BIG)).await;
    // A connection that ends was not slow.
    traffic.slow_readers.lock().await.extend(readers);
}
