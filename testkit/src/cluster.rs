//! nats-server, Redis, two workers and two edges.

use std::{
    collections::BTreeMap,
    fs,
    path::{Path, PathBuf},
    process::{Command, Output, Stdio},
    time::Duration,
};

use tokio::sync::OnceCell;

use crate::{Clock, Folder, NatsProcess, Process, Redis, User, text};

/// The shortest that can be set.
pub const PRESENCE_TTL: Duration = Duration::from_secs(10);

/// Small enough for two cores, several enough to be several.
const PARTITIONS: &str = "4";
const RATES: &str = "login=100000/s,send=100000/s,write=100000/s,read=100000/s,search=100000/s,frames=100000/s,\
                     renew=100000/s,address=100000/s,groups=100000/s";

/// How many seconds the clocks of processes are ahead and behind, in turn: `CLOCKS_APART` of the test run, which is 0
/// without it.
pub fn clocks_apart() -> i64 {
    std::env::var("CLOCKS_APART").map_or(0, |seconds| seconds.parse().expect("CLOCKS_APART is in seconds"))
}

pub struct Cluster {
    // Dropped in this order: who needs others first.
    edges: Vec<Option<Edge>>,
    workers: Vec<Option<Process>>,
    redis: Redis,
    nats: NatsProcess,
    /// The binary under test.
    program: &'static str,
    started: usize,
    /// The clocks of processes, in turn, in seconds.
    ahead: [i64; 2],
    /// Settings that differ from those of other deployments.
    changed: Vec<(&'static str, String)>,
    /// By the number of its process.
    clocks: BTreeMap<usize, Clock>,
    home: Folder,
}

struct Edge {
    http: String,
    process: Process,
}

impl Cluster {
    /// The deployment of every test that does not break it.
    pub async fn shared(program: &'static str) -> &'static Self {
        static SHARED: OnceCell<Cluster> = OnceCell::const_new();
        SHARED.get_or_init(|| Self::start(program)).await
    }

    /// Of this binary of natter, `env!("CARGO_BIN_EXE_natter")`.
    pub async fn start(program: &'static str) -> Self {
        Self::start_with(Self::bare(program).await).await
    }

    /// One worker and one edge so many seconds ahead, the others as much behind.
    pub async fn start_with_clocks_apart(program: &'static str, seconds: i64) -> Self {
        Self::start_with_clocks(program, [seconds, -seconds]).await
    }

    /// Workers and edges so many seconds ahead of nats-server and Redis, in turn.
    pub async fn start_with_clocks(program: &'static str, ahead: [i64; 2]) -> Self {
        let cluster = Self::bare(program).await;
        Self::start_with(Self { ahead, ..cluster }).await
    }

    /// Every role with these settings changed.
    pub async fn start_with_settings(program: &'static str, changed: &[(&'static str, &str)]) -> Self {
        let changed = changed.iter().map(|(name, value)| (*name, (*value).to_owned())).collect();
        let cluster = Self::bare(program).await;
        Self::start_with(Self { changed, ..cluster }).await
    }

    async fn start_with(mut cluster: Self) -> Self {
        let migrated = cluster.run(&["migrate"], &[]);
        assert!(migrated.status.success(), "{migrated:?}");
        for _ in 0..2 {
            cluster.start_worker();
        }
        for number in 0..2 {
            cluster.worker_admin(number).await;
        }
        for _ in 0..2 {
            let edge = cluster.start_edge().await;
            cluster.edges.push(Some(edge));
        }
        cluster
    }

    /// nats-server and Redis alone.
    pub async fn bare(program: &'static str) -> Self {
        let home = Folder::new();
        let store = home.file("nats");
        let configure = |command: &mut Command| {
            command.args(["-js", "-a", "127.0.0.1", "-p", "-1", "-sd"]).arg(store);
        };
        let nats = NatsProcess::start(&home, configure).await;
        let redis = Redis::start().await;
        let (edges, workers, clocks, changed) = Default::default();
        let ahead = [clocks_apart(), -clocks_apart()];
        Self { edges, workers, redis, nats, program, started: 0, ahead, changed, clocks, home }
    }

    /// What is started from here on is this binary.
    pub fn change_program(&mut self, program: &'static str) {
        self.program = program;
    }

    pub fn nats_url(&self) -> String {
        format!("nats://{}", self.nats.address)
    }

    /// Files of nats-server, the SQLite store, and the logs of all processes.
    pub fn folder(&self) -> &Path {
        self.home.path()
    }

    /// The file of the SQLite store.
    pub fn database(&self) -> PathBuf {
        self.home.file("natter.db")
    }

