//! What is told and never stored: typing, at once; presence, coalesced, and only to those who joined a
//! conversation with the person.

use std::{collections::HashMap, sync::Arc, time::Duration};

use futures_util::StreamExt;
use natter_nats::{
    async_nats::{SubscribeError, Subscriber},
    subject,
};
use natter_runtime::shared_state::Presence;
use natter_schemas::{
    frame::{ServerFrame, Status},
    id::{ConversationId, Partition, UserId},
    rpc::{PresenceChange, Typing},
};
use parking_lot::Mutex;
use tokio::time::{MissedTickBehavior, interval};

use super::{frame::Frame, hub::Hub};
use crate::app::Edge;

/// A page that reloads goes offline and online within this: viewers see neither.
const COALESCE: Duration = Duration::from_millis(500);
/// Guarantee 8: nobody who is gone is shown for longer than a TTL and this.
const ASK: Duration = Duration::from_secs(15);
/// People asked for in one round trip.
const PART: usize = 1_000;
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

/// What viewers on this edge were told of somebody.
#[derive(Debug, Clone, Copy)]
struct Said {
    online: bool,
    version: u64,
}

/// What viewers on this edge were told of everybody they watch.
#[derive(Default)]
pub struct Told(Mutex<HashMap<UserId, Said>>);

impl Told {
    /// Somebody who joined was told this.
    pub fn begin(&self, presences: &[Presence]) {
        let mut told = self.0.lock();
        for p in presences {
            told.entry(p.user).or_insert(Said { online: p.online, version: p.version });
        }
    }

    /// Whether viewers were told that somebody is online: they are not told again.
    fn knows_online(&self, user: UserId) -> bool {
        self.0.lock().get(&user).is_some_and(|said| said.online)
    }

    /// Whether it is news for the viewers; what is older than what they know is not.
    fn is_news(&self, p: &Presence) -> bool {
        let mut told = self.0.lock();
        let before = told.get(&p.user).copied().unwrap_or(Said { online: false, version: 0 });
        if before.version > p.version {
            return false;
        }
        told.insert(p.user, Said { online: p.online, version: p.version });
        before.online != p.online
    }
}

/// Presence as this edge tells it: the newest state of each person with every tick, and what was lost on its way
/// found again by asking.
struct Viewers {
    edge: Arc<Edge>,
    changes: HashMap<UserId, Presence>,
}

async fn listen_presence(edge: Arc<Edge>, mut presences: Subscriber) {
    let mut viewers = Viewers { edge, changes: HashMap::new() };
    let (mut ticks, mut asks) = (interval(COALESCE), interval(ASK));
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    asks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        tokio::select! {
            message = presences.next() => {
                let Some(message) = message else { return };
                if let Ok(PresenceChange { user, online, last_seen, version }) =
                    postcard::from_bytes(&message.payload)
                {
                    viewers.hear(Presence { user, online, last_seen: Some(last_seen), version });
                }
            }
            _ = ticks.tick() => viewers.tell_all().await,
            _ = asks.tick() => viewers.ask().await,
        }
    }
}

impl Viewers {
    fn hear(&mut self, presence: Presence) {
        let newest = self.changes.entry(presence.user).or_insert(presence);
        if presence.version > newest.version {
            *newest = presence;
        }
    }

    async fn tell_all(&mut self) {
        if self.changes.is_empty() {
            return;
        }
        let people = self.edge.hub.people();
        for presence in std::mem::take(&mut self.changes).into_values() {
            if people.contains(&presence.user) && self.edge.told.is_news(&presence) {
                self.tell(presence).await;
            }
        }
    }

    async fn tell(&self, presence: Presence) {
        let Ok(memberships) = self.edge.members.of(presence.user).await else { return };
        let conversations: Vec<ConversationId> = memberships.iter().map(|m| m.conversation).collect();
        self.tell_in(&conversations, presence);
    }

    fn tell_in(&self, conversations: &[ConversationId], presence: Presence) {
        let frame = ServerFrame::Presence {
            user_id: presence.user,
            status: if presence.online { Status::Online } else { Status::Offline },
            last_seen_at: presence.last_seen,
            version: presence.version,
        };
        let frame = Frame::text(&frame);
        for socket in self.edge.hub.joined(conversations) {
            if socket.user != presence.user {
                socket.outbox.push(frame.clone());
            }
        }
    }

    /// Who is added to a conversation while online is known to be so in others only: it is no news for those.
    fn introduce(&self, newcomers: &[(ConversationId, UserId)], presence: Presence) {
        if !presence.online || !self.edge.told.knows_online(presence.user) {
            return;
        }
        for (conversation, _) in newcomers.iter().filter(|(_, user)| *user == presence.user) {
            self.tell_in(std::slice::from_ref(conversation), presence);
        }
    }

    /// Changes are told at most once, and some are lost: who is watched is looked up from time to time.
    async fn ask(&mut self) {
        let newcomers = self.edge.hub.take_newcomers();
        let people = self.edge.hub.people();
        self.edge.told.0.lock().retain(|user, _| people.contains(user));
        let people: Vec<UserId> = people.into_iter().collect();
        for part in people.chunks(PART) {
            let Ok(presences) = self.edge.shared.presence(part).await else { return };
            for presence in presences {
                self.introduce(&newcomers, presence);
                self.hear(presence);
            }
        }
    }
}
