//! A real Apache Cassandra. Each has its own folder and ports; about 0.6 GB and some seconds to start, so most tests
//! share one and take a keyspace each.

mod command; // the command line of java
mod files; // its folder: configuration, log, data

use std::{
    path::{Path, PathBuf},
    process::{Command, Output},
    time::Duration,
};

use natter_store::scylla::{Options, connect, connect_for_schema};
use parking_lot::Mutex;
use tokio::{
    sync::OnceCell,
    time::{Instant, sleep},
};

use crate::{Clock, Process, free_server_ports};
use files::Files;

/// On a busy machine of two cores; alone it takes about five seconds.
const READY: Duration = Duration::from_mins(3);
const POLL: Duration = Duration::from_millis(50);
/// Of the user that a new cluster has.
const PASSWORD: &str = "cassandra";

/// A running Cassandra with a folder and a port of its own.
pub struct Cassandra {
    port: u16,
    /// Where it listens for `nodetool`.
    operator: Option<u16>,
    /// Who signed its certificate, of one that wants TLS and a password.
    ca: Option<PathBuf>,
    process: Mutex<Option<Process>>,
    /// `None`: this machine's.
    clock: Option<Clock>,
    // Dropped after the process, which writes into it.
    files: Files,
}

/// What is special about one.
#[derive(Clone, Copy, Default)]
struct Setup<'a> {
    guarded: bool,
    /// More of `cassandra.yaml`, by which it wants TLS and a password, and who signed its certificate.
    given: Option<(&'a str, &'a Path)>,
    operated: bool,
    data: Option<&'a Path>,
    /// In seconds; `None`: this machine's.
    clock_ahead: Option<i64>,
}

