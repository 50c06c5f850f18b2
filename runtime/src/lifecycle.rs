//! Tasks have an owner and an end: everything long-lived is spawned here and awaited at drain.

use std::{future::Future, time::Duration};

use tokio::{
    signal::unix::{Signal, SignalKind, signal},
    time::{Instant, timeout, timeout_at},
};
use tokio_util::{sync::CancellationToken, task::TaskTracker};
use tracing::{error, info, warn};

/// How long a drain waits for work under way, besides the time its clients are given to leave (`DRAIN_TIME`).
pub const DRAIN: Duration = Duration::from_secs(10);

#[derive(Clone, Default)]
pub struct Lifecycle {
    tracker: TaskTracker,
    clients: TaskTracker,
    draining: CancellationToken,
    stop: CancellationToken,
}

impl Lifecycle {
    pub fn new() -> Self {
        Self::default()
    }

    /// Cancelled when the process begins to drain: it takes no new clients, and those it has leave. Everything they need
    /// still runs.
    pub fn draining(&self) -> &CancellationToken {
        &self.draining
    }

    /// Cancelled when the clients have left, and every task is to end.
    pub fn stop(&self) -> &CancellationToken {
        &self.stop
    }

    pub fn tracker(&self) -> &TaskTracker {
        &self.tracker
    }

    /// Of tasks that serve a client and end by themselves soon after `draining`; a drain waits for them first.
    pub fn clients(&self) -> &TaskTracker {
        &self.clients
    }

    /// A task of the process: it ends by itself soon after `stop`. One that ends before is an error worth a
    /// line, for nothing else would notice.
    pub fn spawn(&self, name: &'static str, task: impl Future<Output = ()> + Send + 'static) {
        let stop = self.stop.clone();
        self.tracker.spawn(async move {
            task.await;
            if !stop.is_cancelled() {
                error!(task = name, "task ended before the process was asked to stop");
            }
        });
    }

    /// Lets clients leave, who begin to within `leave`, then asks every task to end, and waits for them: [`DRAIN`]
    /// longer than `leave` at most. Returns whether all ended.
    pub async fn drain(&self, leave: Duration) -> bool {
        let deadline = Instant::now() + leave + DRAIN;
        self.draining.cancel();
        self.clients.close();
        self.tracker.close();
        if timeout(leave + DRAIN / 2, self.clients.wait()).await.is_err() {
            warn!(clients = self.clients.len(), "clients have not left in time; they are disconnected");
        }
        self.stop.cancel();
        let all = async {
            self.clients.wait().await;
            self.tracker.wait().await;
        };
        let ended = timeout_at(deadline, all).await.is_ok();
        if ended {
            info!("drained");
        } else {
            let tasks = self.clients.len() + self.tracker.len();
            warn!(tasks, "tasks still running at the drain deadline were cut off");
        }
        ended
    }
}

/// SIGINT and SIGTERM. Whoever listens is the one to end the process: the system does not do it any more.
pub struct StopSignals {
    terminate: Signal,
    interrupt: Signal,
}

impl StopSignals {
    pub fn listen() -> std::io::Result<Self> {
        Ok(Self { terminate: signal(SignalKind::terminate())?, interrupt: signal(SignalKind::interrupt())? })
    }

    /// The next one, at once if it came since the last.
    pub async fn received(&mut self) {
        tokio::select! {
            _ = self.terminate.recv() => {}
            _ = self.interrupt.recv() => {}
        }
    }
}
