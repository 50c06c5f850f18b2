use std::{net::TcpListener, process::Stdio, time::Duration};

use natter_runtime::shared_state::Redis;
use nix::{
    sys::signal::{Signal, kill},
    unistd::Pid,
};
use tempfile::TempDir;
use tokio::process::{Child, Command};

use crate::fixtures::until;

/// For a busy test machine: only the tests about time-outs use the real one.
const TEST_TIMEOUT: Duration = Duration::from_secs(5);

/// A redis-server of one test; it ends with it.
pub struct Server {
    port: u16,
    child: Child,
    folder: TempDir,
    /// Whether a restart finds what was there before.
    persistent: bool,
}

impl Server {
    pub async fn start() -> Self {
        Self::with(false).await
    }

    pub async fn start_with_a_disk() -> Self {
        Self::with(true).await
    }

    async fn with(persistent: bool) -> Self {
        loop {
            // Another process may take the port in between: then this server ends, and another port is tried.
            let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
            let folder = tempfile::tempdir().unwrap();
            let child = spawn(port, &folder, persistent);
            let mut server = Self { port, child, folder, persistent };
            if server.is_up().await {
                return server;
            }
        }
    }

    pub fn url(&self) -> String {
        format!("redis://127.0.0.1:{}", self.port)
    }

    pub async fn state(&self) -> Redis {
        Redis::connect(&self.url()).await.expect("redis is up").with_timeout(TEST_TIMEOUT)
    }

    /// A command from outside Natter.
    pub async fn run<T: redis::FromRedisValue>(&self, command: &[&str]) -> redis::RedisResult<T> {
        let client = redis::Client::open(self.url())?;
        let mut connection = client.get_multiplexed_async_connection().await?;
        let mut cmd = redis::cmd(command[0]);
        cmd.arg(&command[1..]);
        cmd.query_async(&mut connection).await
    }

    /// kill -9, then a new one on the same port.
    pub async fn restart(&mut self) {
        self.kill().await;
        self.child = spawn(self.port, &self.folder, self.persistent);
        assert!(self.is_up().await, "redis-server did not come back on its port");
    }

    pub async fn kill(&mut self) {
        self.child.kill().await.unwrap();
    }

    pub fn pause(&self) {
        self.signal(Signal::SIGSTOP);
    }

    pub fn unpause(&self) {
        self.signal(Signal::SIGCONT);
    }

    fn signal(&self, signal: Signal) {
        let pid = self.child.id().expect("it runs");
        kill(Pid::from_raw(i32::try_from(pid).unwrap()), signal).unwrap();
    }

    /// False when the process has ended instead.
    async fn is_up(&mut self) -> bool {
        let pid = format!("process_id:{}\r", self.child.id().expect("just started"));
        until("redis-server to start or end", async || {
            if self.child.try_wait().unwrap().is_some() {
                return Some(false);
            }
            // Another server may hold the port: only our own counts.
            let info: String = self.run(&["INFO", "server"]).await.ok()?;
            info.lines().any(|line| line == pid.trim_end()).then_some(true)
        })
        .await
    }
}

fn spawn(port: u16, folder: &TempDir, persistent: bool) -> Child {
    Command::new("redis-server")
        .args(["--port", &port.to_string(), "--bind", "127.0.0.1", "--save", "", "--dir"])
        .arg(folder.path())
        .args(["--appendonly", if persistent { "yes" } else { "no" }, "--appendfsync", "always"])
        .stdout(Stdio::null())
        .kill_on_drop(true)
        .spawn()
        .expect("redis-server is in PATH (scripts/fetch-redis)")
}
