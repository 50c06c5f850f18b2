//! nats-server, Redis, two workers and two edges.

use std::{
    fs,
    net::TcpListener,
    path::{Path, PathBuf},
    process::{Command, Output, Stdio},
    time::Duration,
};

use serde_json::Value;
use tokio::sync::OnceCell;

use super::{Home, Process, User, text, until};

/// The shortest there is.
pub const TTL: Duration = Duration::from_secs(10);

/// Small enough for two cores, several enough to be several.
const PARTITIONS: &str = "4";
const RATES: &str =
    "login=100000/s,send=100000/s,write=100000/s,read=100000/s,search=100000/s,frames=100000/s";

/// The deployment of every test that does not break it.
static SHARED: OnceCell<Cluster> = OnceCell::const_new();

pub async fn shared() -> &'static Cluster {
    SHARED.get_or_init(Cluster::start).await
}

pub struct Cluster {
    // Dropped in this order: who needs others first.
    edges: Vec<Option<Edge>>,
    workers: Vec<Option<Process>>,
    redis: Option<Process>,
    redis_port: u16,
    _nats: Process,
    nats: String,
    started: usize,
    home: Home,
}

struct Edge {
    http: String,
    process: Process,
}

impl Cluster {
    pub async fn start() -> Self {
        let mut cluster = Self::bare().await;
        let migrated = cluster.run(&["migrate"], &[]);
        assert!(migrated.status.success(), "{migrated:?}");
        for _ in 0..2 {
            cluster.start_worker();
        }
        for number in 0..2 {
            cluster.worker_is_ready(number).await;
        }
        for _ in 0..2 {
            let edge = cluster.start_edge().await;
            cluster.edges.push(Some(edge));
        }
        cluster
    }

    /// nats-server and Redis alone.
    pub async fn bare() -> Self {
        let home = Home::new();
        let (process, nats) = start_nats(&home).await;
        let (redis, redis_port) = start_redis(&home).await;
        Self {
            edges: Vec::new(),
            workers: Vec::new(),
            redis: Some(redis),
            redis_port,
            _nats: process,
            nats,
            started: 0,
            home,
        }
    }

    /// What every role is told, by name.
    pub fn settings(&self) -> Vec<(&'static str, String)> {
        vec![
            ("NATS_URL", self.nats.clone()),
            ("REDIS_URL", format!("redis://127.0.0.1:{}", self.redis_port)),
            ("DATABASE_URL", format!("sqlite:{}", self.home.file("natter.db").display())),
            ("JWT_SECRET", "0123456789abcdef0123456789abcdef".to_owned()),
            ("HOST", "127.0.0.1".to_owned()),
            ("PORT", "0".to_owned()),
            ("ADMIN_PORT", "0".to_owned()),
            ("PARTITIONS", PARTITIONS.to_owned()),
            ("LOG_MAX_BYTES", (16 * 1024 * 1024).to_string()),
            ("PRESENCE_TTL", format!("{}s", TTL.as_secs())),
            ("RATE_LIMITS", RATES.to_owned()),
            ("LOG_FORMAT", "json".to_owned()),
        ]
    }

    /// The program with the settings of this deployment, changed as told; an empty value leaves one out.
    pub fn command(&self, arguments: &[&str], changed: &[(&str, &str)]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_natter"));
        command.args(arguments).env_clear().envs(self.settings()).stdin(Stdio::null());
        if let Some(path) = std::env::var_os("PATH") {
            command.env("PATH", path);
        }
        for (name, value) in changed {
            if value.is_empty() {
                command.env_remove(name);
            } else {
                command.env(name, value);
            }
        }
        command
    }

    pub fn run(&self, arguments: &[&str], changed: &[(&str, &str)]) -> Output {
        self.command(arguments, changed).output().unwrap()
    }

    fn log(&mut self, role: &str) -> PathBuf {
        self.started += 1;
        self.home.file(&format!("{role}-{}.log", self.started))
    }

    fn start_worker(&mut self) {
        let number = self.workers.len();
        let log = self.home.file(&format!("worker-{number}.log"));
        self.workers.push(Some(Process::start(&self.command(&["worker"], &[]), &log)));
    }

    async fn worker_is_ready(&self, number: usize) {
        self.worker_admin(number).await;
    }

    /// `http://127.0.0.1:port` of its admin port, once it is ready.
    pub async fn worker_admin(&self, number: usize) -> String {
        let line = ready(&self.home.file(&format!("worker-{number}.log")), "worker is ready").await;
        format!("http://{}", text(&line["admin"]))
    }