    /// The settings of every role, by name.
    pub fn settings(&self) -> Vec<(&'static str, String)> {
        let settings = vec![
            ("NATS_URL", self.nats_url()),
            ("REDIS_URL", self.redis.url()),
            ("DATABASE_URL", format!("sqlite:{}", self.database().display())),
            ("JWT_SECRET", "0123456789abcdef0123456789abcdef".to_owned()),
            ("HOST", "127.0.0.1".to_owned()),
            ("PORT", "0".to_owned()),
            ("ADMIN_PORT", "0".to_owned()),
            ("PARTITIONS", PARTITIONS.to_owned()),
            ("LOG_MAX_BYTES", (16 * 1024 * 1024).to_string()),
            ("PRESENCE_TTL", format!("{}s", PRESENCE_TTL.as_secs())),
            ("RATE_LIMITS", RATES.to_owned()),
            ("LOG_FORMAT", "json".to_owned()),
        ];
        // Of two of one name the later counts.
        settings.into_iter().chain(self.changed.iter().cloned()).collect()
    }

    /// The program with the settings of this deployment, changed as given; an empty value leaves one out.
    pub fn command(&self, arguments: &[&str], changed: &[(&str, &str)]) -> Command {
        let mut command = Command::new(self.program);
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

    /// A process of a role, with changed settings; it works when it is ready.
    pub fn spawn(&mut self, role: &str, changed: &[(&str, &str)]) -> Process {
        self.started += 1;
        let log = self.home.file(&format!("{role}-{}.log", self.started));
        let mut command = self.command(&[role], changed);
        let seconds = self.ahead[(self.started + 1) % 2];
        if seconds != 0 {
            let clock = Clock::ahead(&self.home, &format!("clock-{}", self.started), seconds);
            clock.give_to(&mut command);
            self.clocks.insert(self.started, clock);
        }
        Process::start(command, &log)
    }

    /// Sets the clock of every process, in seconds ahead of this machine's.
    pub fn set_clocks(&self, seconds: i64) {
        for clock in self.clocks.values() {
            clock.set(seconds);
        }
    }

    fn start_worker(&mut self) {
        let worker = self.spawn("worker", &[]);
        self.workers.push(Some(worker));
    }

    /// `http://127.0.0.1:port` of its admin port, once it is ready.
    pub async fn worker_admin(&self, number: usize) -> String {
        let worker = self.workers[number].as_ref().expect("it was not killed");
        format!("http://{}", text(&worker.wait_for_event("worker is ready").await["admin"]))
    }

    /// The same of an edge.
    pub async fn edge_admin(&self, number: usize) -> String {
        let edge = self.edges[number].as_ref().expect("it was not killed");
        format!("http://{}", text(&edge.process.wait_for_event("edge is ready").await["admin"]))
    }

    async fn start_edge(&mut self) -> Edge {
        let process = self.spawn("edge", &[]);
        let ready = process.wait_for_event("edge is ready").await;
        Edge { http: format!("http://{}", text(&ready["address"])), process }
    }

    /// `http://127.0.0.1:port` of each edge; one that was killed has that of the other.
    pub fn addresses(&self) -> Vec<String> {
        let address = |number: usize| self.edges[number].as_ref().map(|edge| edge.http.clone());
        let any = |number: usize| address(number).or_else(|| address(1 - number));
        (0..2).map(|number| any(number).expect("an edge is left")).collect()
    }

    /// A new user whose calls go to this edge.
    pub async fn user(&self, edge: usize, name: &str) -> User {
        User::register(self.addresses(), edge, name).await
    }

    /// What each edge and each worker has written, those that were killed included.
    pub fn logs(&self) -> Vec<String> {
        let names =
            fs::read_dir(self.home.path()).expect("a folder").map(|entry| entry.expect("an entry").path());
        let logs = names.filter(|path| {
            let name = path.file_stem().and_then(|name| name.to_str()).unwrap_or_default();
            path.extension().is_some_and(|end| end == "log")
                && (name.starts_with("edge-") || name.starts_with("worker-"))
        });
        logs.map(|path| String::from_utf8_lossy(&fs::read(path).unwrap_or_default()).into_owned()).collect()
    }

    pub fn edge(&self, number: usize) -> &Process {
        &self.edges[number].as_ref().expect("it was not killed").process
    }

    pub fn kill_edge(&mut self, number: usize) {
        self.edges[number].take().expect("it runs").process.kill();
    }

    pub fn kill_worker(&mut self, number: usize) {
        self.workers[number].take().expect("it runs").kill();
    }

    /// nats-server answers no one until it is resumed.
    pub fn pause_nats(&self) {
        self.nats.process.pause();
    }

    pub fn resume_nats(&self) {
        self.nats.process.resume();
    }

    pub fn kill_redis(&self) {
        self.redis.kill();
    }

    /// On its old port, empty.
    pub async fn restart_redis(&mut self) {
        self.redis.restart().await;
    }

    /// Messages in the store, looked at from outside.
    pub fn persisted(&self) -> i64 {
        use rusqlite::{Connection, OpenFlags};
        let store = Connection::open_with_flags(self.database(), OpenFlags::SQLITE_OPEN_READ_ONLY);
        let count = "SELECT count(*) FROM messages";
        store.unwrap().query_row(count, [], |row| row.get(0)).unwrap()
    }
}
