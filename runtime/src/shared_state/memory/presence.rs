//! Who is online, within one process. It ends with its sockets, so it needs no hold-back when it begins.

use std::{
    collections::{BTreeSet, HashMap},
    time::{Duration, Instant},
};

use natter_schemas::{event::Timestamp, id::UserId, rpc::PresenceChange};
use parking_lot::Mutex;

use crate::shared_state::{Heartbeat, LAST_SEEN_LIFE, Presence};

pub struct People {
    /// The version of those unknown: every socket of an earlier process has ended, so who has not come back is
    /// offline. A millisecond before the first beat can be.
    before: u64,
    known: Mutex<Known>,
}

#[derive(Default)]
struct Known {
    people: HashMap<UserId, Person>,
    /// Those online, by the deadline of their last session.
    due: BTreeSet<(Instant, UserId)>,
    /// Those offline, by the time they are forgotten.
    fading: BTreeSet<(Instant, UserId)>,
}

struct Person {
    /// Session to deadline; empty when offline.
    sessions: HashMap<String, Instant>,
    /// The place in `due` when online, in `fading` when offline.
    until: Instant,
    online: bool,
    seen: Timestamp,
    version: u64,
}

impl Person {
    fn change(&mut self, user: UserId, online: bool, at: Timestamp) -> PresenceChange {
        self.online = online;
        // The clock, so that it rises across restarts; one more, so that it rises within a millisecond.
        self.version = (self.version + 1).max(at.0.unsigned_abs());
        PresenceChange { user, online, last_seen: self.seen, version: self.version }
    }
}

impl Known {
    fn heartbeat(
        &mut self,
        heartbeat: &Heartbeat,
        now: Instant,
        ttl: Duration,
        at: Timestamp,
    ) -> Option<PresenceChange> {
        let person = self.people.entry(heartbeat.user).or_insert_with(|| Person {
            sessions: HashMap::new(),
            until: now,
            online: false,
            seen: at,
            version: 0,
        });
        let deadline = now + ttl;
        if person.sessions.insert(heartbeat.session.clone(), deadline).is_none() {
            person.sessions.retain(|_, deadline| *deadline > now);
        }
        person.seen = at;
        let place = if person.online { &mut self.due } else { &mut self.fading };
        place.remove(&(person.until, heartbeat.user));
        person.until = if person.online { person.until.max(deadline) } else { deadline };
        self.due.insert((person.until, heartbeat.user));
        (!person.online).then(|| person.change(heartbeat.user, true, at))
    }

    fn leave(&mut self, heartbeat: &Heartbeat, now: Instant, at: Timestamp) -> Option<PresenceChange> {
        let person = self.people.get_mut(&heartbeat.user)?;
        person.sessions.remove(&heartbeat.session)?;
        person.seen = at;
        self.due.remove(&(person.until, heartbeat.user));
        if let Some(latest) = person.sessions.values().max() {
            person.until = *latest;
            self.due.insert((person.until, heartbeat.user));
            return None;
        }
        person.until = now + LAST_SEEN_LIFE;
        self.fading.insert((person.until, heartbeat.user));
        Some(person.change(heartbeat.user, false, at))
    }

    fn expire(&mut self, now: Instant, at: Timestamp) -> Option<PresenceChange> {
        let (deadline, user) = *self.due.first()?;
        if deadline > now {
            return None;
        }
        self.due.remove(&(deadline, user));
        let person = self.people.get_mut(&user)?;
        person.sessions.clear();
        person.until = now + LAST_SEEN_LIFE;
        self.fading.insert((person.until, user));
        Some(person.change(user, false, at))
    }

    fn forget(&mut self, now: Instant) {
        while let Some((until, user)) = self.fading.first().copied().filter(|(until, _)| *until <= now) {
            self.fading.remove(&(until, user));
            self.people.remove(&user);
        }
    }
}

impl People {
    pub fn new() -> Self {
        Self { before: Timestamp::now().0.unsigned_abs().saturating_sub(1), known: Mutex::default() }
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
        let (now, at) = (Instant::now(), Timestamp::now());
        known.forget(now);
        std::iter::from_fn(|| known.expire(now, at)).take(limit).collect()
    }

    pub fn presence(&self, users: &[UserId]) -> Vec<Presence> {
        let known = self.known.lock();
        let of = |user: &UserId| match known.people.get(user) {
            Some(person) => Presence {
                user: *user,
                online: person.online,
                last_seen: Some(person.seen),
                version: person.version,
            },
            None => Presence { user: *user, online: false, last_seen: None, version: self.before },
        };
        users.iter().map(of).collect()
    }
}
