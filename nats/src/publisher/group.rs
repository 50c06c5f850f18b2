//! Who goes now and who waits, per partition: up to [`ALONE`] events are on their way one by one; the next ones
//! wait, and when one of those is done all who wait go together, if they are enough to pay for a batch. While a
//! batch is on its way everybody waits for it, so the deeper the queue, the larger the next one.

use std::{
    collections::{HashMap, VecDeque},
    sync::Arc,
};

use async_nats::Client;
use bytes::Bytes;
use natter_schemas::id::{Partition, Seq};
use parking_lot::Mutex;
use tokio::sync::oneshot;

use super::batch;
use crate::subject;

/// Events of one partition published one by one at the same time: below this nobody waits.
const ALONE: usize = 8;
/// A batch costs about as much as this many single publishes that fsync.
const TOGETHER: usize = 8;
/// Events in one batch; the server takes 1,000.
const MOST: usize = 256;
/// Bytes in one batch: what is behind it waits for all of them to be written.
const MOST_BYTES: usize = 1024 * 1024;

/// What becomes of an event that wants to be published.
pub enum Turn {
    /// It went with others and is stored.
    Stored(Seq),
    /// It goes alone, as long as it holds its place, if it needs one.
    Go(Option<Place>),
}

/// An event that waits.
pub struct Waiting {
    pub subject: String,
    pub id: String,
    pub payload: Bytes,
    pub turn: oneshot::Sender<Turn>,
}

#[derive(Clone)]
pub struct Groups {
    client: Client,
    partitions: Arc<Mutex<HashMap<Option<Partition>, Arc<Group>>>>,
}

impl Groups {
    pub fn new(client: Client) -> Self {
        Self { client, partitions: Arc::default() }
    }

    /// Waits until the event may go, or has gone. Events of no conversation never wait.
    pub async fn enter(&self, subject: &str, id: &str, payload: &Bytes) -> Turn {
        let partition = subject::parse_conversation(subject).map(|(partition, _)| partition);
        let group = self.group(partition.filter(|_| subject.starts_with(subject::CONV)));
        let waiting = {
            let mut state = group.state.lock();
            if (state.under_way < ALONE && !state.batching) || group.partition.is_none() {
                state.under_way += 1;
                None
            } else {
                let (turn, told) = oneshot::channel();
                let (subject, id, payload) = (subject.to_owned(), id.to_owned(), payload.clone());
                state.waiting.push_back(Waiting { subject, id, payload, turn });
                Some(told)
            }
        };
        match waiting {
            None => Turn::Go(Some(Place { group, batch: false, attempts: 0 })),
            // Every waiting event is told its turn by whoever holds a place before it.
            Some(told) => match told.await {
                Ok(turn) => turn,
                Err(_) => Turn::Go(Some(group.place(1))),
            },
        }
    }

    fn group(&self, partition: Option<Partition>) -> Arc<Group> {
        let mut partitions = self.partitions.lock();
        let client = &self.client;
        partitions.entry(partition).or_insert_with(|| Arc::new(Group::new(partition, client.clone()))).clone()
    }
}

pub struct Group {
    client: Client,
    partition: Option<Partition>,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    /// Events on their way alone.
    under_way: usize,
    /// A batch is on its way.
    batching: bool,
    waiting: VecDeque<Waiting>,
}

/// The right to be on the way; the next ones go when it is dropped, whatever happened.
pub struct Place {
    group: Arc<Group>,
    batch: bool,
    /// Attempts before: a batch whose answer was lost may have stored the event.
    attempts: u32,
}

impl Place {
    pub const fn attempts(&self) -> u32 {
        self.attempts
    }

    /// For an event that was to go with others and now goes alone.
    pub fn beside(&self) -> Self {
        self.group.place(1)
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        self.group.clone().next(self.batch);
    }
}

impl Group {
    fn new(partition: Option<Partition>, client: Client) -> Self {
        Self { client, partition, state: Mutex::default() }
    }

    /// A place beside the bound: for an event that must go now.
    fn place(self: &Arc<Self>, attempts: u32) -> Place {
        self.state.lock().under_way += 1;
        Place { group: self.clone(), batch: false, attempts }
    }

    /// A place is free: who waits takes it, alone or together.
    fn next(self: Arc<Self>, batch: bool) {
        let mut state = self.state.lock();
        if batch {
            state.batching = false;
        } else {
            state.under_way -= 1;
        }
        if state.batching {
            return;
        }
        if state.waiting.len() >= TOGETHER {
            state.batching = true;
            let together = state.together();
            drop(state);
            let client = self.client.clone();
            tokio::spawn(batch::commit(client, together, Place { group: self, batch: true, attempts: 0 }));
            return;
        }
        let free = ALONE.saturating_sub(state.under_way).min(state.waiting.len());
        state.under_way += free;
        let alone: Vec<Waiting> = state.waiting.drain(..free).collect();
        drop(state);
        for event in alone {
            // If nobody waits for it any more, the place goes back at once, and on to the next one.
            let place = Place { group: self.clone(), batch: false, attempts: 0 };
            drop(event.turn.send(Turn::Go(Some(place))));
        }
    }
}

impl State {
    fn together(&mut self) -> Vec<Waiting> {
        let mut bytes = 0;
        let fits = self.waiting.iter().take(MOST).take_while(|event| {
            bytes += event.payload.len();
            bytes <= MOST_BYTES
        });
        // The first always goes, whatever its size.
        let count = fits.count().max(1);
        self.waiting.drain(..count).collect()
    }
}
