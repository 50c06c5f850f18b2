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
use nats::service::Asker;
use parking_lot::Mutex;
use schemas::{
    code::Code,
    id::{ConversationId, UserId},
    rpc::{Access, Membership, Memberships, Refused},
};

/// Users, not memberships: 100,000 × 100 conversations × 48 B = 480 MB at the very worst.
const USERS: u64 = 100_000;
const IDLE: Duration = Duration::from_secs(600);
/// Counters of changes, by user id modulo this: a load that raced with a change is loaded again.
const CHANGE_SLOTS: usize = 1_024;

type Known = Arc<Mutex<HashMap<ConversationId, Membership>>>;

pub struct Members {
    asker: Asker,
    users: Cache<UserId, Known>,
    changes: Vec<AtomicU64>,
}

impl Members {
    pub fn new(asker: Asker) -> Self {
        Self {
            asker,
            users: Cache::builder().max_capacity(USERS).time_to_idle(IDLE).build(),
            changes: (0..CHANGE_SLOTS).map(|_| AtomicU64::new(0)).collect(),
        }
    }

    /// Every conversation the user is in.
    pub async fn of(&self, user: UserId) -> Result<Vec<Membership>, Refused> {
        let known = self.known(user).await?;
        let memberships = known.lock();
        Ok(memberships.values().filter(|m| m.role.is_some()).copied().collect())
    }

    /// The user's place in a conversation; `not_found` when there is none.
    pub async fn of_one(&self, user: UserId, conversation: ConversationId) -> Result<Membership, Refused> {
        let known = self.known(user).await?;
        let cached = known.lock().get(&conversation).copied().filter(|m| m.role.is_some());
        if let Some(membership) = cached {
            return Ok(membership);
        }
        let asked = self.asker.ask(&Access { user, conversation }).await?;
        if let Some(membership) = asked {
            merge(&mut known.lock(), membership);
        }
        asked.filter(|m| m.role.is_some()).ok_or_else(|| Code::NotFound.into())
    }

    /// Applies a change heard of; older news than what is known changes nothing. Says whether it was news.
    pub async fn change(&self, user: UserId, membership: Membership) -> bool {
        self.slot(user).fetch_add(1, Ordering::SeqCst);
        match self.users.get(&user).await {
            Some(known) => merge(&mut known.lock(), membership),
            None => true,
        }
    }

    /// Everything may have changed unheard: forget it all.
    pub fn forget(&self) {
        for slot in &self.changes {
            slot.fetch_add(1, Ordering::SeqCst);
        }
        self.users.invalidate_all();
    }

    async fn known(&self, user: UserId) -> Result<Known, Refused> {
        self.users.try_get_with(user, self.load(user)).await.map_err(|refused| (*refused).clone())
    }

    async fn load(&self, user: UserId) -> Result<Known, Refused> {
        loop {
            let before = self.slot(user).load(Ordering::SeqCst);
            let memberships = self.asker.ask(&Memberships { user }).await?;
            if self.slot(user).load(Ordering::SeqCst) == before {
                return Ok(Arc::new(Mutex::new(
                    memberships.into_iter().map(|m| (m.conversation, m)).collect(),
                )));
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

fn merge(known: &mut HashMap<ConversationId, Membership>, news: Membership) -> bool {
    match known.get(&news.conversation) {
        Some(old) if old.version >= news.version => false,
        _ => {
            known.insert(news.conversation, news);
            true
        }
    }
}
