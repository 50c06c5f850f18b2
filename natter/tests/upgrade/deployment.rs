//! Two workers and two edges that are replaced one by one, and the load balancer that clients find edges by.

use std::{process::Output, sync::Arc};

use natter_nats::async_nats::{self, jetstream};
use natter_testkit::{Cassandra, Cluster, Process, text};
use parking_lot::Mutex;
use serde_json::Value;

/// A root of keys that every worker has: 32 bytes.
const ROOT: &str = "000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f";

/// What a process is started as.
#[derive(Clone, Copy)]
pub struct Version {
    pub program: &'static str,
    /// Whether its edges seal texts.
    pub seals: bool,
}

/// Where history is kept; both versions have the same.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Store {
    Sqlite,
    Cql,
}

/// Addresses of the edges that take clients, `http://127.0.0.1:port`.
pub type Balancer = Arc<Mutex<Vec<String>>>;

pub struct Deployment {
    // Dropped in this order: who needs others first.
    edges: Vec<Edge>,
    workers: Vec<Process>,
    /// Those that were replaced.
    former: Vec<Process>,
    pub cluster: Cluster,
    pub balancer: Balancer,
    version: Version,
    /// `None`: the cluster's own file.
    database: Option<String>,
}

struct Edge {
    process: Process,
    address: String,
}

impl Deployment {
    pub async fn start(version: Version, store: Store) -> Self {
        let (edges, workers, former, balancer) = Default::default();
        let cluster = Cluster::bare(version.program).await;
        let database = match store {
            Store::Sqlite => None,
            Store::Cql => Some(Cassandra::shared().await.new_keyspace()),
        };
        let mut deployment = Self { edges, workers, former, cluster, balancer, version, database };
        deployment.migrate();
        for number in 0..2 {
            deployment.start_worker(number).await;
        }
        for number in 0..2 {
            deployment.start_edge(number).await;
        }
        deployment
    }

    /// The next processes are of this version, for which NATS and the store are made ready while the others run.
    pub fn prepare(&mut self, version: Version) {
        self.cluster.change_program(version.program);
        self.version = version;
        self.migrate();
    }

    fn migrate(&self) {
        self.run(&["migrate"]);
    }

    /// A command of an operator, of the version that is current; what it prints.
    fn run(&self, arguments: &[&str]) -> String {
        let Output { status, stdout, stderr } = self.cluster.run(arguments, &self.store_settings());
        let said = String::from_utf8_lossy(&stdout).into_owned();
        assert!(status.success(), "{arguments:?}: {said}{}", String::from_utf8_lossy(&stderr));
        said
    }

    fn store_settings(&self) -> Vec<(&str, &str)> {
        self.database.as_deref().map(|url| ("DATABASE_URL", url)).into_iter().collect()
    }

    /// Whether the store has all of the log, as `natter verify` compares them.
    pub async fn is_verified(&self) -> bool {
        let verdict: Value = serde_json::from_str(&self.run(&["verify", "--json"])).unwrap();
        let js = jetstream::new(async_nats::connect(self.cluster.nats_url()).await.unwrap());
        for (number, partition) in verdict["partitions"].as_array().unwrap().iter().enumerate() {
            let stream = js.get_stream(format!("CONV_{number}")).await.unwrap();
            if partition["to"].as_u64().unwrap_or_default() != stream.cached_info().state.last_sequence {
                return false;
            }
        }
        true
    }

    fn spawn(&mut self, role: &str) -> Process {
        let (seals, database) = (self.version.seals.to_string(), self.database.clone());
        let mut settings = vec![
            ("CHAT_ENCRYPTION_ENABLED", &*seals),
            ("CHAT_MESSAGE_KEY", ROOT),
            ("CALL_PROOF", "accepted"),
        ];
        settings.extend(database.as_deref().map(|url| ("DATABASE_URL", url)));
        self.cluster.spawn(role, &settings)
    }

    async fn start_worker(&mut self, number: usize) {
        let worker = self.spawn("worker");
        worker.wait_for_event("worker is ready").await;
        self.workers.insert(number, worker);
    }

    async fn start_edge(&mut self, number: usize) {
        let process = self.spawn("edge");
        let ready = process.wait_for_event("edge is ready").await;
        let address = format!("http://{}", text(&ready["address"]));
        self.balancer.lock().push(address.clone());
        self.edges.insert(number, Edge { process, address });
    }

    /// Its successor is there before it goes.
    pub async fn replace_worker(&mut self, number: usize) {
        self.start_worker(number).await;
        let former = self.workers.remove(number + 1);
        self.stop(former).await;
    }

    /// Its successor is there before it goes, and no client is sent to it any more.
    pub async fn replace_edge(&mut self, number: usize) {
        self.start_edge(number).await;
        let Edge { process, address } = self.edges.remove(number + 1);
        self.balancer.lock().retain(|other| *other != address);
        self.stop(process).await;
    }

    async fn stop(&mut self, process: Process) {
        process.drain().await;
        self.former.push(process);
    }

    /// What any process has logged that says it did not understand another.
    pub fn misunderstandings(&self) -> Vec<String> {
        let processes = self.edges.iter().map(|edge| &edge.process).chain(&self.workers).chain(&self.former);
        let wrong =
            ["cannot be decoded", "cannot be understood", "unreadable", "parked", "of a newer version"];
        let logs: Vec<String> = processes.map(Process::log).collect();
        let lines = logs.iter().flat_map(|log| log.lines());
        lines.filter(|line| wrong.iter().any(|word| line.contains(word))).map(str::to_owned).collect()
    }
}
