//! Follows CONTROL: what services tell every edge without being asked. Membership changes and ended sessions
//! are applied to the live sockets at once; an edge cut off from CONTROL lets its sockets go.

use std::{sync::Arc, time::Duration};

use anyhow::Context;
use futures_util::StreamExt;
use moka::future::Cache;
use natter_nats::{
    async_nats::jetstream::{
        self,
        consumer::{DeliverPolicy, pull::OrderedConfig},
    },
    subject::{self, ControlTo},
    topology,
};
use natter_schemas::{
    code::Code,
    frame::ServerFrame,
    id::{ConversationId, SessionId, UserId},
    limits,
    rpc::{Control, GetConversation, Membership, RpcError},
};
use parking_lot::Mutex;
use tokio::{sync::watch, time::Instant};
use tracing::{info, warn};

use crate::{
    app::Edge,
    inbound::hello,
    outbound::{catch_up, encode},
    sockets::Socket,
};

/// Guarantee 7: an edge that hears nothing for this long can no longer know who may listen.
const CUT_OFF: Duration = Duration::from_secs(30);
const CHECK: Duration = Duration::from_secs(5);
const RETRY: Duration = Duration::from_millis(500);
/// Between tries to announce a new conversation to a socket.
const ANNOUNCE: [Duration; 5] = [
    Duration::from_millis(100),
    Duration::from_millis(500),
    Duration::from_secs(2),
    Duration::from_secs(5),
    Duration::from_secs(10),
];
/// 16 B each; sessions end far less often than this per hour.
const ENDED: u64 = 1_000_000;

/// What this edge knows from CONTROL, and when it last heard.
pub struct Contact {
    ended: Cache<SessionId, ()>,
    heard: Mutex<Instant>,
    /// Seq of the newest CONTROL message applied.
    position: watch::Sender<u64>,
}

impl Default for Contact {
    fn default() -> Self {
        Self {
            // Access tokens of an ended session have expired when this forgets it.
            ended: Cache::builder().max_capacity(ENDED).time_to_live(limits::CONTROL_AGE).build(),
            heard: Mutex::new(Instant::now()),
            position: watch::Sender::new(0),
        }
    }
}

impl Contact {
    pub async fn has_ended(&self, session: SessionId) -> bool {
        self.ended.get(&session).await.is_some()
    }

    pub fn silent_for(&self) -> Duration {
        self.heard.lock().elapsed()
    }
}

/// Catches up with the last hour, then follows. Returns when caught up: no token of an ended session passes.
pub async fn follow(edge: &Arc<Edge>) -> anyhow::Result<()> {
    let js = jetstream::new(edge.live.clone());
    let head = head(&js).await.context("cannot read the CONTROL stream")?;
    let (task, stop) = (edge.clone(), edge.lifecycle.stop().clone());
    let follower = js.clone();
    edge.lifecycle.spawn("control", async move {
        stop.run_until_cancelled(Box::pin(listen(task, follower))).await;
    });
    let (task, stop) = (edge.clone(), edge.lifecycle.stop().clone());
    edge.lifecycle.spawn("control watch", async move {
        stop.run_until_cancelled(watch(task, js)).await;
    });
    let mut position = edge.control.position.subscribe();
    tokio::time::timeout(CUT_OFF, position.wait_for(|position| *position >= head))
        .await
        .context("the CONTROL stream does not deliver")??;
    Ok(())
}

async fn head(js: &jetstream::Context) -> anyhow::Result<u64> {
    let stream = js.get_stream(topology::CONTROL).await?;
    Ok(stream.cached_info().state.last_sequence)
}

async fn listen(edge: Arc<Edge>, js: jetstream::Context) {
    loop {
        if let Err(error) = session(&edge, &js).await {
            warn!(error = format!("{error:#}"), "CONTROL consumer ended, starting again");
        }
        tokio::time::sleep(RETRY).await;
    }
}

/// One ordered consumer, from where the last one ended.
async fn session(edge: &Arc<Edge>, js: &jetstream::Context) -> anyhow::Result<()> {
    let stream = js.get_stream(topology::CONTROL).await?;
    let start_sequence = *edge.control.position.borrow() + 1;
    let state = &stream.cached_info().state;
    if start_sequence > 1 && state.first_sequence > start_sequence {
        // Away for longer than the stream remembers.
        edge.members.forget();
    }
    let config = OrderedConfig {
        deliver_policy: DeliverPolicy::ByStartSequence { start_sequence },
        ..Default::default()
    };
    let mut messages = stream.create_consumer(config).await?.messages().await?;
    while let Some(message) = messages.next().await {
        let message = message?;
        let seq = message.info().map_err(|e| anyhow::anyhow!(e))?.stream_sequence;
        match (subject::parse_control(&message.subject), postcard::from_bytes(&message.payload)) {
            (Some(to), Ok(control)) => apply(edge, to, control).await,
            _ => warn!(seq, "a CONTROL message cannot be read: a newer node sent it"),
        }
        *edge.control.heard.lock() = Instant::now();
        edge.control.position.send_replace(seq);
    }
    Ok(())
}

