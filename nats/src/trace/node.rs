//! One node's part: it shows the others that it is there, and answers what it remembers of an event.

use std::{fmt, time::Duration};

use async_nats::{Client, SubscribeError, Subscriber};
use futures_util::StreamExt;
use natter_schemas::{
    event::Timestamp,
    id::{EventId, NodeId},
};
use serde::{Deserialize, Serialize};
use tokio::time::{Instant, MissedTickBehavior, interval};
use tokio_util::{sync::CancellationToken, task::TaskTracker};
use tracing::debug;

use super::{
    hop::Hop,
    peers::{Peer, Peers, Presence},
    ring::TraceRing,
};
use crate::{
    message::{self, Reader},
    subject,
};

/// How often a node shows that it is there.
const SHOWN_EVERY: Duration = Duration::from_secs(5);

/// What a node is called by people.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct NodeName {
    /// `edge`, `worker`, or `dev`.
    pub role: String,
    /// Of its machine.
    pub host: String,
    /// Of its process there.
    pub pid: u32,
}

impl fmt::Display for NodeName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { role, host, pid } = self;
        write!(f, "{role} {host}:{pid}")
    }
}

/// What is asked of every node.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct Question {
    /// Where the answers go: built from an id, so that no question can make a node publish elsewhere.
    pub asker: NodeId,
    pub event: EventId,
}

/// What a node remembers.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Answer {
    /// Whose.
    pub node: NodeId,
    /// What it is called.
    pub name: NodeName,
    /// Oldest first.
    pub hops: Vec<Hop>,
    /// When the oldest hop was that it remembers of any event, by its own clock; what was before is forgotten.
    pub since: Option<Timestamp>,
    /// The nodes it knows, itself included.
    pub peers: Vec<Peer>,
}

/// A node that answers.
pub struct TraceNode {
    client: Client,
    node: NodeId,
    name: NodeName,
    ring: TraceRing,
    peers: Peers,
}

impl TraceNode {
    /// Answers until `stop`; ends on `tracker`.
    ///
    /// # Errors
    /// The connection is closed.
    pub async fn start(
        client: Client,
        name: NodeName,
        ring: TraceRing,
        tracker: &TaskTracker,
        stop: CancellationToken,
    ) -> Result<(), SubscribeError> {
        let questions = client.subscribe(subject::TRACE_QUESTION).await?;
        let presences = client.subscribe(subject::TRACE_NODE).await?;
        let node = Self { client, node: NodeId::fresh(), name, ring, peers: Peers::default() };
        tracker.spawn(node.run(questions, presences, stop));
        Ok(())
    }

    async fn run(mut self, mut questions: Subscriber, mut presences: Subscriber, stop: CancellationToken) {
        let (of_questions, of_presences) = (Reader::new("question for a trace"), Reader::new("node"));
        let mut shown = interval(SHOWN_EVERY);
        shown.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            tokio::select! {
                () = stop.cancelled() => break,
                _ = shown.tick() => self.show(false).await,
                Some(message) = questions.next() => {
                    if let Ok(question) = of_questions.read::<Question>(&message) {
                        self.answer(&question).await;
                    }
                }
                Some(message) = presences.next() => {
                    if let Ok(presence) = of_presences.read::<Presence>(&message) {
                        self.peers.hear(presence, Instant::now());
                    }
                }
                else => return,
            }
        }
        self.show(true).await;
        let _ = self.client.flush().await;
    }

    /// The node receives its own, like the others do.
    async fn show(&self, ends: bool) {
        let presence = Presence { node: self.node, name: self.name.clone(), ends };
        self.publish(subject::TRACE_NODE.to_owned(), &presence).await;
    }

    async fn answer(&self, question: &Question) {
        let (hops, since) = self.ring.find(question.event);
        let (node, name, peers) = (self.node, self.name.clone(), self.peers.known(Instant::now()));
        let answer = Answer { node, name, hops, since, peers };
        self.publish(subject::trace_answer(question.asker), &answer).await;
    }

    async fn publish(&self, subject: String, content: &impl Serialize) {
        if let Err(error) = message::send(&self.client, subject, content).await {
            debug!(%error, "not published; whoever asks goes without this node");
        }
    }
}
