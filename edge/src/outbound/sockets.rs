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
    /// Conversations whose typing and presence it wants, and when it last reported that its user types there.
    pub joined: Mutex<HashMap<ConversationId, Option<Instant>>>,
    /// What keeps its user online: an id of its own for each socket.
    pub heartbeat: Heartbeat,
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
            heartbeat: Heartbeat { user, session: EventId::fresh().to_string() },
        }
    }
}

#[derive(Default)]
pub struct Sockets {
    by_user: Mutex<HashMap<UserId, Vec<Arc<Socket>>>>,
}

impl Sockets {
    /// Adds a socket, or refuses it when its user has too many here.
    pub fn add(&self, socket: &Arc<Socket>) -> Result<(), Code> {
        let mut by_user = self.by_user.lock();
        let sockets = by_user.entry(socket.user).or_default();
        if sockets.len() >= limits::SOCKETS_PER_USER {
            return Err(Code::TooManySockets);
        }
        sockets.push(socket.clone());
        metrics::gauge!("natter_sockets").increment(1.0);
        Ok(())
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
}
