//! Who writes: a task for each core, each with a list of send queues that are not empty. Sockets are written to here
//! and not by their own tasks: a message to a thousand sockets wakes one task and not a thousand, and what is queued
//! while the list is worked on leaves with the rest.

use std::sync::{
    Arc,
    atomic::{AtomicUsize, Ordering},
};

use natter_runtime::lifecycle::Lifecycle;
use tokio::{sync::mpsc, task::yield_now};

use super::send_queue::SendQueue;

/// Sockets written to before other tasks may run: about 0.2 ms of system calls.
const PER_TURN: usize = 32;

/// The list of one flusher. A queue is on it once at most, so it is as long as there are sockets.
#[derive(Clone)]
pub struct Flusher(mpsc::UnboundedSender<Arc<SendQueue>>);

impl Flusher {
    /// Its task ends with the last sender: what was queued before a drain is still written.
    #[expect(
        clippy::disallowed_methods,
        reason = "a send queue is on it once: the number of sockets is its bound"
    )]
    fn start(lifecycle: &Lifecycle) -> Self {
        let (scheduled, list) = mpsc::unbounded_channel();
        lifecycle.spawn("flusher", run(list));
        Self(scheduled)
    }

    pub fn schedule(&self, queue: &Arc<SendQueue>) {
        // Its task ends only with the runtime.
        let _ = self.0.send(queue.clone());
    }
}

/// Sockets are dealt to the flushers in turn.
pub struct Flushers {
    all: Vec<Flusher>,
    next: AtomicUsize,
}

impl Flushers {
    pub fn start(lifecycle: &Lifecycle) -> Self {
        let cores = std::thread::available_parallelism().map_or(1, usize::from);
        Self { all: (0..cores).map(|_| Flusher::start(lifecycle)).collect(), next: AtomicUsize::new(0) }
    }

    pub fn pick(&self) -> Flusher {
        let next = self.next.fetch_add(1, Ordering::Relaxed);
        self.all[next % self.all.len()].clone()
    }
}

async fn run(mut list: mpsc::UnboundedReceiver<Arc<SendQueue>>) {
    while let Some(first) = list.recv().await {
        // Tasks that are about to queue something do so first: an ack and the event it is about leave together.
        yield_now().await;
        let (mut writes, mut written) = (first.flush(), 1);
        while let Ok(queue) = list.try_recv() {
            writes += queue.flush();
            written += 1;
            if written % PER_TURN == 0 {
                yield_now().await;
            }
        }
        metrics::counter!("natter_socket_writes_total").increment(writes);
    }
}
