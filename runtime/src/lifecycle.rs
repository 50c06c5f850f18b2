//! Tasks have an owner and an end: everything long-lived is spawned here and awaited at drain.

use std::{future::Future, time::Duration};

use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio_util::{sync::CancellationToken, task::TaskTracker};
use tracing::{error, info, warn};

/// How long a drain waits for work under way.
pub const DRAIN: Duration = Duration::from_secs(10);

#[derive(Clone, Default)]
pub struct Lifecycle {
    tracker: TaskTracker,
    stop: CancellationToken,
}

impl Lifecycle {
    pub fn new() -> Self {
        Self::default()
    }

    /// Cancelled when the process begins to drain.
    pub fn stop(&self) -> &CancellationToken {
        &self.stop
    }

    pub fn tracker(&self) -> &TaskTracker {
        &self.tracker
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

    /// Asks every task to end and waits for them, `deadline` at most. Returns whether all ended.
    pub async fn drain(&self, deadline: Duration) -> bool {
        self.stop.cancel();
        self.tracker.close();
        let ended = tokio::time::timeout(deadline, self.tracker.wait()).await.is_ok();
        if ended {
            info!("drained");
        } else {
            warn!(tasks = self.tracker.len(), "tasks still running at the drain deadline were cut off");
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
