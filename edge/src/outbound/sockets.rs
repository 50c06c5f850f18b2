//! The live sockets of this edge, by user and by session: whom a membership change or a log-out concerns.

use std::{
    collections::{HashMap, HashSet},
    sync::Arc,
    time::Instant,
};

use natter_runtime::shared_state::Heartbeat;
use natter_schemas::{
    code::Code,
    id::{ConversationId, EventId, SessionId, UserId},
    limits,
};
use parking_lot::Mutex;

use super::send_queue::SendQueue;

/// One authenticated socket.
pub struct Socket {
    pub user: UserId,
    pub session: SessionId,
    pub device: String,
    pub queue: Arc<SendQueue>,
    /// The rooms it is in; kept by the hub.
    pub rooms: Mutex<Rooms>,
    /// Conversations whose typing and presence it wants, and what it last reported of its user's typing there.
    pub joined: Mutex<HashMap<ConversationId, Option<TypingReport>>>,
    pub activity: Activity,
    /// What keeps its user online: an id of its own for each socket.
    pub heartbeat: Heartbeat,
}

/// A report of typing, or of its end, that was passed on.
#[derive(Debug, Clone, Copy)]
pub struct TypingReport {
    /// When typing was last passed on.
    pub begun: Instant,
    /// The end was not passed on yet.
    pub on: bool,
}

/// Signs of life of a socket's client.
pub struct Activity(Mutex<Life>);

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
struct Life {
    /// False: a ping waits for its pong.
    answers: bool,
    /// When anything last arrived.
    last: Instant,
}

impl Activity {
    fn begun() -> Self {
        Self(Mutex::new(Life { answers: true, last: Instant::now() }))
    }

    /// Something arrived.
    pub fn heard(&self) {
        *self.0.lock() = Life { answers: true, last: Instant::now() };
    }

    /// A ping was sent.
    pub fn pinged(&self) {
        self.0.lock().answers = false;
    }

    fn life(&self) -> Life {
        *self.0.lock()
    }
}

/// Whether a socket may still enter rooms, and which it is in.
#[derive(Default)]
pub struct Rooms {
    pub ids: HashSet<ConversationId>,
    /// The socket has left for good: work that was under way for it must not put it into a room again.
    pub closed: bool,
}

impl Socket {
    pub fn new(user: UserId, session: SessionId, device: String) -> Self {
        Self {
            user,
            session,
            device,
            queue: Arc::default(),
            rooms: Mutex::default(),
            joined: Mutex::default(),
            activity: Activity::begun(),
            heartbeat: Heartbeat { user, session: EventId::fresh().to_string() },
        }
    }
}

pub struct Sockets {
    by_user: Mutex<HashMap<UserId, Vec<Arc<Socket>>>>,
}

impl Default for Sockets {
    fn default() -> Self {
        // It is 0 before the first client, and not absent.
        metrics::gauge!("natter_sockets").increment(0.0);
        Self { by_user: Mutex::default() }
    }
}

impl Sockets {
    /// Adds a socket. When its user has too many here, one is taken out and returned: one whose client leaves a ping
    /// unanswered, else the one whose client was last heard of the longest ago. Clients that lost their network come back
    /// as new sockets, and must not be kept out by the old ones.
    pub fn add(&self, socket: &Arc<Socket>) -> Option<Arc<Socket>> {
        let mut by_user = self.by_user.lock();
        let sockets = by_user.entry(socket.user).or_default();
        let full = sockets.len() >= limits::SOCKETS_PER_USER;
        let oldest = sockets.iter().enumerate().min_by_key(|(_, other)| other.activity.life());
        let replaced =
            oldest.map(|(index, _)| index).filter(|_| full).map(|index| sockets.swap_remove(index));
        sockets.push(socket.clone());
        if replaced.is_none() {
            metrics::gauge!("natter_sockets").increment(1.0);
        }
        replaced
    }

    pub fn remove(&self, socket: &Arc<Socket>) {
        let mut by_user = self.by_user.lock();
        if let Some(sockets) = by_user.get_mut(&socket.user) {
            let before = sockets.len();
            sockets.retain(|s| !Arc::ptr_eq(s, socket));
            if sockets.len() < before {
                metrics::gauge!("natter_sockets").decrement(1.0);
            }
            if sockets.is_empty() {
                by_user.remove(&socket.user);
            }
        }
    }

    pub fn count(&self) -> usize {
        self.by_user.lock().values().map(Vec::len).sum()
    }

    pub fn of_user(&self, user: UserId) -> Vec<Arc<Socket>> {
        self.by_user.lock().get(&user).cloned().unwrap_or_default()
    }

    /// Every socket of a session: rare (log-out), so it looks at all of them.
    pub fn of_session(&self, session: SessionId) -> Vec<Arc<Socket>> {
        let by_user = self.by_user.lock();
        by_user.values().flatten().filter(|s| s.session == session).cloned().collect()
    }

    pub fn all(&self) -> Vec<Arc<Socket>> {
        self.by_user.lock().values().flatten().cloned().collect()
    }

    /// Returns how many there were.
    pub fn close_all(&self, code: Code) -> usize {
        let sockets = self.all();
        for socket in &sockets {
            socket.queue.close(code);
        }
        sockets.len()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_socket_too_many_takes_the_place_of_the_most_silent_one() {
        let (sockets, user) = (Sockets::default(), UserId::fresh());
        let open = || Arc::new(Socket::new(user, SessionId::fresh(), String::new()));
        let mut all: Vec<_> = (0..limits::SOCKETS_PER_USER).map(|_| open()).collect();
        for socket in &all {
            assert!(sockets.add(socket).is_none());
        }
        // The first ones opened have shown life since; one of them does not answer a ping any more.
        all.iter().filter(|socket| !Arc::ptr_eq(socket, &all[7])).for_each(|socket| socket.activity.heard());
        all[3].activity.pinged();
        for expected in [3, 7] {
            let newest = open();
            let replaced = sockets.add(&newest).expect("there are too many");
            assert!(Arc::ptr_eq(&replaced, &all[expected]));
            all.push(newest);
            assert_eq!(sockets.count(), limits::SOCKETS_PER_USER);
            // Its own end finds it gone already.
            sockets.remove(&replaced);
            assert_eq!(sockets.count(), limits::SOCKETS_PER_USER);
        }
        assert!(
            sockets.add(&Arc::new(Socket::new(UserId::fresh(), SessionId::fresh(), String::new()))).is_none()
        );
    }
}
