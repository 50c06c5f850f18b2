//! Shared state of one process: for `natter dev` and tests. It starts empty, so it never claims to remember
//! what an earlier process knew.

use std::{
    collections::HashMap,
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
    CLAIM_TTL, Fingerprint, Heartbeat, KEY_TTL, KeyClaim, LogInOutcome, Presence, RateDecision,
    RecordedResult, SharedState, Unavailable,
};
use crate::rates::{Class, Cost, Rule};

mod log_ins;
mod presence;

use log_ins::LogIns;
use presence::PresenceTable;

/// 100,000 keys × about 200 B = 20 MB.
const KEYS: u64 = 100_000;
const TOKEN_BUCKETS: u64 = 100_000;
/// A token bucket untouched for this long is full again whatever its rule allows below an hour.
const TOKEN_BUCKET_IDLE: Duration = Duration::from_hours(1);

type TokenBucket = RateLimiter<NotKeyed, InMemoryState, DefaultClock, StateInformationMiddleware>;

#[derive(Debug, Clone, Copy)]
struct Record {
    fingerprint: Fingerprint,
    begun: Instant,
    result: Option<RecordedResult>,
}

pub struct Memory {
    started: Instant,
    keys: Cache<(UserId, String), Arc<Mutex<Option<Record>>>>,
    token_buckets: Cache<(Class, String), Arc<TokenBucket>>,
    clock: DefaultClock,
    log_ins: LogIns,
    presence: PresenceTable,
    /// Until when a node is known to hear NATS.
    contact: Mutex<HashMap<String, Instant>>,
}

impl Memory {
    pub fn new() -> Self {
        Self {
            started: Instant::now(),
            keys: Cache::builder().max_capacity(KEYS).time_to_live(KEY_TTL).build(),
            token_buckets: Cache::builder()
                .max_capacity(TOKEN_BUCKETS)
                .time_to_idle(TOKEN_BUCKET_IDLE)
                .build(),
            clock: DefaultClock::default(),
            log_ins: LogIns::new(),
            presence: PresenceTable::new(),
            contact: Mutex::default(),
        }
    }

    async fn record_of(&self, user: UserId, key: &str) -> Arc<Mutex<Option<Record>>> {
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
    async fn begin(
        &self,
        user: UserId,
        key: &str,
        fingerprint: Fingerprint,
    ) -> Result<KeyClaim, Unavailable> {
        let entry = self.record_of(user, key).await;
        let mut record = entry.lock();
        Ok(match *record {
            Some(known) if known.result.is_none() && known.begun.elapsed() > CLAIM_TTL => {
                *record = Some(Record { fingerprint, begun: Instant::now(), result: None });
                KeyClaim::Claimed
            }
            Some(known) if known.fingerprint != fingerprint => KeyClaim::Mismatch,
            Some(Record { result: Some(result), .. }) => KeyClaim::Finished(result),
            Some(_) => KeyClaim::InProgress,
            None => {
                *record = Some(Record { fingerprint, begun: Instant::now(), result: None });
                KeyClaim::Claimed
            }
        })
    }

    async fn finish(
        &self,
        user: UserId,
        key: &str,
        fingerprint: Fingerprint,
        result: RecordedResult,
    ) -> Result<(), Unavailable> {
        let entry = self.record_of(user, key).await;
        *entry.lock() = Some(Record { fingerprint, begun: Instant::now(), result: Some(result) });
        Ok(())
    }

    async fn abandon(&self, user: UserId, key: &str) -> Result<(), Unavailable> {
        let entry = self.record_of(user, key).await;
        let mut record = entry.lock();
        // An attempt that outlived its claim must not free the key of the one that succeeded.
        if record.is_some_and(|known| known.result.is_none()) {
            *record = None;
        }
        Ok(())
    }

    async fn remembers_every_key(&self) -> bool {
        self.started.elapsed() > KEY_TTL
    }

    async fn take(&self, cost: Cost, who: &str, rule: Rule) -> Result<RateDecision, Unavailable> {
        let make = async { Arc::new(token_bucket(rule)) };
        let token_bucket = self.token_buckets.get_with((cost.class, who.to_owned()), make).await;
        Ok(match token_bucket.check_n(cost.tokens(rule)) {
            Ok(Ok(state)) => RateDecision::Allowed { remaining: state.remaining_burst_capacity() },
            Ok(Err(until)) => RateDecision::Limited { retry_after: until.wait_time_from(self.clock.now()) },
            // The bucket was made under a rule with a smaller burst: it takes longer than its window to fill.
            Err(_) => RateDecision::Limited { retry_after: rule.window },
        })
    }

    async fn attempt_log_in(&self, account: &str, network: &str) -> Result<Option<Duration>, Unavailable> {
        Ok(self.log_ins.attempt(account, network).await)
    }

    async fn settle_log_in(
        &self,
        account: &str,
        network: &str,
        outcome: LogInOutcome,
    ) -> Result<(), Unavailable> {
        self.log_ins.settle(account, network, outcome).await;
        Ok(())
    }

    async fn heartbeat(
        &self,
        heartbeats: &[Heartbeat],
        ttl: Duration,
    ) -> Result<Vec<PresenceChange>, Unavailable> {
        Ok(self.presence.heartbeat(heartbeats, ttl))
    }

    async fn leave(&self, heartbeat: &Heartbeat) -> Result<Option<PresenceChange>, Unavailable> {
        Ok(self.presence.leave(heartbeat))
    }

    async fn sweep(&self, limit: usize) -> Result<Vec<PresenceChange>, Unavailable> {
        Ok(self.presence.sweep(limit))
    }

    async fn presence(&self, users: &[UserId]) -> Result<Vec<Presence>, Unavailable> {
        Ok(self.presence.presence(users))
    }

    async fn report_contact(&self, node: &str, ttl: Duration) -> Result<(), Unavailable> {
        let (mut contact, now) = (self.contact.lock(), Instant::now());
        contact.retain(|_, until| *until > now);
        contact.insert(node.to_owned(), now + ttl);
        Ok(())
    }

    async fn others_have_contact(&self, node: &str) -> Result<bool, Unavailable> {
        let now = Instant::now();
        Ok(self.contact.lock().iter().any(|(other, until)| other != node && *until > now))
    }

    fn observe(&self, version: u64) {
        self.presence.observe(version);
    }

    async fn ready(&self) -> Result<(), Unavailable> {
        Ok(())
    }
}

fn quota(rule: Rule) -> Quota {
    let every = rule.window / rule.count.get();
    // A window divided by its count is zero only beyond a count per nanosecond.
    Quota::with_period(every).unwrap_or_else(|| Quota::per_second(rule.count)).allow_burst(rule.burst)
}

fn token_bucket(rule: Rule) -> TokenBucket {
    RateLimiter::direct(quota(rule)).with_middleware::<StateInformationMiddleware>()
}

/// A token bucket of one socket or process, outside the shared state.
pub fn local_token_bucket(rule: Rule) -> DefaultDirectRateLimiter {
    RateLimiter::direct(quota(rule))
}
