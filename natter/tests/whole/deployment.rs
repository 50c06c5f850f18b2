//! compose.yaml as plain processes on free ports, with Apache Cassandra in ScyllaDB's place.

use std::{
    fs,
    net::TcpListener,
    path::Path,
    process::{Command, Output, Stdio},
};

use natter_store::testkit::Cassandra;
use natter_workers::testkit::Kafka;
use serde_json::Value;

use crate::{
    compose::{self, Compose},
    harness::{Home, Process},
    until,
};

pub struct Deployment {
    // Dropped in this order: who needs others first.
    edges: Vec<Process>,
    workers: Vec<Option<Process>>,
    pub kafka: Kafka,
    pub cassandra: Cassandra,
    redis: (Process, u16),
    nats: (Process, String),
    compose: Compose,
    /// `http://127.0.0.1:port` of each edge.
    pub addresses: Vec<String>,
    home: Home,
}

/// A hundred people from one address who never pause are no deployment's guests.
const RATES: &str = "login=100000/s,send=100000/s,write=100000/s,read=100000/s,frames=100000/s";

impl Deployment {
    pub async fn start() -> Self {
        let (home, compose) = (Home::new(), compose::read());
        let (kafka, cassandra) = tokio::join!(Kafka::start(), Cassandra::start());
        let nats = start_nats(&home, &compose).await;
        let redis = start_redis(&home).await;
        let (edges, workers, addresses) = Default::default();
        let mut all = Self { edges, workers, kafka, cassandra, redis, nats, compose, addresses, home };
        let migrated = all.command("migrate", &["migrate"]).output().unwrap();
        assert!(migrated.status.success(), "{}", String::from_utf8_lossy(&migrated.stderr));
        for number in 0..2 {
            all.workers.push(None);
            all.start_worker(number).await;
        }
        for number in 1..=2 {
            let log = all.home.file(&format!("edge-{number}.log"));
            all.edges.push(Process::start(&all.command(&format!("edge-{number}"), &["edge"]), &log));
            let line = ready(&log, "edge is ready", 1).await;
            all.addresses.push(format!("http://{}", line["address"].as_str().unwrap()));
        }
        all
    }

    /// The program with the settings of a service, its servers' names made addresses.
    fn command(&self, service: &str, arguments: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_natter"));
        command.args(arguments).env_clear().stdin(Stdio::null());
        for (name, value) in &self.compose.services[service].environment {
            let value = compose::interpolated(value)
                .replace("@nats:4222", &format!("@{}", self.nats.1))
                .replace("scylla:9042", &self.cassandra.address())
                .replace("redis:6379", &format!("127.0.0.1:{}", self.redis.1))
                .replace("kafka:9092", &self.kafka.brokers());
            command.env(name, value);
        }
        command.envs([("HOST", "127.0.0.1"), ("PORT", "0"), ("ADMIN_PORT", "0")]);
        command.env("RATE_LIMITS", RATES);
        command
    }

    /// One of the operator's commands, with a worker's settings.
    pub fn run(&self, arguments: &[&str]) -> Output {
        self.command("worker-1", arguments).output().unwrap()
    }

    pub fn kill_worker(&mut self, number: usize) {
        self.workers[number].take().unwrap().kill9();
    }

    pub async fn start_worker(&mut self, number: usize) {
        let log = self.home.file(&format!("worker-{number}.log"));
        let before = lines(&log, "worker is ready").len();
        let command = self.command(&format!("worker-{}", number + 1), &["worker"]);
        self.workers[number] = Some(Process::start(&command, &log));
        ready(&log, "worker is ready", before + 1).await;
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
            compose::interpolated("${NATTER_WORKER_PASSWORD:-worker-password}"),
        );
        let client = options.custom_inbox_prefix("_INBOX.worker").connect(&self.nats.1).await.unwrap();
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

fn lines(log: &Path, message: &str) -> Vec<Value> {
    let text = fs::read_to_string(log).unwrap_or_default();
    let lines = text.lines().filter_map(|line| serde_json::from_str::<Value>(line).ok());
    lines.filter(|line| line["message"] == message).collect()
}

/// The line that says so for the nth time.
async fn ready(log: &Path, message: &str, nth: usize) -> Value {
    until(&format!("'{message}' in {}", log.display()), async || {
        let text = fs::read_to_string(log).unwrap_or_default();
        assert!(!text.contains("natter: "), "it refuses to start: {text}");
        lines(log, message).len() >= nth
    })
    .await;
    lines(log, message).pop().unwrap()
}

async fn start_nats(home: &Home, compose: &Compose) -> (Process, String) {
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
    let mut command = Command::new(compose::nats_server());
    command.arg("-c").arg(config).arg("--ports_file_dir").arg(&folder);
    command.envs(nats.environment.iter().map(|(name, value)| (name, compose::interpolated(value))));
    let process = Process::start(&command, &home.file("nats.log"));
    let ports = folder.join(format!("nats-server_{}.ports", process.pid()));
    let mut address = String::new();
    until("nats-server says its port", async || {
        let said = fs::read_to_string(&ports).unwrap_or_default();
        let said: Value = serde_json::from_str(&said).unwrap_or_default();
        let url = said["nats"][0].as_str().unwrap_or_default();
        url.trim_start_matches("nats://").clone_into(&mut address);
        !address.is_empty()
    })
    .await;
    (process, address)
}

async fn start_redis(home: &Home) -> (Process, u16) {
    let log = home.file("redis-said");
    loop {
        // Somebody may take the port in between: then ours ends, and another port is tried.
        let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
        let _ = fs::remove_file(&log);
        let mut command = Command::new("redis-server");
        command.args(["--port", &port.to_string(), "--bind", "127.0.0.1", "--save", ""]);
        command.arg("--dir").arg(&home.path).arg("--logfile").arg(&log);
        let process = Process::start(&command, &home.file("redis.log"));
        let mut listens = false;
        until("redis-server starts", async || {
            let said = fs::read_to_string(&log).unwrap_or_default();
            listens = said.contains("Ready to accept connections");
            listens || said.contains("Failed listening")
        })
        .await;
        if listens {
            return (process, port);
        }
    }
}
