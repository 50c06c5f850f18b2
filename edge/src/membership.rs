//! Who is in which conversation. Positive answers come from a cache that CONTROL keeps current; a negative one is
//! always asked for, because the event that adds a member may still be on its way here.

use std::{
    collections::{HashMap, HashSet},
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
    id::{ConversationId, UserId},
    rpc::{self, ListBlockedConversations, Membership, Memberships, RpcError},
};
use parking_lot::Mutex;

/// Users, not memberships: 100,000 × 100 conversations × 48 B = 480 MB at the very worst.
const USERS: u64 = 100_000;
const IDLE: Duration = Duration::from_mins(10);
/// Counters of changes, by user id modulo this: a load that raced with a change is loaded again.
const CHANGE_SLOTS: usize = 1_024;

type CachedUser = Arc<Mutex<UserAccess>>;

/// What is known of one user.
#[derive(Default)]
struct UserAccess {
    memberships: HashMap<ConversationId, Membership>,
    /// Direct conversations blocked by one side.
    blocked: HashSet<ConversationId>,
}

/// What a user may do in a conversation.
#[derive(Debug, Clone, Copy)]
pub struct Access {
    pub membership: Membership,
    /// One side of a direct conversation has blocked the other.
    pub blocked: bool,
}

pub struct Members {
    rpc: RpcClient,
    users: Cache<UserId, CachedUser>,
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
    pub async fn memberships(&self, user: UserId) -> Result<Vec<Membership>, RpcError> {
        let cached = self.cached(user).await?;
        let known = cached.lock();
        Ok(known.memberships.values().filter(|m| m.role.is_some()).copied().collect())
    }

    /// The user's access to a conversation; `not_found` for one who is not a member.
    pub async fn access(&self, user: UserId, conversation: ConversationId) -> Result<Access, RpcError> {
        let cached = self.cached(user).await?;
        let known = cached.lock().access(conversation);
        if let Some(access) = known {
            return Ok(access);
        }
        if let Some(membership) = Box::pin(self.rpc.call(&rpc::GetMembership { user, conversation })).await? {
            cached.lock().merge(membership);
        }
        cached.lock().access(conversation).ok_or_else(|| Code::NotFound.into())
    }

    /// Applies a change unless something newer is known; returns whether it changed anything.
    pub async fn apply(&self, user: UserId, membership: Membership) -> bool {
        self.change_slot(user).fetch_add(1, Ordering::SeqCst);
        match self.users.get(&user).await {
            Some(cached) => cached.lock().merge(membership),
            None => true,
        }
    }

    /// A block of the user changed: whoever asks next gets what is stored by now.
    pub async fn reload(&self, user: UserId) {
        self.change_slot(user).fetch_add(1, Ordering::SeqCst);
        self.users.invalidate(&user).await;
    }

    /// Changes may have been missed: forgets everything.
    pub fn clear(&self) {
        for slot in &self.changes {
            slot.fetch_add(1, Ordering::SeqCst);
        }
        self.users.invalidate_all();
    }

    async fn cached(&self, user: UserId) -> Result<CachedUser, RpcError> {
        if let Some(cached) = self.users.get(&user).await {
            return Ok(cached);
        }
        // Boxed, as everything is that a message seldom needs: each message under way holds a future of its own.
        let load = Box::pin(self.users.try_get_with(user, self.load(user)));
        load.await.map_err(|error| (*error).clone())
    }

    async fn load(&self, user: UserId) -> Result<CachedUser, RpcError> {
        loop {
            let before = self.change_slot(user).load(Ordering::SeqCst);
            let (memberships, blocked) =
                tokio::try_join!(self.load_memberships(user), self.load_blocked(user))?;
            if self.change_slot(user).load(Ordering::SeqCst) == before {
                return Ok(Arc::new(Mutex::new(UserAccess {
                    memberships: memberships.into_iter().map(|m| (m.conversation, m)).collect(),
                    blocked: blocked.into_iter().collect(),
                })));
            }
        }
    }

    async fn load_memberships(&self, user: UserId) -> Result<Vec<Membership>, RpcError> {
        let mut all: Vec<Membership> = Vec::new();
        loop {
            let after = all.last().map(|membership| membership.conversation);
            let page = self.rpc.call(&Memberships { user, after }).await?;
            let last = !page.has_more || page.items.is_empty();
            all.extend(page.items);
            if last {
                return Ok(all);
            }
        }
    }

    async fn load_blocked(&self, user: UserId) -> Result<Vec<ConversationId>, RpcError> {
        let mut all: Vec<ConversationId> = Vec::new();
        loop {
            let after = all.last().copied();
            let page = self.rpc.call(&ListBlockedConversations { user, after }).await?;
            let last = !page.has_more || page.items.is_empty();
            all.extend(page.items);
            if last {
                return Ok(all);
            }
        }
    }

    fn change_slot(&self, user: UserId) -> &AtomicU64 {
        let bytes = user.as_bytes();
        // The last bytes of a UUIDv7 are random.
        let index = usize::from(u16::from_be_bytes([bytes[14], bytes[15]])) % CHANGE_SLOTS;
        &self.changes[index]
    }
}

impl UserAccess {
    fn access(&self, conversation: ConversationId) -> Option<Access> {
        let membership = self.memberships.get(&conversation).copied().filter(|m| m.role.is_some())?;
        Some(Access { membership, blocked: self.is_blocked(conversation) })
    }

    fn is_blocked(&self, conversation: ConversationId) -> bool {
        self.blocked.contains(&conversation)
    }

    /// Returns whether it is newer than what was known.
    fn merge(&mut self, membership: Membership) -> bool {
        match self.memberships.get(&membership.conversation) {
            Some(known) if known.version >= membership.version => false,
            _ => {
                self.memberships.insert(membership.conversation, membership);
                true
            }
        }
    }
}
