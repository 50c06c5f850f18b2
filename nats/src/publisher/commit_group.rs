//! Which event is published now and which is queued, per partition: up to [`MAX_SINGLES`] events are published one by
//! one; the next ones are queued, and when one of those is done all that are queued go together, if they are enough to
//! pay for a batch. While a batch is on its way every new event queues behind it, so the deeper the queue, the larger
//! the next batch.

use std::{
    collections::{HashMap, VecDeque},
    sync::{Arc, Weak},
};

use async_nats::Client;
use bytes::Bytes;
use natter_schemas::{
    id::{Partition, Seq},
    trace_context::TraceContext,
};
use parking_lot::Mutex;
use tokio::{sync::oneshot, task::JoinSet};

use super::{batch, health::LogHealth};
use crate::{header, subject};

/// Events of one partition published one by one at the same time: below this none is queued.
const MAX_SINGLES: usize = 8;
/// A batch costs about as much as this many single publishes that fsync.
const MIN_BATCH: usize = 8;
/// Events in one batch; the server takes 1,000.
const MAX_BATCH: usize = 256;
/// Bytes in one batch: what is queued behind it waits for all of them to be written.
const MAX_BATCH_BYTES: usize = 1024 * 1024;

/// How an event gets published.
pub enum Admission {
    /// It was stored as part of a batch.
    Stored(Seq),
    /// It is to be published by itself, by whoever holds its permit, if it needs one.
    Single(Option<Permit>),
}

/// An event that is queued until a permit is free.
pub struct QueuedEvent {
    pub subject: String,
    pub id: String,
    pub payload: Bytes,
    /// The span that it comes from.
    pub origin: Option<TraceContext>,
    pub admission: oneshot::Sender<Admission>,
}

#[derive(Clone)]
pub struct CommitGroups {
    client: Client,
    health: LogHealth,
    partitions: Arc<Mutex<HashMap<Option<Partition>, Arc<CommitGroup>>>>,
    commits: Commits,
}

/// Batches on their way: one per partition at most. They end with the last publisher.
type Commits = Arc<Mutex<JoinSet<()>>>;

impl CommitGroups {
    pub fn new(client: Client, health: LogHealth) -> Self {
        Self { client, health, partitions: Arc::default(), commits: Arc::default() }
    }

    /// Waits until the event may be published, or was. Events of no conversation are never queued.
    pub async fn admit(&self, subject: &str, id: &str, payload: &Bytes) -> Admission {
        let partition = subject::parse_conversation(subject).map(|(partition, _)| partition);
        let group = self.group(partition.filter(|_| subject.starts_with(subject::CONV)));
        let waiting = {
            let mut state = group.state.lock();
            if (state.in_flight < MAX_SINGLES && !state.batch_in_flight) || group.partition.is_none() {
                state.in_flight += 1;
                None
            } else {
                let (admission, admitted) = oneshot::channel();
                let (subject, id, payload) = (subject.to_owned(), id.to_owned(), payload.clone());
                let origin = header::kept_trace_context();
                state.queue.push_back(QueuedEvent { subject, id, payload, origin, admission });
                Some(admitted)
            }
        };
        match waiting {
            None => Admission::Single(Some(Permit { group, batch: false, attempts: 0 })),
            // Whoever holds a permit before it admits a queued event when the permit is dropped.
            Some(admitted) => match admitted.await {
                Ok(admission) => admission,
                Err(_) => Admission::Single(Some(group.permit(1))),
            },
        }
    }

    fn group(&self, partition: Option<Partition>) -> Arc<CommitGroup> {
        let mut partitions = self.partitions.lock();
        let new = || {
            let (client, health) = (self.client.clone(), self.health.clone());
            let commits = Arc::downgrade(&self.commits);
            Arc::new(CommitGroup { client, health, commits, partition, state: Mutex::default() })
        };
        partitions.entry(partition).or_insert_with(new).clone()
    }
}

pub struct CommitGroup {
    client: Client,
    health: LogHealth,
    commits: Weak<Mutex<JoinSet<()>>>,
    partition: Option<Partition>,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    /// Events that are published one by one at the moment.
    in_flight: usize,
    /// A batch is on its way.
    batch_in_flight: bool,
    queue: VecDeque<QueuedEvent>,
}

/// The right to publish; dropping it, whatever happened, admits the next events.
pub struct Permit {
    group: Arc<CommitGroup>,
    batch: bool,
    /// Attempts before: a batch whose answer was lost may have stored the event.
    attempts: u32,
}

impl Permit {
    pub const fn attempts(&self) -> u32 {
        self.attempts
    }

    /// For an event of a refused batch, which is published by itself now.
    pub fn for_single(&self) -> Self {
        self.group.permit(1)
    }
}

impl Drop for Permit {
    fn drop(&mut self) {
        self.group.clone().release(self.batch);
    }
}

impl CommitGroup {
    /// A permit beyond the bound: for an event that cannot be queued again.
    fn permit(self: &Arc<Self>, attempts: u32) -> Permit {
        self.state.lock().in_flight += 1;
        Permit { group: self.clone(), batch: false, attempts }
    }

    /// A permit is free: queued events take it, one by one or as a batch.
    fn release(self: Arc<Self>, batch: bool) {
        let mut state = self.state.lock();
        if batch {
            state.batch_in_flight = false;
        } else {
            state.in_flight -= 1;
        }
        if state.batch_in_flight {
            return;
        }
        if state.queue.len() >= MIN_BATCH {
            // Without a publisher no one waits for what is queued.
            let Some(commits) = self.commits.upgrade() else { return };
            state.batch_in_flight = true;
            let events = state.take_batch();
            drop(state);
            let log = (self.client.clone(), self.health.clone());
            // Ends within one attempt; its permit admits the next events even if it panics.
            let permit = Permit { group: self, batch: true, attempts: 0 };
            let mut commits = commits.lock();
            while commits.try_join_next().is_some() {}
            commits.spawn(batch::commit(log, events, permit));
            return;
        }
        let free = MAX_SINGLES.saturating_sub(state.in_flight).min(state.queue.len());
        state.in_flight += free;
        let singles: Vec<QueuedEvent> = state.queue.drain(..free).collect();
        drop(state);
        for event in singles {
            // If its caller has gone, the permit is dropped at once, which admits the next event.
            let permit = Permit { group: self.clone(), batch: false, attempts: 0 };
            drop(event.admission.send(Admission::Single(Some(permit))));
        }
    }
}

impl State {
    fn take_batch(&mut self) -> Vec<QueuedEvent> {
        let mut bytes = 0;
        let fits = self.queue.iter().take(MAX_BATCH).take_while(|event| {
            bytes += event.payload.len();
            bytes <= MAX_BATCH_BYTES
        });
        // The first always fits, whatever its size.
        let count = fits.count().max(1);
        self.queue.drain(..count).collect()
    }
}
