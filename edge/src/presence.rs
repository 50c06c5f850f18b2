//! Who is online: every socket beats, in batches, and what changes by that is told to all edges. Sessions whose
//! beats stop expire in the shared state and are swept by a worker.

use std::{collections::HashMap, sync::Arc, time::Duration};

use natter_nats::{async_nats, subject};
use natter_runtime::shared_state::{Heartbeat, SharedState};
use natter_schemas::rpc::PresenceChange;
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;
use tracing::warn;

/// Beats collected before they go out: one round trip for a thousand sockets that opened together.
const COLLECT: Duration = Duration::from_millis(50);
const BATCH: usize = 1_000;
/// Sockets beat once in 15 s: 16,384 waiting beats are an edge of 100,000 sockets, two seconds behind.
const WAITING: usize = 16_384;

/// Something the beating task does for a socket.
enum Deed {
    Heartbeat(Heartbeat),
    Leave(Heartbeat),
}

#[derive(Clone)]
pub struct Presence {
    deeds: mpsc::Sender<Deed>,
    ttl: Duration,
}

impl Presence {
    /// The handle, and the task that does what it is told.
    pub fn new(
        shared: Arc<dyn SharedState>,
        bus: async_nats::Client,
        ttl: Duration,
        stop: CancellationToken,
    ) -> (Self, impl Future<Output = ()> + Send) {
        let (deeds, told) = mpsc::channel(WAITING);
        (Self { deeds, ttl }, run(Beater { shared, bus, ttl }, told, stop))
    }

    /// How often a session beats: one beat may be lost.
    pub fn every(&self) -> Duration {
        self.ttl / 3
    }

    /// Keeps a session online for one TTL. When too many wait the beat is left out: the next one counts.
    pub fn heartbeat(&self, heartbeat: &Heartbeat) {
        if self.deeds.try_send(Deed::Heartbeat(heartbeat.clone())).is_err() {
            metrics::counter!("natter_presence_dropped_total").increment(1);
        }
    }

    /// A session has ended in order. A lost word costs one TTL.
    pub fn leave(&self, heartbeat: &Heartbeat) {
        if self.deeds.try_send(Deed::Leave(heartbeat.clone())).is_err() {
            metrics::counter!("natter_presence_dropped_total").increment(1);
        }
    }
}

struct Beater {
    shared: Arc<dyn SharedState>,
    bus: async_nats::Client,
    ttl: Duration,
}

async fn run(beater: Beater, mut told: mpsc::Receiver<Deed>, stop: CancellationToken) {
    let mut deeds = Vec::new();
    loop {
        // At drain sockets move to another node: they stay online, by their last beat, until they beat there.
        let more = stop.run_until_cancelled(told.recv_many(&mut deeds, BATCH)).await;
        if more.is_none_or(|count| count == 0) {
            return;
        }
        tokio::time::sleep(COLLECT).await;
        while deeds.len() < BATCH
            && let Ok(deed) = told.try_recv()
        {
            deeds.push(deed);
        }
        beater.act(&mut deeds).await;
    }
}

impl Beater {
    /// Beats first, so that somebody who moves from one socket to another never goes offline between them.
    async fn act(&self, deeds: &mut Vec<Deed>) {
        let mut heartbeats: HashMap<String, Heartbeat> = HashMap::new();
        let mut left = Vec::new();
        for deed in deeds.drain(..) {
            match deed {
                Deed::Heartbeat(heartbeat) => {
                    heartbeats.insert(heartbeat.session.clone(), heartbeat);
                }
                Deed::Leave(heartbeat) => {
                    heartbeats.remove(&heartbeat.session);
                    left.push(heartbeat);
                }
            }
        }
        let heartbeats: Vec<Heartbeat> = heartbeats.into_values().collect();
        match self.shared.heartbeat(&heartbeats, self.ttl).await {
            Ok(changes) => self.tell(changes).await,
            Err(down) => warn!(%down, heartbeats = heartbeats.len(), "heartbeats not counted"),
        }
        for heartbeat in left {
            match self.shared.leave(&heartbeat).await {
                Ok(change) => self.tell(change).await,
                Err(down) => warn!(%down, "a session that left stays online for one TTL"),
            }
        }
    }

    async fn tell(&self, changes: impl IntoIterator<Item = PresenceChange>) {
        for change in changes {
            let payload = postcard::to_allocvec(&change).unwrap_or_default();
            if let Err(error) = self.bus.publish(subject::presence(change.user), payload.into()).await {
                warn!(%error, user = %change.user, "a presence change was not told");
            }
        }
    }
}
