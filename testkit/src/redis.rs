//! A real redis-server.

use std::process::Command;

use redis::{FromRedisValue, RedisResult};

use crate::{Folder, Process, START_ATTEMPTS, free_port, until_some};

/// A redis-server with a folder and a port of its own.
pub struct Redis {
    port: u16,
    process: Process,
    // Dropped after the process, which writes into it.
    folder: Folder,
    persistent: bool,
}

impl Redis {
    /// Empty again after a restart.
    pub async fn start() -> Self {
        Self::with(false).await
    }

    /// A restart finds what was there before.
    pub async fn start_persistent() -> Self {
        Self::with(true).await
    }

    async fn with(persistent: bool) -> Self {
        let mut last = String::new();
        for _ in 0..START_ATTEMPTS {
            // Another process may take the port in between: then this server ends, and another port is tried.
            let (port, folder) = (free_port(), Folder::new());
            let process = spawn(port, &folder, persistent);
            let server = Self { port, process, folder, persistent };
            if server.is_up().await {
                return server;
            }
            last = server.process.log();
        }
        panic!("redis-server did not start in {START_ATTEMPTS} attempts:\n{last}")
    }

    /// `host:port`
    pub fn address(&self) -> String {
        format!("127.0.0.1:{}", self.port)
    }

    pub fn url(&self) -> String {
        format!("redis://{}", self.address())
    }

    /// A command from outside Natter.
    ///
    /// # Errors
    /// When it cannot be reached or refuses the command.
    pub async fn run<T: FromRedisValue>(&self, command: &[&str]) -> RedisResult<T> {
        let client = redis::Client::open(self.url())?;
        let mut connection = client.get_multiplexed_async_connection().await?;
        let mut cmd = redis::cmd(command[0]);
        cmd.arg(&command[1..]);
        cmd.query_async(&mut connection).await
    }

    /// kill -9 if it still runs, then a new one on the same port.
    pub async fn restart(&mut self) {
        self.kill();
        self.process = spawn(self.port, &self.folder, self.persistent);
        assert!(self.is_up().await, "redis-server did not come back on its port: {}", self.process.log());
    }

    /// kill -9; returns when it is gone.
    pub fn kill(&self) {
        self.process.kill();
    }

    /// Connections stay open and nothing answers.
    pub fn pause(&self) {
        self.process.pause();
    }

    pub fn resume(&self) {
        self.process.resume();
    }

    /// False when the process has ended instead.
    async fn is_up(&self) -> bool {
        let pid = format!("process_id:{}", self.process.pid());
        until_some("redis-server starts or ends", async || {
            if self.process.has_ended() {
                return Some(false);
            }
            // Another server may hold the port: only our own counts.
            let info: String = self.run(&["INFO", "server"]).await.ok()?;
            info.lines().any(|line| line == pid).then_some(true)
        })
        .await
    }
}

fn spawn(port: u16, folder: &Folder, persistent: bool) -> Process {
    let mut command = Command::new("redis-server");
    command
        .args(["--port", &port.to_string(), "--bind", "127.0.0.1", "--save", "", "--dir"])
        .arg(folder.path())
        .args(["--appendonly", if persistent { "yes" } else { "no" }, "--appendfsync", "always"]);
    Process::start(command, &folder.file("log"))
}
