//! nats-server as a child process: what `natter dev` runs and what tests run against. It listens on 127.0.0.1
//! alone, keeps its port when it is restarted, and never outlives this process.

mod binary; // which nats-server
mod config; // its configuration file
mod disk; // what follows when it could not write to its disk
mod supervisor; // the thread that starts it and starts it again

use std::{
    path::{Path, PathBuf},
    sync::Arc,
    time::Duration,
};

use serde::Deserialize;
use tokio::{
    task::JoinHandle,
    time::{Instant, sleep, timeout},
};
use tracing::info;

pub use binary::{find, version};
use config::Files;
use supervisor::{Signal, Supervisor};

/// Recovering a log of some gigabytes takes seconds; a server that is silent for longer hangs.
const READY: Duration = Duration::from_mins(1);
const READY_POLL: Duration = Duration::from_millis(5);
/// From the polite signal to the impolite one.
const STOP: Duration = Duration::from_secs(5);

/// How to run a child.
pub struct Options {
    /// As [`find`] finds it.
    pub binary: PathBuf,
    /// Holds nats-server.conf, its password, its log and jetstream/.
    pub data_dir: PathBuf,
    /// fsync before every ack. Without it a power cut, not a crash of the process, may rob the last minutes.
    pub always_sync: bool,
    /// Streams reserve their `max_bytes` from it: `Topology::reserved_bytes` is the least that works.
    pub max_store_bytes: u64,
}

/// Why there is no running nats-server.
#[derive(Debug, thiserror::Error)]
pub enum ServerError {
    /// Nowhere that [`find`] looks.
    #[error("no nats-server found in NATTER_NATS_SERVER, .deps/bin or PATH")]
    NotFound,
    /// Not a program, or not for this machine.
    #[error("{path} cannot be run: {source}")]
    NotRunnable {
        /// The file or folder.
        path: PathBuf,
        /// The cause.
        source: std::io::Error,
    },
    /// Or no nats-server at all.
    #[error("{path} is nats-server {found}, but at least {least} is needed")]
    TooOld {
        /// The file or folder.
        path: PathBuf,
        /// The server's value.
        found: String,
        /// The oldest version that works.
        least: &'static str,
    },
    /// Not writable, or its files are not.
    #[error("{path} cannot be used: {source}")]
    Folder {
        /// The file or folder.
        path: PathBuf,
        /// The cause.
        source: std::io::Error,
    },
    /// Most often a port or a file that is in use.
    #[error("nats-server did not start; the end of {log}:\n{tail}")]
    Died {
        /// The log file.
        log: PathBuf,
        /// Its last lines.
        tail: String,
    },
    /// It failed too often in a row.
    #[error("nats-server died and does not start any more; the end of {log}:\n{tail}")]
    Lost {
        /// The log file.
        log: PathBuf,
        /// Its last lines.
        tail: String,
    },
    /// Still recovering, or hanging.
    #[error("nats-server is not ready after {}s; the end of {log}:\n{tail}", READY.as_secs())]
    NotReady {
        /// The log file.
        log: PathBuf,
        /// Its last lines.
        tail: String,
    },
}

/// A running nats-server. Dropping it kills the child.
pub struct Server {
    url: String,
    supervisor: Arc<Supervisor>,
    files: Files,
    /// Ends with this.
    disk_watch: JoinHandle<()>,
}

/// Where and how the system user reaches the server.
struct Endpoint {
    port: u16,
    password: String,
}

impl Server {
    /// Returns when the server takes connections and has recovered its streams.
    pub async fn start(options: Options) -> Result<Self, ServerError> {
        version(&options.binary).await?;
        let files = Files::prepare(&options)?;
        files.write_config(&options, None)?;
        let supervisor = Supervisor::start(options.binary.clone(), files.clone())
            .map_err(|source| ServerError::NotRunnable { path: options.binary.clone(), source })?;
        let port = match ready(&supervisor, &files).await {
            Ok(port) => port,
            Err(error) => {
                supervisor.end(Signal::Kill);
                return Err(error);
            }
        };
        // From now on it comes back where its clients look for it.
        files.write_config(&options, Some(port))?;
        supervisor.keep_running();
        info!(nats_port = port, pid = supervisor.pid(), path = %options.data_dir.display(), "nats-server is ready");
        let endpoint = Endpoint { port, password: files.password.clone() };
        let disk_watch = tokio::spawn(disk::watch(endpoint, files.clone(), supervisor.clone()));
        let url = url(port, &files.password);
        Ok(Self { url, supervisor, files, disk_watch })
    }

    /// With user and password: not for logs.
    pub fn url(&self) -> &str {
        &self.url
    }

    /// `None` while it is being started again.
    pub fn pid(&self) -> Option<u32> {
        self.supervisor.pid()
    }

    /// Returns when it has died and is not started again: it failed too often in a row.
    pub async fn lost(&self) -> ServerError {
        self.supervisor.ended().await;
        ServerError::Lost { tail: self.files.log_tail(), log: self.files.log.clone() }
    }

    /// Ends the child politely, after seconds impolitely.
    pub async fn stop(self) {
        self.disk_watch.abort();
        self.supervisor.end(Signal::Terminate);
        if timeout(STOP, self.supervisor.ended()).await.is_err() {
            self.supervisor.end(Signal::Kill);
            self.supervisor.ended().await;
        }
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.disk_watch.abort();
        self.supervisor.end(Signal::Kill);
        self.supervisor.join();
    }
}

/// The URL, with user and password, of the server that another process runs in this folder.
pub fn running(data_dir: &Path) -> Option<String> {
    let files = std::fs::read_dir(data_dir).ok()?;
    let ports = files
        .filter_map(|entry| Some(entry.ok()?.path()))
        .find(|path| path.extension() == Some("ports".as_ref()))?;
    let pid = ports.file_stem()?.to_str()?.rsplit_once('_')?.1.parse().ok()?;
    // The file of a server that was killed stays.
    nix::sys::signal::kill(nix::unistd::Pid::from_raw(pid), None).ok()?;
    let password = config::stored_password(data_dir)?;
    Some(url(read_port(&ports)?, &password))
}

/// With user and password: not for logs.
fn url(port: u16, password: &str) -> String {
    format!("nats://{}:{password}@127.0.0.1:{port}", config::USER)
}

/// What nats-server writes into its ports file.
#[derive(Deserialize)]
struct Ports {
    nats: Vec<String>,
}

async fn ready(supervisor: &Supervisor, files: &Files) -> Result<u16, ServerError> {
    let deadline = Instant::now() + READY;
    loop {
        // Read after the question, so that a file of the last moment is not missed.
        let over = supervisor.is_over();
        if let Some(port) = supervisor.pid().and_then(|pid| read_port(&files.ports(pid))) {
            return Ok(port);
        }
        let log = files.log.clone();
        if over {
            return Err(ServerError::Died { tail: files.log_tail(), log });
        }
        if Instant::now() >= deadline {
            return Err(ServerError::NotReady { tail: files.log_tail(), log });
        }
        sleep(READY_POLL).await;
    }
}

fn read_port(path: &Path) -> Option<u16> {
    let ports: Ports = serde_json::from_slice(&std::fs::read(path).ok()?).ok()?;
    ports.nats.first()?.rsplit_once(':')?.1.parse().ok()
}
