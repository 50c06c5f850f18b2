//! Who came online or went offline: coalesced, and sent only to those who joined a conversation with the user.

use std::{collections::HashMap, sync::Arc, time::Duration};

use futures_util::StreamExt;
use natter_nats::{
    async_nats::{Client, Message, SubscribeError, Subscriber},
    message::{NotUnderstood, Reader},
    subject,
};
use natter_runtime::{
    lifecycle::Lifecycle,
    shared_state::{Presence, SharedState},
    unreadable::Unreadable,
};
use natter_schemas::{
    code::Code,
    frame::{ServerFrame, Status},
    id::{ConversationId, UserId},
    rpc::PresenceChange,
};
use tokio::time::{MissedTickBehavior, interval};
use tracing::warn;

use crate::{membership::Members, outbound::hub::Hub, presence::KnownPresence, wire::frame::Frame};

/// Changes of one user within this are sent as one.
const COALESCE: Duration = Duration::from_millis(500);
/// Guarantee 8: a user who is gone is shown online for a TTL and this at most.
const REFRESH: Duration = Duration::from_secs(15);
/// Users looked up in one round trip.
const BATCH: usize = 1_000;

pub struct PresenceFeed {
    pub hub: Arc<Hub>,
    pub known: Arc<KnownPresence>,
    pub members: Arc<Members>,
    pub shared: Arc<dyn SharedState>,
}

impl PresenceFeed {
    pub async fn start(self, client: &Client, lifecycle: &Lifecycle) -> Result<(), SubscribeError> {
        let changes = client.subscribe(subject::PRESENCES).await?;
        let stop = lifecycle.stop().clone();
        lifecycle.spawn("presence", async move {
            stop.run_until_cancelled(self.follow(changes)).await;
        });
        Ok(())
    }

    /// Sends the newest state of each user with every tick, and finds changes that were lost by looking them up.
    async fn follow(self, mut changes: Subscriber) {
        let (reader, unreadable) = (Reader::new("presence"), Unreadable::new("presence"));
        let mut pending = Pending::default();
        let (mut ticks, mut refreshes) = (interval(COALESCE), interval(REFRESH));
        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        refreshes.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            tokio::select! {
                message = changes.next() => {
                    let Some(message) = message else { return };
                    match decode(&reader, &message) {
                        Ok(presence) => {
                            self.shared.observe(presence.version);
                            pending.add(presence);
                        }
                        Err(error) => unreadable.report(&message.subject, error),
                    }
                }
                _ = ticks.tick() => self.send_all(&mut pending).await,
                _ = refreshes.tick() => self.refresh(&mut pending).await,
            }
        }
    }

    async fn send_all(&self, pending: &mut Pending) {
        if pending.0.is_empty() {
            return;
        }
        let watched = self.hub.rooms_watching(|user| pending.0.contains_key(&user));
        for presence in std::mem::take(&mut pending.0).into_values() {
            if let Some(conversations) = watched.get(&presence.user)
                && self.known.update(&presence)
            {
                self.send(conversations, presence).await;
            }
        }
    }

    /// Not in a direct conversation that one side has blocked, which a viewer's own memberships show.
    async fn send(&self, conversations: &[ConversationId], presence: Presence) {
        let mut shown = Vec::with_capacity(conversations.len());
        for conversation in conversations {
            let watchers = self.hub.watchers(std::slice::from_ref(conversation));
            for viewer in watchers.iter().filter(|socket| socket.user != presence.user) {
                match self.members.access(viewer.user, *conversation).await {
                    // This one is being removed.
                    Err(error) if error.code == Code::NotFound => continue,
                    Ok(access) if access.blocked => {}
                    Ok(_) => shown.push(*conversation),
                    Err(error) => {
                        warn!(user = %presence.user, online = presence.online, %error, "presence not sent to viewers");
                    }
                }
                break;
            }
        }
        self.send_in(&shown, presence);
    }

    fn send_in(&self, conversations: &[ConversationId], presence: Presence) {
        let frame = ServerFrame::Presence {
            user_id: presence.user,
            status: if presence.online { Status::Online } else { Status::Offline },
            last_seen_at: presence.last_seen,
            version: presence.version,
        };
        let frame = Frame::text(&frame);
        for socket in self.hub.watchers(conversations) {
            if socket.user != presence.user {
                socket.queue.push(frame.clone());
            }
        }
    }

    /// A user who is added to a conversation while online is known to be so in others only: viewers of the new one
    /// are sent it although it has not changed.
    fn introduce(&self, new_members: &[(ConversationId, UserId)], presence: Presence) {
        if !presence.online || !self.known.is_online(presence.user) {
            return;
        }
        for (conversation, _) in new_members.iter().filter(|(_, user)| *user == presence.user) {
            self.send_in(std::slice::from_ref(conversation), presence);
        }
    }

    /// Changes are delivered at most once, and some are lost: all watched users are looked up from time to time.
    async fn refresh(&self, pending: &mut Pending) {
        let new_members = self.hub.take_new_members();
        let watched = self.hub.watched_users();
        self.known.retain(&watched);
        let watched: Vec<UserId> = watched.into_iter().collect();
        for users in watched.chunks(BATCH) {
            match self.shared.presence(users).await {
                Ok(presences) => {
                    for presence in presences {
                        self.introduce(&new_members, presence);
                        pending.add(presence);
                    }
                }
                Err(error) => {
                    return warn!(users = watched.len(), %error, "presence not refreshed; viewers may be behind");
                }
            }
        }
    }
}

/// The newest change of each user that was not sent yet.
#[derive(Default)]
struct Pending(HashMap<UserId, Presence>);

impl Pending {
    fn add(&mut self, presence: Presence) {
        let newest = self.0.entry(presence.user).or_insert(presence);
        if presence.version > newest.version {
            *newest = presence;
        }
    }
}

fn decode(reader: &Reader, message: &Message) -> Result<Presence, NotUnderstood> {
    let PresenceChange { user, online, last_seen, version } = reader.read(message)?;
    Ok(Presence { user, online, last_seen: Some(last_seen), version })
}
