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
use parking_lot::Mutex;
use schemas::id::UserId;

use super::{ATTEMPT_LIFE, Attempt, Down, Fingerprint, KEY_LIFE, Receipt, SharedState, Taken};
use crate::rates::{Class, Rule};

/// 100,000 keys × about 200 B = 20 MB.
const KEYS: u64 = 100_000;
const BUCKETS: u64 = 100_000;
/// A bucket untouched for this long is full again whatever its rule allows below an hour.
const BUCKET_IDLE: Duration = Duration::from_secs(3600);

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
}

impl Memory {
    pub fn new() -> Self {
        Self {
            born: Instant::now(),
            keys: Cache::builder().max_capacity(KEYS).time_to_live(KEY_LIFE).build(),
            buckets: Cache::builder().max_capacity(BUCKETS).time_to_idle(BUCKET_IDLE).build(),
            clock: DefaultClock::default(),
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

#[cfg(test)]
mod tests {
    use std::num::NonZeroU32;

    use schemas::{event::Timestamp, id::EventId};

    use super::*;

    fn receipt() -> Receipt {
        Receipt { message: EventId::fresh(), seq: 7, created_at: Timestamp(1) }
    }

    #[tokio::test]
    async fn a_key_gives_one_answer_to_one_request_and_none_to_another() {
        let (state, user) = (Memory::new(), UserId::fresh());
        let (first, other) = ([1; 32], [2; 32]);
        assert_eq!(state.begin(user, "k", first).await, Ok(Attempt::First));
        assert_eq!(state.begin(user, "k", first).await, Ok(Attempt::InProgress));
        assert_eq!(state.begin(user, "k", other).await, Ok(Attempt::Mismatch));
        let receipt = receipt();
        state.finish(user, "k", first, receipt).await.expect("memory answers");
        assert_eq!(state.begin(user, "k", first).await, Ok(Attempt::Finished(receipt)));
        assert_eq!(state.begin(user, "k", other).await, Ok(Attempt::Mismatch));
        assert_eq!(state.begin(UserId::fresh(), "k", other).await, Ok(Attempt::First));
    }

    #[tokio::test]
    async fn a_failed_attempt_does_not_burn_the_key() {
        let (state, user) = (Memory::new(), UserId::fresh());
        assert_eq!(state.begin(user, "k", [1; 32]).await, Ok(Attempt::First));
        state.abandon(user, "k").await.expect("memory answers");
        assert_eq!(state.begin(user, "k", [2; 32]).await, Ok(Attempt::First));
    }

    #[tokio::test]
    async fn a_bucket_says_when_to_come_back() {
        let state = Memory::new();
        let two = NonZeroU32::new(2).expect("not zero");
        let rule = Rule { count: two, window: Duration::from_secs(60), burst: two };
        assert_eq!(state.take(Class::Login, "a", rule).await, Ok(Taken::Allowed { remaining: 1 }));
        assert_eq!(state.take(Class::Login, "a", rule).await, Ok(Taken::Allowed { remaining: 0 }));
        let Ok(Taken::Limited { retry_after }) = state.take(Class::Login, "a", rule).await else {
            panic!("the third of two per minute passed");
        };
        assert!(retry_after > Duration::from_secs(20) && retry_after <= Duration::from_secs(30));
        assert_eq!(state.take(Class::Login, "b", rule).await, Ok(Taken::Allowed { remaining: 1 }));
    }
}
