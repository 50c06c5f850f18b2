//! Shared state of one process: for `natter dev` and tests. It starts empty, so it never claims to remember
//! the day before.

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use async_trait::async_trait;
use governor::{
    DefaultDirectRateLimiter, Quota, RateLimiter,
    clock::{Clock, DefaultClock},
    middleware::StateInformationMiddleware,
    state::{InMemoryState, NotKeyed},
};
use moka::future::Cache;
use natter_schemas::{id::UserId, rpc::PresenceChange};
use parking_lot::Mutex;

use super::{
    ATTEMPT_LIFE, Attempt, Down, Fingerprint, Heartbeat, KEY_LIFE, Presence, Receipt, SharedState, Taken,
};
use crate::rates::{Class, Rule};

mod presence;

use presence::People;

/// 100,000 keys × about 200 B = 20 MB.
const KEYS: u64 = 100_000;
const BUCKETS: u64 = 100_000;
/// A bucket untouched for this long is full again whatever its rule allows below an hour.
const BUCKET_IDLE: Duration = Duration::from_hours(1);

type Bucket = RateLimiter<NotKeyed, InMemoryState, DefaultClock, StateInformationMiddleware>;

#[derive(Debug, Clone, Copy)]
struct Record {
    fingerprint: Fingerprint,
    begun: Instant,
    receipt: Option<Receipt>,
}

pub struct Memory {
    born: Instant,
    keys: Cache<(UserId, String), Arc<Mutex<Option<Record>>>>,
    buckets: Cache<(Class, String), Arc<Bucket>>,
    clock: DefaultClock,
    people: People,
}

impl Memory {
    pub fn new() -> Self {
        Self {
            born: Instant::now(),
            keys: Cache::builder().max_capacity(KEYS).time_to_live(KEY_LIFE).build(),
            buckets: Cache::builder().max_capacity(BUCKETS).time_to_idle(BUCKET_IDLE).build(),
            clock: DefaultClock::default(),
            people: People::new(),
        }
    }

    async fn slot(&self, user: UserId, key: &str) -> Arc<Mutex<Option<Record>>> {
        self.keys.get_with((user, key.to_owned()), async { Arc::default() }).await
    }
}

impl Default for Memory {
    fn default() -> Self {
        Self::new()
    }
}

#[async_trait]
impl SharedState for Memory {
    async fn begin(&self, user: UserId, key: &str, fingerprint: Fingerprint) -> Result<Attempt, Down> {
        let slot = self.slot(user, key).await;
        let mut record = slot.lock();
        Ok(match *record {
            Some(known) if known.receipt.is_none() && known.begun.elapsed() > ATTEMPT_LIFE => {
                *record = Some(Record { fingerprint, begun: Instant::now(), receipt: None });
                Attempt::First
            }
            Some(known) if known.fingerprint != fingerprint => Attempt::Mismatch,
            Some(Record { receipt: Some(receipt), .. }) => Attempt::Finished(receipt),
            Some(_) => Attempt::InProgress,
            None => {
                *record = Some(Record { fingerprint, begun: Instant::now(), receipt: None });
                Attempt::First
            }
        })
    }

    async fn finish(
        &self,
        user: UserId,
        key: &str,
        fingerprint: Fingerprint,
        receipt: Receipt,
    ) -> Result<(), Down> {
        let slot = self.slot(user, key).await;
        *slot.lock() = Some(Record { fingerprint, begun: Instant::now(), receipt: Some(receipt) });
        Ok(())
    }

    async fn abandon(&self, user: UserId, key: &str) -> Result<(), Down> {
        let slot = self.slot(user, key).await;
        let mut record = slot.lock();
        // An attempt that outlived its claim must not free the key of the one that succeeded.
        if record.is_some_and(|known| known.receipt.is_none()) {
            *record = None;
        }
        Ok(())
    }

    async fn remembers_every_key(&self) -> bool {
        self.born.elapsed() > KEY_LIFE
    }

    async fn take(&self, class: Class, who: &str, rule: Rule) -> Result<Taken, Down> {
        let make = async { Arc::new(bucket(rule)) };
        let bucket = self.buckets.get_with((class, who.to_owned()), make).await;
        Ok(match bucket.check() {
            Ok(state) => Taken::Allowed { remaining: state.remaining_burst_capacity() },
            Err(until) => Taken::Limited { retry_after: until.wait_time_from(self.clock.now()) },
        })
    }

    async fn heartbeat(&self, heartbeats: &[Heartbeat], ttl: Duration) -> Result<Vec<PresenceChange>, Down> {
        Ok(self.people.heartbeat(heartbeats, ttl))
    }

    async fn leave(&self, heartbeat: &Heartbeat) -> Result<Option<PresenceChange>, Down> {
        Ok(self.people.leave(heartbeat))
    }

    async fn sweep(&self, limit: usize) -> Result<Vec<PresenceChange>, Down> {
        Ok(self.people.sweep(limit))
    }

    async fn presence(&self, users: &[UserId]) -> Result<Vec<Presence>, Down> {
        Ok(self.people.presence(users))
    }

    async fn ready(&self) -> Result<(), Down> {
        Ok(())
    }
}

fn quota(rule: Rule) -> Quota {
    let every = rule.window / rule.count.get();
    // A window divided by its count is zero only beyond a count per nanosecond.
    Quota::with_period(every).unwrap_or_else(|| Quota::per_second(rule.count)).allow_burst(rule.burst)
}

fn bucket(rule: Rule) -> Bucket {
    RateLimiter::direct(quota(rule)).with_middleware::<StateInformationMiddleware>()
}

/// A bucket of one socket or process, outside the shared state.
pub fn local_bucket(rule: Rule) -> DefaultDirectRateLimiter {
    RateLimiter::direct(quota(rule))
}
