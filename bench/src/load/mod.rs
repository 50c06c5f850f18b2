//! The generator: thousands of sockets, one thread. It sends what is due, whatever the server does, and shows
//! the oracle everything that comes back.

pub mod http; // requests and answers as bytes
pub mod frame; // WebSocket frames as bytes

mod timer; // wakes the loop at a moment
mod conn; // one connection that never waits
mod engine; // the loop and what it holds
mod receive; // bytes come in, the oracle is provenance
mod http_pool; // HTTP connections that requests take turns on
mod decode_cache; // the same bytes mean the same
mod open; // a socket's way in, and out
mod send; // what is due goes out
mod counters; // what a step came to

use std::{
    net::SocketAddr,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering::Relaxed},
        mpsc,
    },
    thread::JoinHandle,
    time::Duration,
};

use anyhow::Context as _;

use crate::{
    dialect::{ClientIdentity, Dialect},
    oracle::ReceivedEvent,
};

pub use counters::{RequestKind, Stats, real};
pub use engine::Engine;
pub use open::ConnectTimes;

/// An event of a room, as a socket was shown it.
#[derive(Debug, Clone, Copy)]
pub struct Event {
    pub room: u32,
    pub shown: ReceivedEvent,
}

/// One socket of the load.
#[derive(Debug, Clone)]
pub struct ClientSpec {
    pub who: ClientIdentity,
    /// Which of the places it connects to.
    pub place: usize,
    /// Indices into the world's rooms, each with its head; none: it visits, and what it is shown is not looked at.
    pub rooms: Vec<(u32, u64)>,
}

/// Everything a generator needs before it starts.
#[derive(Clone)]
pub struct GeneratorConfig {
    pub dialect: &'static dyn Dialect,
    pub sockets: Vec<SocketAddr>,
    pub http: SocketAddr,
    pub rooms: Vec<String>,
    pub clients: Vec<ClientSpec>,
    /// Join rooms for typing and presence, where messages need no join.
    pub join: bool,
    /// Sockets ask for receive buffers of some KiB.
    pub small_buffers: bool,
    /// The core it stays on.
    pub core: Option<usize>,
}

/// Who writes where.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Sender {
    pub socket: u32,
    pub room: u32,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Transport {
    Socket,
    Http,
}

/// What is sent, and when.
#[derive(Debug, Clone)]
pub struct Plan {
    /// Messages a second, all senders together.
    pub rate: f64,
    pub lasting: Duration,
    /// Of a message's content.
    pub bytes: usize,
    pub transport: Transport,
    /// Taken one after the other, again and again.
    pub senders: Arc<[Sender]>,
    /// Senders are seen typing a second before a message.
    pub typing: bool,
    /// The share of deliveries that a read mark follows.
    pub read_share: f64,
    /// Pages of history requested per second.
    pub pages: f64,
    /// Log-ins, a second.
    pub logins: f64,
    /// Connects and disconnects of visitors per second.
    pub visits: f64,
    /// Wait for everything that is under way.
    pub settle: bool,
}

impl Plan {
    pub fn new(rate: f64, lasting: Duration, bytes: usize, senders: Arc<[Sender]>) -> Self {
        let transport = Transport::Socket;
        let (typing, read_share, pages, logins, visits) = (false, 0.0, 0.0, 0.0, 0.0);
        Self {
            rate,
            lasting,
            bytes,
            transport,
            senders,
            typing,
            read_share,
            pages,
            logins,
            visits,
            settle: true,
        }
    }
}

/// For a progress bar to look at.
#[derive(Debug, Default)]
pub struct Progress {
    pub wanted: AtomicU64,
    pub done: AtomicU64,
}

impl Progress {
    pub fn tell(&self, done: u64, wanted: u64) {
        self.wanted.store(wanted, Relaxed);
        self.done.store(done, Relaxed);
    }
}

type Task = Box<dyn FnOnce(&mut Engine) + Send>;

/// The thread with the engine. Between tasks it answers pings.
pub struct Generator {
    tasks: Option<mpsc::SyncSender<Task>>,
    thread: Option<JoinHandle<()>>,
    pub progress: Arc<Progress>,
}

impl Generator {
    pub fn start(generator_config: GeneratorConfig) -> anyhow::Result<Self> {
        let (tasks, inbox) = mpsc::sync_channel::<Task>(1);
        let progress = Arc::new(Progress::default());
        let mut engine = Engine::new(generator_config, Arc::clone(&progress))?;
        let thread = std::thread::Builder::new().name("generator".to_owned()).spawn(move || {
            engine.stay_on_its_core();
            loop {
                match inbox.try_recv() {
                    Ok(task) => task(&mut engine),
                    Err(mpsc::TryRecvError::Empty) => engine.turn(engine::IDLE),
                    Err(mpsc::TryRecvError::Disconnected) => return,
                }
            }
        })?;
        Ok(Self { tasks: Some(tasks), thread: Some(thread), progress })
    }

    /// Runs a task on the engine's thread; the receiver gets what came of it.
    pub fn begin<T: Send + 'static>(
        &self,
        task: impl FnOnce(&mut Engine) -> T + Send + 'static,
    ) -> anyhow::Result<mpsc::Receiver<T>> {
        let (done, answer) = mpsc::sync_channel(1);
        let task: Task = Box::new(move |engine| {
            let _ = done.send(task(engine));
        });
        self.tasks.as_ref().and_then(|tasks| tasks.send(task).ok()).context("the generator has ended")?;
        Ok(answer)
    }
}

impl Drop for Generator {
    fn drop(&mut self) {
        self.tasks = None;
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

#[cfg(test)]
mod tests;
