//! What is told and never stored: typing, at once; presence, coalesced, and only to those who joined a
//! conversation with the person.

use std::{collections::HashMap, sync::Arc, time::Duration};

use futures_util::StreamExt;
use nats::{
    async_nats::{SubscribeError, Subscriber},
    subject,
};
use schemas::{
    frame::{ServerFrame, Status},
    id::{ConversationId, Partition, UserId},
    rpc::{PresenceChange, Typing},
};
use tokio::time::{MissedTickBehavior, interval};
use tokio_tungstenite::tungstenite::Utf8Bytes;

use super::hub::Hub;
use crate::app::Edge;

/// A page that reloads goes offline and online within this: viewers see neither.
const COALESCE: Duration = Duration::from_millis(500);
const EXPIRE: Duration = Duration::from_millis(500);

pub async fn follow(edge: &Arc<Edge>) -> Result<(), SubscribeError> {
    for partition in Partition::all(edge.deployment.partitions) {
        let signals = edge.live.subscribe(subject::signals(partition)).await?;
        run(edge, "typing", listen_typing(edge.hub.clone(), signals));
    }
    let presences = edge.live.subscribe(subject::PRESENCES).await?;
    run(edge, "presence", listen_presence(edge.clone(), presences));
    run(edge, "typing expiry", expire_typing(edge.hub.clone()));
    Ok(())
}

fn run(edge: &Arc<Edge>, name: &'static str, task: impl Future<Output = ()> + Send + 'static) {
    let stop = edge.lifecycle.stop().clone();
    edge.lifecycle.spawn(name, async move {
        stop.run_until_cancelled(task).await;
    });
}

async fn listen_typing(hub: Arc<Hub>, mut signals: Subscriber) {
    while let Some(message) = signals.next().await {
        let place = subject::parse_conversation(&message.subject);
        let (Some((_, conversation)), Ok(typing)) = (place, postcard::from_bytes::<Typing>(&message.payload))
        else {
            continue;
        };
        hub.typing(conversation, typing.user, typing.on);
    }
}

async fn expire_typing(hub: Arc<Hub>) {
    let mut ticks = interval(EXPIRE);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        ticks.tick().await;
        hub.expire_typing();
    }
}

/// Keeps the newest change of each person and passes them on with every tick.
async fn listen_presence(edge: Arc<Edge>, mut presences: Subscriber) {
    let mut changes: HashMap<UserId, PresenceChange> = HashMap::new();
    let mut ticks = interval(COALESCE);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        tokio::select! {
            message = presences.next() => {
                let Some(message) = message else { return };
                let Ok(change) = postcard::from_bytes::<PresenceChange>(&message.payload) else { continue };
                let newest = changes.entry(change.user).or_insert(change);
                if change.version > newest.version {
                    *newest = change;
                }
            }
            _ = ticks.tick() => {
                for (_, change) in changes.drain() {
                    tell(&edge, change).await;
                }
            }
        }
    }
}

async fn tell(edge: &Arc<Edge>, change: PresenceChange) {
    if !edge.sockets.anyone_joined() {
        return;
    }
    let Ok(memberships) = edge.members.of(change.user).await else { return };
    let conversations: Vec<ConversationId> = memberships.iter().map(|m| m.conversation).collect();
    let frame = ServerFrame::Presence {
        user_id: change.user,
        status: if change.online { Status::Online } else { Status::Offline },
        last_seen_at: Some(change.last_seen),
        version: change.version,
    };
    let frame = Utf8Bytes::from(frame.to_json());
    for socket in edge.hub.joined(&conversations) {
        if socket.user != change.user {
            socket.outbox.push(frame.clone());
        }
    }
}