impl Cassandra {
    /// The server of all tests of this process that do not break it. It ends with the process.
    pub async fn shared() -> &'static Self {
        static SHARED: OnceCell<Cassandra> = OnceCell::const_new();
        SHARED.get_or_init(Self::start).await
    }

    /// Without users or encryption.
    pub async fn start() -> Self {
        Self::with(Setup::default()).await
    }

    /// Requires TLS and a password.
    pub async fn start_guarded() -> Self {
        Self::with(Setup { guarded: true, ..Setup::default() }).await
    }

    /// The same by these lines of its configuration, which name a certificate of this CA. `nodetool` is answered.
    pub async fn start_configured(yaml: &str, ca: &Path) -> Self {
        Self::with(Setup { given: Some((yaml, ca)), operated: true, ..Setup::default() }).await
    }

    /// Does what [`nodetool`](Self::nodetool) asks for.
    pub async fn start_operated() -> Self {
        Self::with(Setup { operated: true, ..Setup::default() }).await
    }

    /// Its data are below that folder, such as a mount.
    pub async fn start_in(folder: &Path) -> Self {
        Self::with(Setup { data: Some(&folder.join("cassandra")), ..Setup::default() }).await
    }

    /// Its clock is so many seconds ahead of this machine's.
    pub async fn start_with_clock(ahead: i64) -> Self {
        Self::with(Setup { clock_ahead: Some(ahead), ..Setup::default() }).await
    }

    async fn with(setup: Setup<'_>) -> Self {
        for _ in 1..crate::START_ATTEMPTS {
            let server = Self::spawn(setup);
            if server.is_up().await {
                return server;
            }
            assert!(server.files.port_was_taken(), "{}", server.files.failure());
        }
        let server = Self::spawn(setup);
        assert!(server.is_up().await, "{}", server.files.failure());
        server
    }

    fn spawn(Setup { guarded, given, operated, data, clock_ahead }: Setup<'_>) -> Self {
        let [port, storage, operator] = free_server_ports();
        let files = Files::prepare(port, storage, guarded, data);
        if let Some((yaml, _)) = given {
            files.configure(yaml);
        }
        let ca = given.map_or_else(|| guarded.then(|| files.certificate()), |(_, ca)| Some(ca.to_owned()));
        let clock = clock_ahead.map(|seconds| files.clock(seconds));
        let operator = operated.then_some(operator);
        let server = Self { port, operator, ca, process: Mutex::new(None), clock, files };
        server.run();
        server
    }

    fn run(&self) {
        let mut command = command::node(&self.files, self.operator);
        if let Some(clock) = &self.clock {
            clock.give_to(&mut command);
        }
        *self.process.lock() = Some(Process::start(command, &self.files.log()));
    }

    /// A command of its operator, of one that was started for it.
    pub fn nodetool(&self, arguments: &[&str]) -> Output {
        self.nodetool_command(arguments).output().expect("java is in PATH")
    }

    /// The same, to be run.
    pub fn nodetool_command(&self, arguments: &[&str]) -> Command {
        let operator = self.operator.expect("it was started with `start_operated`");
        command::nodetool(&self.files, operator, arguments)
    }

    /// All of its files: data, commit log, configuration, log.
    pub fn folder(&self) -> &Path {
        self.files.home()
    }

    /// The folders of keyspaces, with those of their tables.
    pub fn tables(&self) -> PathBuf {
        self.files.data().join("data")
    }

    /// Of one that was started with a clock of its own.
    pub fn set_clock(&self, ahead: i64) {
        self.clock.as_ref().expect("it has a clock of its own").set(ahead);
    }

    /// `host:port`.
    pub fn address(&self) -> String {
        format!("127.0.0.1:{}", self.port)
    }

    /// `DATABASE_URL` of a keyspace that does not exist yet; a migration makes it.
    pub fn new_keyspace(&self) -> String {
        let keyspace = format!("t_{}", uuid::Uuid::now_v7().simple());
        let address = self.address();
        if let Some(ca) = &self.ca {
            return format!(
                "scylla://cassandra:{PASSWORD}@{address}/{keyspace}?replication=1&tls=true&ca={}",
                ca.display()
            );
        }
        format!("scylla://{address}/{keyspace}?replication=1")
    }

    /// Connections stay open and nothing answers.
    pub fn pause(&self) {
        self.process.lock().as_ref().expect("it runs").pause();
    }

    pub fn resume(&self) {
        self.process.lock().as_ref().expect("it runs").resume();
    }

    /// kill -9; returns when it is gone. What it had acked is in its folder.
    pub fn kill(&self) {
        drop(self.process.lock().take());
    }

    /// kill -9 if it still runs, then a new process with the same data on the same port.
    pub async fn restart(&self) {
        self.kill();
        self.run();
        assert!(self.is_up().await, "{}", self.files.failure());
    }

    /// False when the process has ended instead.
    async fn is_up(&self) -> bool {
        let deadline = Instant::now() + READY;
        while Instant::now() < deadline {
            if self.process.lock().as_ref().is_none_or(Process::has_ended) {
                return false;
            }
            if self.answers().await {
                return true;
            }
            sleep(POLL).await;
        }
        panic!("Cassandra does not answer after {} s. {}", READY.as_secs(), self.files.failure())
    }

    /// Another server may have taken the port: only one of our name counts.
    async fn answers(&self) -> bool {
        self.cluster_name().await.is_some_and(|name| name == self.files.name())
    }

    /// One statement, of the first user. A change of tables may take long.
    pub async fn cql(&self, statement: &str) {
        self.cql_by(PASSWORD, statement).await;
    }

    /// The same, by another password than the one it began with.
    pub async fn cql_by(&self, password: &str, statement: &str) {
        let session = connect_for_schema(&self.options(password)).await.expect("it runs");
        session.query_unpaged(statement, ()).await.expect("the statement is valid");
    }

    fn options(&self, password: &str) -> Options {
        let plain = Options::new(vec![self.address()], "system");
        match self.ca.clone() {
            Some(ca) => {
                let (user, password) = (Some("cassandra".to_owned()), Some(password.into()));
                Options { user, password, tls: true, ca: Some(ca), ..plain }
            }
            None => plain,
        }
    }

    async fn cluster_name(&self) -> Option<String> {
        let session = connect(&self.options(PASSWORD)).await.ok()?;
        let found = session.query_unpaged("SELECT cluster_name FROM system.local", ()).await.ok()?;
        Some(found.into_rows_result().ok()?.single_row::<(String,)>().ok()?.0)
    }
}
