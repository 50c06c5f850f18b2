//! Who is online, within one process. It ends with its sockets, so it needs no hold-back when it begins.

use std::{
    collections::{BTreeSet, HashMap},
    time::{Duration, Instant},
};

use natter_schemas::{event::Timestamp, id::UserId, rpc::PresenceChange};
use parking_lot::Mutex;

use crate::shared_state::{Heartbeat, LAST_SEEN_TTL, Presence};

pub struct PresenceTable {
    /// The version of unknown users: every socket of an earlier process has ended, so a user who has not come back
    /// is offline. Below that of the first heartbeat.
    unknown_version: u64,
    known: Mutex<PresenceState>,
}

#[derive(Default)]
struct PresenceState {
    /// The highest given out. The clock only says where the first one begins.
    version: u64,
    users: HashMap<UserId, UserPresence>,
    /// Those online, by the deadline of their last session.
    due: BTreeSet<(Instant, UserId)>,
    /// Those offline, by the time their entry is removed.
    offline: BTreeSet<(Instant, UserId)>,
}

struct UserPresence {
    /// Session to deadline; empty when offline.
    sessions: HashMap<String, Instant>,
    /// The key in `due` when online, in `fading` when offline.
    until: Instant,
    online: bool,
    seen: Timestamp,
    version: u64,
}

impl UserPresence {
    /// `last`: the highest version given out.
    fn change(&mut self, user: UserId, online: bool, last: &mut u64) -> PresenceChange {
        self.online = online;
        *last += 1;
        self.version = *last;
        PresenceChange { user, online, last_seen: self.seen, version: self.version }
    }
}

impl PresenceState {
    fn heartbeat(
        &mut self,
        heartbeat: &Heartbeat,
        now: Instant,
        ttl: Duration,
        at: Timestamp,
    ) -> Option<PresenceChange> {
        let presence = self.users.entry(heartbeat.user).or_insert_with(|| UserPresence {
            sessions: HashMap::new(),
            until: now,
            online: false,
            seen: at,
            version: 0,
        });
        let deadline = now + ttl;
        if presence.sessions.insert(heartbeat.session.clone(), deadline).is_none() {
            presence.sessions.retain(|_, deadline| *deadline > now);
        }
        presence.seen = at;
        let set = if presence.online { &mut self.due } else { &mut self.offline };
        set.remove(&(presence.until, heartbeat.user));
        presence.until = if presence.online { presence.until.max(deadline) } else { deadline };
        self.due.insert((presence.until, heartbeat.user));
        (!presence.online).then(|| presence.change(heartbeat.user, true, &mut self.version))
    }

    fn leave(&mut self, heartbeat: &Heartbeat, now: Instant, at: Timestamp) -> Option<PresenceChange> {
        let presence = self.users.get_mut(&heartbeat.user)?;
        presence.sessions.remove(&heartbeat.session)?;
        presence.seen = at;
        self.due.remove(&(presence.until, heartbeat.user));
        if let Some(latest) = presence.sessions.values().max() {
            presence.until = *latest;
            self.due.insert((presence.until, heartbeat.user));
            return None;
        }
        presence.until = now + LAST_SEEN_TTL;
        self.offline.insert((presence.until, heartbeat.user));
        Some(presence.change(heartbeat.user, false, &mut self.version))
    }

    fn expire(&mut self, now: Instant) -> Option<PresenceChange> {
        let (deadline, user) = *self.due.first()?;
        if deadline > now {
            return None;
        }
        self.due.remove(&(deadline, user));
        let presence = self.users.get_mut(&user)?;
        presence.sessions.clear();
        presence.until = now + LAST_SEEN_TTL;
        self.offline.insert((presence.until, user));
        Some(presence.change(user, false, &mut self.version))
    }

    fn forget(&mut self, now: Instant) {
        while let Some((until, user)) = self.offline.first().copied().filter(|(until, _)| *until <= now) {
            self.offline.remove(&(until, user));
            self.users.remove(&user);
        }
    }
}

impl PresenceTable {
    pub fn new() -> Self {
        let version = Timestamp::now().0.unsigned_abs();
        Self {
            unknown_version: version,
            known: Mutex::new(PresenceState { version, ..PresenceState::default() }),
        }
    }

    pub fn heartbeat(&self, heartbeats: &[Heartbeat], ttl: Duration) -> Vec<PresenceChange> {
        let mut known = self.known.lock();
        let (now, at) = (Instant::now(), Timestamp::now());
        heartbeats.iter().filter_map(|heartbeat| known.heartbeat(heartbeat, now, ttl, at)).collect()
    }

    pub fn leave(&self, heartbeat: &Heartbeat) -> Option<PresenceChange> {
        self.known.lock().leave(heartbeat, Instant::now(), Timestamp::now())
    }

    pub fn sweep(&self, limit: usize) -> Vec<PresenceChange> {
        let mut known = self.known.lock();
        let now = Instant::now();
        known.forget(now);
        std::iter::from_fn(|| known.expire(now)).take(limit).collect()
    }

    pub fn observe(&self, version: u64) {
        let mut known = self.known.lock();
        known.version = known.version.max(version);
    }

    pub fn presence(&self, users: &[UserId]) -> Vec<Presence> {
        let known = self.known.lock();
        let of = |user: &UserId| match known.users.get(user) {
            Some(presence) => Presence {
                user: *user,
                online: presence.online,
                last_seen: Some(presence.seen),
                version: presence.version,
            },
            None => Presence { user: *user, online: false, last_seen: None, version: self.unknown_version },
        };
        users.iter().map(of).collect()
    }
}
