//! Who is in which conversation. Positive answers come from a cache that CONTROL keeps true; a negative one is
//! always asked for, because the event that adds somebody may still be on its way here.

use std::{
    collections::HashMap,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use moka::future::Cache;
use natter_nats::service::RpcClient;
use natter_schemas::{
    code::Code,
    event::Timestamp,
    id::{ConversationId, UserId},
    rpc::{Access, Blocked, Membership, Memberships, RpcError},
};
use parking_lot::Mutex;

/// Users, not memberships: 100,000 × 100 conversations × 48 B = 480 MB at the very worst.
const USERS: u64 = 100_000;
const IDLE: Duration = Duration::from_mins(10);
/// Counters of changes, by user id modulo this: a load that raced with a change is loaded again.
const CHANGE_SLOTS: usize = 1_024;

type Known = Arc<Mutex<Places>>;

/// What is known of one user.
#[derive(Default)]
struct Places {
    memberships: HashMap<ConversationId, Membership>,
    /// Direct conversations that are, or were, blocked by one side, and when that was said.
    blocked: HashMap<ConversationId, (bool, Timestamp)>,
}

/// A user's place in a conversation.
#[derive(Debug, Clone, Copy)]
pub struct Place {
    pub membership: Membership,
    /// One side of a direct conversation has blocked the other.
    pub blocked: bool,
}

pub struct Members {
    rpc: RpcClient,
    users: Cache<UserId, Known>,
    changes: Vec<AtomicU64>,
}

impl Members {
    pub fn new(rpc: RpcClient) -> Self {
        Self {
            rpc,
            users: Cache::builder().max_capacity(USERS).time_to_idle(IDLE).build(),
            changes: (0..CHANGE_SLOTS).map(|_| AtomicU64::new(0)).collect(),
        }
    }

    /// Every conversation the user is in.
    pub async fn of(&self, user: UserId) -> Result<Vec<Membership>, RpcError> {
        let known = self.known(user).await?;
        let places = known.lock();
        Ok(places.memberships.values().filter(|m| m.role.is_some()).copied().collect())
    }

    /// The user's place in a conversation; `not_found` when there is none.
    pub async fn of_one(&self, user: UserId, conversation: ConversationId) -> Result<Place, RpcError> {
        let known = self.known(user).await?;
        let cached = known.lock().place(conversation);
        if let Some(place) = cached {
            return Ok(place);
        }
        if let Some(membership) = Box::pin(self.rpc.call(&Access { user, conversation })).await? {
            known.lock().merge(membership);
        }
        known.lock().place(conversation).ok_or_else(|| Code::NotFound.into())
    }

    /// Applies a change heard of; older news than what is known changes nothing. Says whether it was news.
    pub async fn change(&self, user: UserId, membership: Membership) -> bool {
        self.slot(user).fetch_add(1, Ordering::SeqCst);
        match self.users.get(&user).await {
            Some(known) => known.lock().merge(membership),
            None => true,
        }
    }

    /// A direct conversation of the user was blocked, or is free again.
    pub async fn block(&self, user: UserId, conversation: ConversationId, blocked: bool, at: Timestamp) {
        self.slot(user).fetch_add(1, Ordering::SeqCst);
        if let Some(known) = self.users.get(&user).await {
            known.lock().block(conversation, blocked, at);
        }
    }

    /// Everything may have changed unheard: forget it all.
    pub fn forget(&self) {
        for slot in &self.changes {
            slot.fetch_add(1, Ordering::SeqCst);
        }
        self.users.invalidate_all();
    }

    async fn known(&self, user: UserId) -> Result<Known, RpcError> {
        if let Some(known) = self.users.get(&user).await {
            return Ok(known);
        }
        // Boxed, as everything is that a message seldom needs: each message under way holds a future of its own.
        let load = Box::pin(self.users.try_get_with(user, self.load(user)));
        load.await.map_err(|refused| (*refused).clone())
    }

    async fn load(&self, user: UserId) -> Result<Known, RpcError> {
        loop {
            let before = self.slot(user).load(Ordering::SeqCst);
            let (places, blocks) = (Memberships { user }, Blocked { user });
            let (memberships, blocked) = tokio::try_join!(self.rpc.call(&places), self.rpc.call(&blocks))?;
            if self.slot(user).load(Ordering::SeqCst) == before {
                return Ok(Arc::new(Mutex::new(Places {
                    memberships: memberships.into_iter().map(|m| (m.conversation, m)).collect(),
                    blocked: blocked.into_iter().map(|c| (c, (true, Timestamp(0)))).collect(),
                })));
            }
        }
    }

    fn slot(&self, user: UserId) -> &AtomicU64 {
        let bytes = user.as_bytes();
        // The last bytes of a UUIDv7 are random.
        let index = usize::from(u16::from_be_bytes([bytes[14], bytes[15]])) % CHANGE_SLOTS;
        &self.changes[index]
    }
}

impl Places {
    fn place(&self, conversation: ConversationId) -> Option<Place> {
        let membership = self.memberships.get(&conversation).copied().filter(|m| m.role.is_some())?;
        let blocked = self.blocked.get(&conversation).is_some_and(|(blocked, _)| *blocked);
        Some(Place { membership, blocked })
    }

    /// Says whether it was news.
    fn merge(&mut self, news: Membership) -> bool {
        match self.memberships.get(&news.conversation) {
            Some(old) if old.version >= news.version => false,
            _ => {
                self.memberships.insert(news.conversation, news);
                true
            }
        }
    }

    fn block(&mut self, conversation: ConversationId, blocked: bool, at: Timestamp) {
        let known = self.blocked.entry(conversation).or_insert((blocked, at));
        if at >= known.1 {
            *known = (blocked, at);
        }
    }
}
