//! A real Apache Cassandra for tests, as a child process that never outlives this one. Each has its own folder
//! and ports; about 0.6 GB and some seconds to start, so most tests share one and take a keyspace each.
#![allow(clippy::missing_panics_doc, reason = "a test that cannot start its server has failed")]

mod command; // the command line of java
mod files; // its folder: configuration, log, data
mod jvm; // the process of a Java server, this or another

#[cfg(test)]
mod tests;

use std::{net::TcpListener, time::Duration};

use parking_lot::Mutex;
use scylla::client::session::Session;
use tokio::{
    sync::OnceCell,
    time::{Instant, sleep},
};

use crate::scylla::{Options, connect_for_schema, migrate};
use files::Files;
pub use jvm::Jvm;

/// On a busy machine of two cores; alone it takes about five seconds.
const READY: Duration = Duration::from_mins(3);
const POLL: Duration = Duration::from_millis(50);
/// Between its choice and the server's start another process may take a port.
const ATTEMPTS: usize = 3;

/// A running Cassandra with a folder and a port of its own.
pub struct Cassandra {
    port: u16,
    guarded: bool,
    jvm: Mutex<Option<Jvm>>,
    // Dropped after the process, which writes into it.
    files: Files,
}

/// The server of all tests of this process that do not break it. It ends with the process.
pub async fn shared() -> &'static Cassandra {
    static SHARED: OnceCell<Cassandra> = OnceCell::const_new();
    SHARED.get_or_init(Cassandra::start).await
}

impl Cassandra {
    /// One that anybody may use, without encryption.
    pub async fn start() -> Self {
        Self::with(false).await
    }

    /// One that requires TLS and a password.
    pub async fn start_guarded() -> Self {
        Self::with(true).await
    }

    async fn with(guarded: bool) -> Self {
        for _ in 1..ATTEMPTS {
            let server = Self::spawn(guarded);
            if server.is_up().await {
                return server;
            }
            assert!(server.files.says_port_taken(), "{}", server.files.sorry());
        }
        let server = Self::spawn(guarded);
        assert!(server.is_up().await, "{}", server.files.sorry());
        server
    }

    fn spawn(guarded: bool) -> Self {
        let (port, storage) = free_ports();
        let files = Files::prepare(port, storage, guarded);
        let jvm = Mutex::new(Some(Jvm::spawn(&command::arguments(&files), &files.log())));
        Self { port, guarded, jvm, files }
    }

    /// `host:port`.
    pub fn address(&self) -> String {
        format!("127.0.0.1:{}", self.port)
    }

    /// A keyspace of a name of its own that does not exist yet; a migration would make it.
    pub fn new_keyspace(&self) -> Options {
        let name = format!("t_{}", uuid::Uuid::now_v7().simple());
        Options { replication: Some(1), ..self.options(&name) }
    }

    fn options(&self, keyspace: &str) -> Options {
        let options = Options::new(vec![self.address()], keyspace);
        if !self.guarded {
            return options;
        }
        // Who is there when nobody has been made yet.
        let (user, password) = (Some("cassandra".to_owned()), Some("cassandra".into()));
        Options { user, password, tls: true, ca: Some(self.files.certificate()), ..options }
    }

    /// A new keyspace with every table: some seconds.
    pub async fn fresh_keyspace(&self) -> Options {
        let options = self.new_keyspace();
        migrate::migrate(&options, |_| ()).await.expect("the migrations apply");
        options
    }

    /// Holds the server still: connections stay open and nothing answers, as in a network that swallows packets.
    pub fn pause(&self) {
        self.jvm.lock().as_ref().expect("it runs").pause();
    }

    /// Lets a paused server run again.
    pub fn unpause(&self) {
        self.jvm.lock().as_ref().expect("it runs").unpause();
    }

    /// kill -9; returns when it is gone. What it had acked is in its folder.
    pub fn kill(&self) {
        drop(self.jvm.lock().take());
    }

    /// kill -9 if it still runs, then a new process with the same data on the same port.
    pub async fn restart(&self) {
        self.kill();
        *self.jvm.lock() = Some(Jvm::spawn(&command::arguments(&self.files), &self.files.log()));
        assert!(self.is_up().await, "{}", self.files.sorry());
    }

    /// False when the process has ended instead.
    async fn is_up(&self) -> bool {
        let deadline = Instant::now() + READY;
        while Instant::now() < deadline {
            if self.jvm.lock().as_ref().is_none_or(Jvm::is_over) {
                return false;
            }
            if self.answers().await {
                return true;
            }
            sleep(POLL).await;
        }
        panic!("Cassandra does not answer after {} s. {}", READY.as_secs(), self.files.sorry())
    }

    /// Another server may have taken the port: only one of our name counts.
    async fn answers(&self) -> bool {
        let Ok(session) = connect_for_schema(&self.options("system")).await else { return false };
        cluster_name(&session).await.is_some_and(|name| name == self.files.name())
    }
}

async fn cluster_name(session: &Session) -> Option<String> {
    let found = session.query_unpaged("SELECT cluster_name FROM system.local", ()).await.ok()?;
    Some(found.into_rows_result().ok()?.single_row::<(String,)>().ok()?.0)
}

/// Both are held until both are chosen: they differ. From below those that the system hands out, of which one may
/// be somebody's between a kill and a restart.
fn free_ports() -> (u16, u16) {
    let bound = || {
        // Random by the id's last bytes.
        let [.., a, b] = *uuid::Uuid::now_v7().as_bytes();
        TcpListener::bind(("127.0.0.1", 20_000 + u16::from_be_bytes([a, b]) % 12_000)).ok()
    };
    let mut free = std::iter::repeat_with(bound).flatten();
    let mut next = || free.next().expect("it goes on for ever");
    let (one, two) = (next(), next());
    let port = |listener: &TcpListener| listener.local_addr().expect("it is bound").port();
    (port(&one), port(&two))
}
