//! Whether a send was stored before the log's duplicate window. Every send with a name asks, as its client need not
//! know that it repeats one. Sends that wait for an answer at the same time share a call, so the more a node has
//! to send, the less a look-up costs; and while the history service does not answer, sends do not wait for it.

use std::{collections::VecDeque, sync::Arc, time::Duration};

use futures_util::future::join_all;
use natter_nats::service::RpcClient;
use natter_schemas::{
    code::Code,
    event::LogEntry,
    limits,
    rpc::{FindEvent, FindOlderEvents, RpcError},
};
use parking_lot::Mutex;
use tokio::{sync::oneshot, time::Instant};
use tokio_util::task::TaskTracker;
use tracing::{info, warn};

/// Calls on their way at once; what arrives meanwhile goes with the next one.
const CALLS: usize = 4;
/// How often the service is tried while it does not answer.
const PROBE_EVERY: Duration = Duration::from_secs(1);

type Found = Result<Option<LogEntry>, RpcError>;

/// Looks sends up in the history, many with one call.
#[derive(Clone)]
pub struct EarlierSends {
    rpc: RpcClient,
    /// Calls are made on it: they serve more senders than the one that began them.
    tracker: TaskTracker,
    state: Arc<Mutex<State>>,
}

#[derive(Default)]
struct State {
    /// Bounded by the sends under way: each waits for its answer.
    queue: VecDeque<Lookup>,
    calls: usize,
    /// The service did not answer; when it is tried again.
    probe_at: Option<Instant>,
}

struct Lookup {
    event: FindEvent,
    found: oneshot::Sender<Found>,
}

impl EarlierSends {
    pub fn new(rpc: RpcClient, tracker: TaskTracker) -> Self {
        Self { rpc, tracker, state: Arc::default() }
    }

    pub const fn rpc(&self) -> &RpcClient {
        &self.rpc
    }

    /// `unavailable` when the history does not answer; at once if it did not answer before either.
    pub async fn find(&self, event: FindEvent) -> Found {
        let (found, answer) = oneshot::channel();
        let away = {
            let mut state = self.state.lock();
            let away = state.probe_at.is_some();
            if state.probe_at.is_some_and(|at| at > Instant::now()) {
                return Err(Code::Unavailable.into());
            }
            state.probe_at = away.then(|| Instant::now() + PROBE_EVERY);
            state.queue.push_back(Lookup { event, found });
            if state.calls < CALLS {
                state.calls += 1;
                self.tracker.spawn(self.clone().call());
            }
            away
        };
        if away {
            // This one is the probe: whoever comes after its answer is looked up again.
            return Err(Code::Unavailable.into());
        }
        answer.await.unwrap_or_else(|_| Err(Code::Unavailable.into()))
    }

    /// Waits for an answer even if there was none before.
    pub async fn find_surely(&self, event: FindEvent) -> Found {
        let found = self.rpc.call(&FindOlderEvents { events: vec![event] }).await?;
        found.into_iter().next().ok_or_else(|| Code::Internal.into())
    }

    /// Looks up whatever is queued, until nothing is.
    async fn call(self) {
        loop {
            let lookups: Vec<Lookup> = {
                let mut state = self.state.lock();
                let most = state.queue.len().min(limits::LOOKUP_BATCH);
                if most == 0 {
                    state.calls -= 1;
                    return;
                }
                state.queue.drain(..most).collect()
            };
            let events = lookups.iter().map(|lookup| lookup.event).collect();
            let answer = self.rpc.call(&FindOlderEvents { events }).await;
            self.note(answer.as_ref().err());
            match answer {
                Ok(found) if found.len() == lookups.len() => {
                    for (lookup, found) in lookups.into_iter().zip(found) {
                        let _ = lookup.found.send(Ok(found));
                    }
                }
                // One of the senders may have been removed, or logged out, a moment ago: that concerns none of the others.
                Err(refused)
                    if matches!(refused.code, Code::NotFound | Code::Unauthenticated)
                        && lookups.len() > 1 =>
                {
                    join_all(lookups.into_iter().map(|lookup| self.answer_alone(lookup))).await;
                }
                answer => {
                    let error = answer.err().unwrap_or_else(|| Code::Internal.into());
                    for lookup in lookups {
                        let _ = lookup.found.send(Err(error.clone()));
                    }
                }
            }
        }
    }

    async fn answer_alone(&self, lookup: Lookup) {
        let found = self.find_surely(lookup.event).await;
        let _ = lookup.found.send(found);
    }

    fn note(&self, error: Option<&RpcError>) {
        let away = error.is_some_and(|error| error.code == Code::Unavailable);
        let before = {
            let mut state = self.state.lock();
            let before = state.probe_at.is_some();
            if away {
                state.probe_at = Some(Instant::now() + PROBE_EVERY);
            } else {
                state.probe_at = None;
            }
            before
        };
        match (before, away) {
            (false, true) => warn!(
                "history does not answer: sends continue, and those repeated after the log's duplicate window \
                 are not recognized until it does"
            ),
            (true, false) => info!("history answers: sends are looked up again"),
            _ => {}
        }
    }
}
