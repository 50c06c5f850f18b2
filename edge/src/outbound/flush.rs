//! Who writes: a task for each core, each with a list of outboxes that have something to say. Sockets are written
//! to here and not by their own tasks: a message to a thousand sockets wakes one task and not a thousand, and what is
//! said while the list is worked on leaves with the rest.

use std::sync::{
    Arc,
    atomic::{AtomicUsize, Ordering},
};

use tokio::{sync::mpsc, task::yield_now};

use super::outbox::Outbox;

/// Sockets written to before others may run: about 0.2 ms of system calls.
const TURN: usize = 32;

/// The list of one flusher. An outbox is on it once at most, so it is as long as there are sockets.
#[derive(Clone)]
pub struct Flusher(mpsc::UnboundedSender<Arc<Outbox>>);

impl Flusher {
    /// It ends when nobody can put anything on its list any more.
    #[expect(
        clippy::disallowed_methods,
        reason = "an outbox is on it once: the number of sockets is its bound"
    )]
    fn start() -> Self {
        let (due, list) = mpsc::unbounded_channel();
        tokio::spawn(run(list));
        Self(due)
    }

    pub fn due(&self, outbox: &Arc<Outbox>) {
        // Its task ends only with the runtime.
        let _ = self.0.send(outbox.clone());
    }
}

/// Sockets take turns.
pub struct Flushers {
    all: Vec<Flusher>,
    next: AtomicUsize,
}

impl Flushers {
    pub fn start() -> Self {
        let cores = std::thread::available_parallelism().map_or(1, usize::from);
        Self { all: (0..cores).map(|_| Flusher::start()).collect(), next: AtomicUsize::new(0) }
    }

    pub fn pick(&self) -> Flusher {
        let next = self.next.fetch_add(1, Ordering::Relaxed);
        self.all[next % self.all.len()].clone()
    }
}

async fn run(mut list: mpsc::UnboundedReceiver<Arc<Outbox>>) {
    while let Some(first) = list.recv().await {
        // Whoever is about to say something does so first: an ack and the event it is about leave together.
        yield_now().await;
        let (mut writes, mut turn) = (first.flush(), 1);
        while let Ok(outbox) = list.try_recv() {
            writes += outbox.flush();
            turn += 1;
            if turn % TURN == 0 {
                yield_now().await;
            }
        }
        metrics::counter!("natter_socket_writes_total").increment(writes);
    }
}