async fn apply(edge: &Arc<Edge>, to: ControlTo, control: Control) {
    match (to, control) {
        (ControlTo::Session(session), Control::SessionEnded) => {
            edge.control.ended.insert(session, ()).await;
            for socket in edge.sockets.of_session(session) {
                socket.outbox.close(Code::SessionRevoked);
            }
        }
        (ControlTo::User(user), Control::Membership(membership)) => {
            if edge.members.change(user, membership).await {
                membership_changed(edge, user, membership);
            }
        }
        (ControlTo::User(user), Control::Blocked { conversation, blocked, at }) => {
            edge.members.block(user, conversation, blocked, at).await;
        }
        _ => warn!("a CONTROL message does not fit its subject"),
    }
}

/// Brings the user's live sockets in line with a membership.
pub fn membership_changed(edge: &Arc<Edge>, user: UserId, membership: Membership) {
    for socket in edge.sockets.of_user(user) {
        let there = socket.rooms.lock().contains(&membership.conversation);
        match membership.role {
            // A change of role is an event of the conversation's log; the rooms stay.
            Some(_) if there => {}
            Some(_) => {
                let edge = edge.clone();
                let tracker = edge.lifecycle.tracker().clone();
                tracker.spawn(async move { added(&edge, &socket, membership).await });
            }
            None => {
                edge.hub.leave(&socket, membership.conversation);
                let conversation_id = membership.conversation;
                socket.outbox.offer(&ServerFrame::ConversationRemoved { conversation_id });
            }
        }
    }
}

/// Tells a socket of its new conversation, then everything that was said in it since. Until it is known where
/// the room begins its events wait, so there is time to ask again.
async fn added(edge: &Arc<Edge>, socket: &Arc<Socket>, membership: Membership) {
    let conversation = membership.conversation;
    if !socket.outbox.hold(conversation) {
        return;
    }
    for wait in ANNOUNCE {
        match announce(edge, socket, conversation).await {
            Ok(()) => {
                let from = catch_up::From::Seq(membership.version);
                if let Err(refusal) = catch_up::one(edge, socket, conversation, from).await {
                    warn!(%conversation, code = %refusal.code, "a new conversation could not be caught up");
                }
                return;
            }
            // Added and removed again before it could be told.
            Err(refused) if refused.code == Code::NotFound => {
                edge.hub.leave(socket, conversation);
                return socket.outbox.give_up(conversation);
            }
            Err(refused) => warn!(%conversation, %refused, "a new conversation is not announced yet"),
        }
        tokio::time::sleep(wait).await;
    }
    // Another node, or this one later, will tell it at hello.
    socket.outbox.close(Code::Restarting);
}

async fn announce(
    edge: &Arc<Edge>,
    socket: &Arc<Socket>,
    conversation: ConversationId,
) -> Result<(), RpcError> {
    let unknown = edge.hub.join(socket, &[conversation]);
    hello::begin(edge, unknown).await?;
    let found = edge.rpc.call(&GetConversation { user: socket.user, conversation }).await?;
    let conversation = Box::new(encode::conversation(found));
    socket.outbox.offer(&ServerFrame::ConversationAdded { conversation });
    Ok(())
}

/// Proves that CONTROL still reaches this edge; when it has not for too long, lets the sockets go: another
/// node may know better who may listen.
async fn watch(edge: Arc<Edge>, js: jetstream::Context) {
    loop {
        tokio::time::sleep(CHECK).await;
        if head(&js).await.is_ok_and(|head| *edge.control.position.borrow() >= head) {
            *edge.control.heard.lock() = Instant::now();
            continue;
        }
        if edge.control.silent_for() > CUT_OFF {
            let sockets = edge.sockets.all();
            if !sockets.is_empty() {
                info!(sockets = sockets.len(), "cut off from CONTROL: closing sockets");
            }
            for socket in sockets {
                socket.outbox.close(Code::Restarting);
            }
        }
    }
}
