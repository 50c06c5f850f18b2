//! Every socket keeps its user online by heartbeats, written in batches; the changes they cause are published to all
//! edges. Sessions whose heartbeats stop expire in the shared state and are swept by a worker.

use std::{collections::HashMap, sync::Arc, time::Duration};

use natter_nats::{async_nats, subject};
use natter_runtime::shared_state::{Heartbeat, SharedState};
use natter_schemas::{limits, rpc::PresenceChange};
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;
use tracing::warn;

/// How long heartbeats are collected: one round trip for a thousand sockets that opened together.
const COLLECT: Duration = Duration::from_millis(50);
const BATCH: usize = 1_000;

enum PresenceCommand {
    Heartbeat(Heartbeat),
    Leave(Heartbeat),
}

#[derive(Clone)]
pub struct Heartbeats {
    commands: mpsc::Sender<PresenceCommand>,
    ttl: Duration,
}

impl Heartbeats {
    /// The handle, and the task that writes what is handed to it.
    pub fn new(
        shared: Arc<dyn SharedState>,
        bus: async_nats::Client,
        ttl: Duration,
        stop: CancellationToken,
    ) -> (Self, impl Future<Output = ()> + Send) {
        let (commands, receiver) = mpsc::channel(limits::HEARTBEATS_WAITING);
        (Self { commands, ttl }, run(Writer { shared, bus, ttl }, receiver, stop))
    }

    /// How often a session sends one: one of them may be lost.
    pub fn interval(&self) -> Duration {
        self.ttl / 3
    }

    /// Keeps a session online for one TTL. When too many wait it is dropped and counted: the next one makes up for it.
    pub fn send(&self, heartbeat: &Heartbeat) {
        self.queue(PresenceCommand::Heartbeat(heartbeat.clone()));
    }

    /// Ends a session. If this is dropped, the session stays online for one TTL.
    pub fn leave(&self, heartbeat: &Heartbeat) {
        self.queue(PresenceCommand::Leave(heartbeat.clone()));
    }

    fn queue(&self, command: PresenceCommand) {
        if self.commands.try_send(command).is_err() {
            metrics::counter!("natter_presence_dropped_total").increment(1);
        }
    }
}

struct Writer {
    shared: Arc<dyn SharedState>,
    bus: async_nats::Client,
    ttl: Duration,
}

async fn run(writer: Writer, mut receiver: mpsc::Receiver<PresenceCommand>, stop: CancellationToken) {
    let mut commands = Vec::new();
    loop {
        // At drain sockets move to another node: their last heartbeat keeps them online until they arrive there.
        let received = stop.run_until_cancelled(receiver.recv_many(&mut commands, BATCH)).await;
        if received.is_none_or(|count| count == 0) {
            return;
        }
        tokio::time::sleep(COLLECT).await;
        while commands.len() < BATCH
            && let Ok(command) = receiver.try_recv()
        {
            commands.push(command);
        }
        writer.write(&mut commands).await;
    }
}

impl Writer {
    /// Heartbeats before leaves: a user who moves from one socket to another never goes offline in between.
    async fn write(&self, commands: &mut Vec<PresenceCommand>) {
        let mut heartbeats: HashMap<String, Heartbeat> = HashMap::new();
        let mut left = Vec::new();
        for command in commands.drain(..) {
            match command {
                PresenceCommand::Heartbeat(heartbeat) => {
                    heartbeats.insert(heartbeat.session.clone(), heartbeat);
                }
                PresenceCommand::Leave(heartbeat) => {
                    heartbeats.remove(&heartbeat.session);
                    left.push(heartbeat);
                }
            }
        }
        let heartbeats: Vec<Heartbeat> = heartbeats.into_values().collect();
        match self.shared.heartbeat(&heartbeats, self.ttl).await {
            Ok(changes) => self.publish(changes).await,
            Err(error) => {
                let sessions = heartbeats.len();
                warn!(%error, sessions, "heartbeats not written; these sessions go offline if the next ones fail too");
            }
        }
        for heartbeat in left {
            match self.shared.leave(&heartbeat).await {
                Ok(change) => self.publish(change).await,
                Err(error) => {
                    warn!(%error, user = %heartbeat.user, "end of a session not written; it stays online for one TTL");
                }
            }
        }
    }

    async fn publish(&self, changes: impl IntoIterator<Item = PresenceChange>) {
        for change in changes {
            let payload = postcard::to_allocvec(&change).expect("ids and numbers always encode");
            if let Err(error) = self.bus.publish(subject::presence(change.user), payload.into()).await {
                warn!(
                    %error, user = %change.user, online = change.online,
                    "presence change not published; edges find it when they next ask"
                );
            }
        }
    }
}
