//! compose.yaml as plain processes on free ports, with Apache Cassandra in ScyllaDB's place.

use std::{
    fs,
    process::{Command, Output, Stdio},
};

use natter_testkit::{Cassandra, Clock, Folder, Kafka, NatsProcess, Process, Redis, clocks_apart, text};
use serde_json::Value;

use crate::{
    NATTER,
    compose::{self, Compose},
    until,
};

pub struct Deployment {
    // Dropped in this order: who needs others first.
    edges: Vec<Process>,
    workers: Vec<Option<Process>>,
    pub kafka: Kafka,
    pub cassandra: Cassandra,
    redis: Redis,
    nats: NatsProcess,
    compose: Compose,
    /// `http://127.0.0.1:port` of each edge.
    pub addresses: Vec<String>,
    /// Workers so far.
    started: usize,
    home: Folder,
}

/// A hundred people from one address who never pause are no deployment's guests.
const RATES: &str = "login=100000/s,send=100000/s,write=100000/s,groups=100000/s,read=100000/s,frames=100000/s,\
     renew=100000/s,address=100000/s";

impl Deployment {
    pub async fn start() -> Self {
        let (home, compose) = (Folder::new(), compose::read());
        let (kafka, cassandra) = tokio::join!(Kafka::start(), Cassandra::start());
        let nats = start_nats(&home, &compose).await;
        let redis = Redis::start().await;
        let (edges, workers, addresses) = Default::default();
        let mut all =
            Self { edges, workers, kafka, cassandra, redis, nats, compose, addresses, started: 0, home };
        let migrated = all.command("migrate", &["migrate"]).output().unwrap();
        assert!(migrated.status.success(), "{}", String::from_utf8_lossy(&migrated.stderr));
        for number in 0..2 {
            all.workers.push(None);
            all.start_worker(number).await;
        }
        for number in 1..=2 {
            let log = all.home.file(&format!("edge-{number}.log"));
            let edge = Process::start(all.command(&format!("edge-{number}"), &["edge"]), &log);
            let ready = edge.wait_for_event("edge is ready").await;
            all.addresses.push(format!("http://{}", text(&ready["address"])));
            all.edges.push(edge);
        }
        all
    }

    /// The program with the settings of a service, its servers' names made addresses.
    fn command(&self, service: &str, arguments: &[&str]) -> Command {
        let mut command = Command::new(NATTER);
        command.args(arguments).env_clear().stdin(Stdio::null());
        for (name, value) in &self.compose.services[service].environment {
            let value = compose::interpolated(value)
                .replace("@nats:4222", &format!("@{}", self.nats.address))
                .replace("scylla:9042", &self.cassandra.address())
                .replace("redis:6379", &self.redis.address())
                .replace("kafka:9092", &self.kafka.brokers());
            command.env(name, value);
        }
        command.envs([("HOST", "127.0.0.1"), ("PORT", "0"), ("ADMIN_PORT", "0")]);
        command.env("RATE_LIMITS", RATES);
        // Of two of a role one is ahead and one behind.
        let seconds = if service.ends_with('1') { clocks_apart() } else { -clocks_apart() };
        if seconds != 0 {
            Clock::ahead(&self.home, &format!("clock-{service}"), seconds).give_to(&mut command);
        }
        command
    }

    /// One of the operator's commands, with a worker's settings.
    pub fn run(&self, arguments: &[&str]) -> Output {
        self.command("worker-1", arguments).output().unwrap()
    }

    pub fn kill_worker(&mut self, number: usize) {
        self.workers[number].take().unwrap().kill();
    }

    pub async fn start_worker(&mut self, number: usize) {
        self.started += 1;
        let log = self.home.file(&format!("worker-{number}-{}.log", self.started));
        let worker = Process::start(self.command(&format!("worker-{}", number + 1), &["worker"]), &log);
        worker.wait_for_event("worker is ready").await;
        self.workers[number] = Some(worker);
    }

    /// Waits until everything in the log is in Cassandra, and by digest the same; Kafka too.
    pub async fn verified(&self) {
        let log = self.log_lengths().await;
        until("the store has all of the log", async || {
            let output = self.run(&["verify", "--json"]);
            let said = String::from_utf8_lossy(&output.stdout).into_owned();
            assert!(output.status.success(), "{said} {}", String::from_utf8_lossy(&output.stderr));
            let verdict: Value = serde_json::from_str(&said).unwrap();
            let to = |partition: &Value| partition["to"].as_u64().unwrap_or_default();
            verdict["partitions"].as_array().unwrap().iter().map(to).eq(log.iter().copied())
        })
        .await;
    }

    /// What the log holds: events of each partition.
    pub async fn log_lengths(&self) -> Vec<u64> {
        let options = natter_nats::async_nats::ConnectOptions::with_user_and_password(
            "worker".to_owned(),
            compose::interpolated("${NATTER_WORKER_PASSWORD:?}"),
        );
        let client = options.custom_inbox_prefix("_INBOX.worker").connect(&self.nats.address).await.unwrap();
        let js = natter_nats::async_nats::jetstream::new(client);
        let mut lengths = Vec::new();
        for partition in 0..16 {
            let stream = js.get_stream(format!("CONV_{partition}")).await.unwrap();
            let state = &stream.cached_info().state;
            assert_eq!(state.messages, state.last_sequence, "the log begins at 1 and has no hole");
            lengths.push(state.messages);
        }
        lengths
    }
}

async fn start_nats(home: &Folder, compose: &Compose) -> NatsProcess {
    let folder = home.file("nats");
    fs::create_dir(&folder).unwrap();
    let nats = &compose.services["nats"];
    // The container's configuration, but for what a machine has only once.
    let given = compose::nats_config(nats);
    let text = fs::read_to_string(&given).unwrap();
    let text =
        text.replace("/data", folder.to_str().unwrap()).replace(":8222", ":-1").replace(":4222", ":-1");
    let config = folder.join("nats.conf");
    fs::write(&config, text.replace("0.0.0.0", "127.0.0.1")).unwrap();
    fs::copy(given.with_file_name("accounts.conf"), folder.join("accounts.conf")).unwrap();
    let configure = |command: &mut Command| {
        command.arg("-c").arg(config);
        command.envs(nats.environment.iter().map(|(name, value)| (name, compose::interpolated(value))));
    };
    NatsProcess::start(home, configure).await
}
