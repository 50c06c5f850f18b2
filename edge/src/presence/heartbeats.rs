//! Every socket keeps its user online by heartbeats, written in batches; the changes they cause are published to all
//! edges. Sessions whose heartbeats stop expire in the shared state and are swept by a worker.

use std::{
    collections::{HashMap, VecDeque},
    sync::Arc,
    time::Duration,
};

use natter_nats::{async_nats, message, subject};
use natter_runtime::{
    lifecycle::Lifecycle,
    shared_state::{Heartbeat, SharedState, Unavailable},
};
use natter_schemas::{limits, rpc::PresenceChange};
use tokio::{
    sync::{mpsc, oneshot},
    time::{Instant, sleep_until},
};
use tokio_util::sync::CancellationToken;
use tracing::warn;

/// How long heartbeats are collected: one round trip for a thousand sockets that opened together.
const COLLECT: Duration = Duration::from_millis(50);
const BATCH: usize = 1_000;

/// From the end of a socket to that of its session: a page that reloads is back by then, on whichever edge, so that no
/// viewer sees its user go.
const LEAVE_GRACE: Duration = Duration::from_secs(2);

enum PresenceCommand {
    /// With whom to answer once it is written.
    Heartbeat(Heartbeat, Option<oneshot::Sender<Result<(), Unavailable>>>),
    Leave(Heartbeat),
}

#[derive(Clone)]
pub struct Heartbeats {
    commands: mpsc::Sender<PresenceCommand>,
    ttl: Duration,
    draining: CancellationToken,
}

impl Heartbeats {
    /// The handle, and the task that writes what is handed to it.
    pub fn new(
        shared: Arc<dyn SharedState>,
        bus: async_nats::Client,
        ttl: Duration,
        lifecycle: &Lifecycle,
    ) -> (Self, impl Future<Output = ()> + Send + use<>) {
        let (commands, receiver) = mpsc::channel(limits::HEARTBEATS_WAITING);
        let writing = run(Writer { shared, bus, ttl }, receiver, lifecycle.stop().clone());
        (Self { commands, ttl, draining: lifecycle.draining().clone() }, writing)
    }

    /// How often a session sends one: one of them may be lost.
    pub fn interval(&self) -> Duration {
        self.ttl / 3
    }

    /// Keeps a session online for one TTL. When too many wait it is dropped and counted: the next one makes up for it.
    pub fn send(&self, heartbeat: &Heartbeat) {
        self.queue(PresenceCommand::Heartbeat(heartbeat.clone(), None));
    }

    /// The same, and returns when it is written: whoever reads presence from here on, reads it.
    pub async fn write(&self, heartbeat: Heartbeat) -> Result<(), Unavailable> {
        let (written, answer) = oneshot::channel();
        self.queue(PresenceCommand::Heartbeat(heartbeat, Some(written)));
        // Dropped when too many wait, or when this edge drains.
        answer.await.unwrap_or(Err(Unavailable))
    }