    async fn start_edge(&mut self) -> Edge {
        let log = self.log("edge");
        let process = Process::start(&self.command(&["edge"], &[]), &log);
        let line = ready(&log, "edge is ready").await;
        Edge { http: format!("http://{}", text(&line["address"])), process }
    }

    /// `http://127.0.0.1:port` of each edge; one that was killed has that of the other.
    pub fn addresses(&self) -> [String; 2] {
        let address = |number: usize| self.edges[number].as_ref().map(|edge| edge.http.clone());
        let other = |number: usize| address(number).or_else(|| address(1 - number)).unwrap();
        [other(0), other(1)]
    }

    /// Somebody new whose calls go to this edge.
    pub async fn user(&self, edge: usize, name: &str) -> User {
        User::register(self.addresses(), edge, name).await
    }

    pub fn kill_edge(&mut self, number: usize) {
        self.edges[number].take().unwrap().process.kill9();
    }

    pub fn kill_worker(&mut self, number: usize) {
        self.workers[number].take().unwrap().kill9();
    }

    pub fn kill_redis(&mut self) {
        self.redis.take().unwrap().kill9();
    }

    /// On its old port, empty.
    pub async fn start_redis_again(&mut self) {
        self.redis = Some(redis_on(self.redis_port, &self.home).await.expect("its old port is free"));
    }

    /// Messages in the store, looked at from outside.
    pub fn persisted(&self) -> i64 {
        use rusqlite::{Connection, OpenFlags};
        let store =
            Connection::open_with_flags(self.home.file("natter.db"), OpenFlags::SQLITE_OPEN_READ_ONLY);
        let count = "SELECT count(*) FROM messages";
        store.unwrap().query_row(count, [], |row| row.get(0)).unwrap()
    }
}

/// The line of a log that says so.
async fn ready(log: &Path, message: &str) -> Value {
    let mut found = Value::Null;
    until(&format!("'{message}' in {}", log.display()), async || {
        let text = fs::read_to_string(log).unwrap_or_default();
        assert!(!text.contains("natter: "), "it refuses to start: {text}");
        let lines = text.lines().filter_map(|line| serde_json::from_str::<Value>(line).ok());
        match lines.into_iter().find(|line| line["message"] == message) {
            Some(line) => {
                found = line;
                true
            }
            None => false,
        }
    })
    .await;
    found
}

/// `NATTER_NATS_SERVER`, else what `make deps` fetched, else the one in PATH.
fn nats_server() -> PathBuf {
    let fetched = Path::new(env!("CARGO_MANIFEST_DIR")).join("../.deps/bin/nats-server");
    match std::env::var_os("NATTER_NATS_SERVER") {
        Some(named) => named.into(),
        None if fetched.exists() => fetched,
        None => "nats-server".into(),
    }
}

async fn start_nats(home: &Home) -> (Process, String) {
    let folder = home.file("nats");
    fs::create_dir(&folder).unwrap();
    let mut command = Command::new(nats_server());
    command.args(["-js", "-a", "127.0.0.1", "-p", "-1", "-sd"]).arg(&folder);
    command.arg("--ports_file_dir").arg(&folder);
    let process = Process::start(&command, &home.file("nats.log"));
    let ports = folder.join(format!("nats-server_{}.ports", process.pid()));
    let mut url = String::new();
    until("nats-server says its port", async || {
        let said = fs::read_to_string(&ports).unwrap_or_default();
        let said: Value = serde_json::from_str(&said).unwrap_or_default();
        said["nats"][0].as_str().unwrap_or_default().clone_into(&mut url);
        !url.is_empty()
    })
    .await;
    (process, url)
}

async fn start_redis(home: &Home) -> (Process, u16) {
    loop {
        // Somebody may take the port in between: then ours ends, and another port is tried.
        let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
        if let Some(process) = redis_on(port, home).await {
            return (process, port);
        }
    }
}

/// `None` when the port is somebody else's.
async fn redis_on(port: u16, home: &Home) -> Option<Process> {
    let log = home.file("redis-said");
    let mut command = Command::new("redis-server");
    command.args(["--port", &port.to_string(), "--bind", "127.0.0.1", "--save", "", "--appendonly", "no"]);
    command.arg("--dir").arg(&home.path).arg("--logfile").arg(&log);
    let _ = fs::remove_file(&log);
    let process = Process::start(&command, &home.file("redis.log"));
    let mut listens = false;
    until("redis-server is in PATH (scripts/fetch-redis) and starts", async || {
        let said = fs::read_to_string(&log).unwrap_or_default();
        listens = said.contains("Ready to accept connections");
        listens || said.contains("Failed listening")
    })
    .await;
    listens.then_some(process)
}