    /// Ends a session, [`LEAVE_GRACE`] from now. If this is dropped, the session stays online for one TTL. So do those that
    /// end while this node drains: their clients go to another node, and their last heartbeat keeps them online until then.
    pub fn leave(&self, heartbeat: &Heartbeat) {
        if self.draining.is_cancelled() {
            return;
        }
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

/// What is to be written next.
#[derive(Default)]
struct Pending {
    heartbeats: HashMap<String, Heartbeat>,
    /// Who waits for them.
    waiting: Vec<oneshot::Sender<Result<(), Unavailable>>>,
    /// Sessions that have ended, by the end of their grace.
    leaving: VecDeque<(Instant, Heartbeat)>,
}

impl Pending {
    fn add(&mut self, commands: &mut Vec<PresenceCommand>, now: Instant) {
        for command in commands.drain(..) {
            match command {
                PresenceCommand::Heartbeat(heartbeat, waiting) => {
                    self.heartbeats.insert(heartbeat.session.clone(), heartbeat);
                    self.waiting.extend(waiting);
                }
                PresenceCommand::Leave(heartbeat) => self.leaving.push_back((now + LEAVE_GRACE, heartbeat)),
            }
        }
    }

    /// The sessions whose grace is over. When more wait than may, the oldest have none left.
    fn left(&mut self, now: Instant) -> Vec<Heartbeat> {
        let due = self.leaving.partition_point(|(at, _)| *at <= now);
        let due = due.max(self.leaving.len().saturating_sub(limits::HEARTBEATS_WAITING));
        self.leaving.drain(..due).map(|(_, heartbeat)| heartbeat).collect()
    }
}

async fn run(writer: Writer, mut receiver: mpsc::Receiver<PresenceCommand>, stop: CancellationToken) {
    let (mut commands, mut pending) = (Vec::new(), Pending::default());
    loop {
        let next_leave = pending.leaving.front().map(|(at, _)| *at);
        tokio::select! {
            () = stop.cancelled() => return,
            () = sleep_until(next_leave.unwrap_or_else(Instant::now)), if next_leave.is_some() => {}
            count = receiver.recv_many(&mut commands, BATCH) => {
                if count == 0 {
                    return;
                }
                tokio::time::sleep(COLLECT).await;
                while commands.len() < BATCH
                    && let Ok(command) = receiver.try_recv()
                {
                    commands.push(command);
                }
            }
        }
        pending.add(&mut commands, Instant::now());
        writer.write(&mut pending).await;
    }
}

impl Writer {
    /// Heartbeats before leaves: a user who moves from one socket to another never goes offline in between.
    async fn write(&self, pending: &mut Pending) {
        let heartbeats: Vec<Heartbeat> = pending.heartbeats.drain().map(|(_, heartbeat)| heartbeat).collect();
        let written = self.write_heartbeats(&heartbeats).await;
        for waiting in pending.waiting.drain(..) {
            // Its caller may have left.
            let _ = waiting.send(written);
        }
        for heartbeat in pending.left(Instant::now()) {
            match self.shared.leave(&heartbeat).await {
                Ok(change) => self.publish(change).await,
                Err(error) => {
                    warn!(%error, user = %heartbeat.user, "end of a session not written; it stays online for one TTL");
                }
            }
        }
    }

    async fn write_heartbeats(&self, heartbeats: &[Heartbeat]) -> Result<(), Unavailable> {
        if heartbeats.is_empty() {
            return Ok(());
        }
        let changes = self.shared.heartbeat(heartbeats, self.ttl).await.inspect_err(|error| {
            let sessions = heartbeats.len();
            warn!(%error, sessions, "heartbeats not written; these sessions go offline if the next ones fail too");
        })?;
        self.publish(changes).await;
        Ok(())
    }

    async fn publish(&self, changes: impl IntoIterator<Item = PresenceChange>) {
        for change in changes {
            if let Err(error) = message::send(&self.bus, subject::presence(change.user), &change).await {
                warn!(
                    %error, user = %change.user, online = change.online,
                    "presence change not published; edges find it when they next ask"
                );
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use natter_schemas::id::UserId;

    use super::*;

    fn heartbeat() -> Heartbeat {
        let user = UserId::fresh();
        Heartbeat { user, session: user.to_string() }
    }

    #[test]
    fn a_session_ends_after_its_grace_in_the_order_in_which_it_left() {
        let (mut pending, now) = (Pending::default(), Instant::now());
        let (first, second) = (heartbeat(), heartbeat());
        pending.add(&mut vec![PresenceCommand::Leave(first.clone())], now);
        pending.add(&mut vec![PresenceCommand::Leave(second.clone())], now + LEAVE_GRACE / 2);
        assert!(pending.left(now + LEAVE_GRACE / 2).is_empty());
        assert_eq!(pending.left(now + LEAVE_GRACE), [first]);
        assert_eq!(pending.left(now + LEAVE_GRACE * 2), [second]);
        assert!(pending.left(now + LEAVE_GRACE * 3).is_empty());
    }

    #[test]
    fn sessions_beyond_those_that_may_wait_have_no_grace() {
        let (mut pending, now) = (Pending::default(), Instant::now());
        let first = heartbeat();
        let mut commands = vec![PresenceCommand::Leave(first.clone())];
        commands.extend((0..limits::HEARTBEATS_WAITING).map(|_| PresenceCommand::Leave(heartbeat())));
        pending.add(&mut commands, now);
        assert_eq!(pending.left(now), [first]);
    }
}
