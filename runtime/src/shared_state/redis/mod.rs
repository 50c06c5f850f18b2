//! Shared state of several processes, in Redis 7.0 or newer. Arrives: calls of any number of processes. Leaves:
//! one script each, decided by Redis and its clock. Fails: `Unavailable` after [`CALL_TIMEOUT`]; the connection comes back by
//! itself.
//!
//! One Redis, or one with replicas and fail-over, but not Redis Cluster: scripts touch keys of several slots.
//! `maxmemory-policy noeviction` (the default) or a `volatile-` one; the user needs `INFO`.
//!
//! | Key | Type | What | Size, life |
//! |---|---|---|---|
//! | `natter:presence` | hash | since, ttl, swept; last, shift: a time that never falls; version: the highest | one, 250 B |
//! | `natter:presence:due` | sorted set | users online, by the deadline of their last session | 140 B each |
//! | `natter:presence:<user>` | hash | `s:<session>` → deadline; version; seen (ms) | 260 B with two sessions, 30 days |
//! | `natter:key:<user>:<key>` | string | fingerprint, then the result once there is one | 220 B; 90 s, then 24 h |
//! | `natter:bucket:<class>:<who>` | string | µs when the token bucket is full again | 100 B, until it is full |
//! | `natter:log-ins:<account>` | hash | attempts, last, due: attempts to log in, and when the next may come | 150 B, an hour |
//! | `natter:log-ins:<account>:<network>` | hash | the same from a network that the account knows | 170 B, 30 days |
//! | `natter:contact` | sorted set | nodes that hear NATS, by the end of their report | 60 B each, some seconds |
//! | `natter:born` | hash | run, at: since when nothing can have been forgotten | one, 150 B |
//! | `natter:ready` | string | proves that writes are taken | one, a minute |
//!
//! 100,000 users online with two devices each: 50 MB.

use std::{
    fmt::Display,
    sync::atomic::{AtomicBool, AtomicU64, Ordering},
    time::Duration,
};

use async_trait::async_trait;
use natter_schemas::{id::UserId, rpc::PresenceChange};
use natter_tls::ClientTls;
use redis::{ErrorKind, RedisResult, Script, aio::ConnectionManager};
use tracing::{info, warn};

use super::{
    Fingerprint, Heartbeat, KeyClaim, LogInOutcome, Presence, RateDecision, RecordedResult, SharedState,
    Unavailable,
};
use crate::rates::{Cost, Rule};

mod connect;
mod breaker; // in front of every call

mod rate_limits;
mod log_ins;
mod idempotency;
mod presence;
mod contact;

use breaker::Breaker;
pub use connect::ConnectError;

/// How long a call may take, network included. Redis answers in well under a millisecond; callers have a fallback
/// that is better than waiting longer.
pub const CALL_TIMEOUT: Duration = Duration::from_millis(100);

pub struct Redis {
    connection: ConnectionManager,
    scripts: Scripts,
    timeout: Duration,
    breaker: Breaker,
    /// Whether the last answer was an error: only changes are logged.
    refusing: AtomicBool,
    /// The highest version of presence that this process knows of.
    version_seen: AtomicU64,
}

struct Scripts {
    presence: presence::Scripts,
    idempotency: idempotency::Scripts,
    rate_limits: rate_limits::Scripts,
    log_ins: log_ins::Scripts,
    contact: contact::Scripts,
}

impl Redis {
    /// Connects to `redis://[user:password@]host[:port][/db]`; waits some seconds for a Redis that starts.
    pub async fn connect(url: &str) -> Result<Self, ConnectError> {
        Self::connect_with(url, &ClientTls::default()).await
    }

    /// Also to `rediss://…`, with whom to trust and a certificate to show.
    pub async fn connect_with(url: &str, tls: &ClientTls) -> Result<Self, ConnectError> {
        let connection = connect::connect(url, tls).await?;
        let scripts = Scripts {
            presence: presence::Scripts::new(),
            idempotency: idempotency::Scripts::new(),
            rate_limits: rate_limits::Scripts::new(),
            log_ins: log_ins::Scripts::new(),
            contact: contact::Scripts::new(),
        };
        // Also starts the clock of `remembers_every_key`, and detects a Redis that cannot run the scripts.
        connect::probe(&scripts.idempotency.age(), &connection).await?;
        metrics::gauge!("natter_shared_state_responds").set(1);
        Ok(Self {
            connection,
            scripts,
            timeout: CALL_TIMEOUT,
            breaker: Breaker::new(),
            refusing: AtomicBool::new(false),
            version_seen: AtomicU64::new(0),
        })
    }

    /// Another time-out than [`CALL_TIMEOUT`].
    pub fn with_timeout(mut self, timeout: Duration) -> Self {
        self.timeout = timeout;
        self
    }

    /// One call under its time-out. The connection is shared: many calls are under way at once.
    async fn call<T>(&self, answer: impl Future<Output = RedisResult<T>>) -> Result<T, Unavailable> {
        if !self.breaker.lets_pass(self.timeout) {
            metrics::counter!("natter_shared_state_skipped_total").increment(1);
            return Err(Unavailable);
        }
        match tokio::time::timeout(self.timeout, answer).await {
            Ok(Ok(answer)) => {
                self.responded();
                if self.refusing.load(Ordering::Relaxed) && self.refusing.swap(false, Ordering::Relaxed) {
                    info!("redis works again: it answered a call without an error");
                }
                Ok(answer)
            }
            Ok(Err(cause)) if cause.kind() == ErrorKind::Io => Err(self.silent(cause)),
            Ok(Err(cause)) => {
                // An answer, if a bad one: it cost its caller no time.
                self.responded();
                Err(self.unavailable(cause))
            }
            Err(elapsed) => Err(self.silent(elapsed)),
        }
    }

    fn responded(&self) {
        if self.breaker.succeeded() {
            metrics::gauge!("natter_shared_state_responds").set(1);
            info!("redis responds again: presence and shared rate limits work");
        }
    }

    /// No answer came: until one does, few callers wait for it.
    fn silent(&self, cause: impl Display) -> Unavailable {
        metrics::counter!("natter_shared_state_failures_total").increment(1);
        if self.breaker.failed() {
            metrics::gauge!("natter_shared_state_responds").set(0);
            warn!(error = %cause, "redis does not respond; presence stands still and each node counts rate limits for itself");
        }
        Unavailable
    }

    /// Redis answers, but not what it should.
    fn unavailable(&self, cause: impl Display) -> Unavailable {
        metrics::counter!("natter_shared_state_failures_total").increment(1);
        if !self.refusing.swap(true, Ordering::Relaxed) {
            warn!(error = %cause, "redis answers with errors; until it does not, what they concern stands still");
        }
        Unavailable
    }
}

/// A script with the clock functions that it uses.
fn with_clock(text: &str) -> Script {
    Script::new(&[include_str!("clock.lua"), text].concat())
}

fn millis(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}

#[async_trait]
impl SharedState for Redis {
    async fn begin(
        &self,
        user: UserId,
        key: &str,
        fingerprint: Fingerprint,
    ) -> Result<KeyClaim, Unavailable> {
        idempotency::begin(self, user, key, fingerprint).await
    }

    async fn finish(
        &self,
        user: UserId,
        key: &str,
        fingerprint: Fingerprint,
        result: RecordedResult,
    ) -> Result<(), Unavailable> {
        idempotency::finish(self, user, key, fingerprint, result).await
    }

    async fn abandon(&self, user: UserId, key: &str) -> Result<(), Unavailable> {
        idempotency::abandon(self, user, key).await
    }

    async fn remembers_every_key(&self) -> bool {
        idempotency::remembers_every_key(self).await
    }

    async fn take(&self, cost: Cost, who: &str, rule: Rule) -> Result<RateDecision, Unavailable> {
        rate_limits::take(self, cost, who, rule).await
    }

    async fn attempt_log_in(&self, account: &str, network: &str) -> Result<Option<Duration>, Unavailable> {
        log_ins::attempt(self, account, network).await
    }

    async fn settle_log_in(
        &self,
        account: &str,
        network: &str,
        outcome: LogInOutcome,
    ) -> Result<(), Unavailable> {
        log_ins::settle(self, account, network, outcome).await
    }

    async fn heartbeat(
        &self,
        heartbeats: &[Heartbeat],
        ttl: Duration,
    ) -> Result<Vec<PresenceChange>, Unavailable> {
        presence::heartbeat(self, heartbeats, ttl).await
    }

    async fn leave(&self, heartbeat: &Heartbeat) -> Result<Option<PresenceChange>, Unavailable> {
        presence::leave(self, heartbeat).await
    }

    async fn sweep(&self, limit: usize) -> Result<Vec<PresenceChange>, Unavailable> {
        presence::sweep(self, limit).await
    }

    async fn presence(&self, users: &[UserId]) -> Result<Vec<Presence>, Unavailable> {
        presence::presence(self, users).await
    }

    async fn report_contact(&self, node: &str, ttl: Duration) -> Result<(), Unavailable> {
        contact::report(self, node, ttl).await
    }

    async fn others_have_contact(&self, node: &str) -> Result<bool, Unavailable> {
        contact::others(self, node).await
    }

    fn observe(&self, version: u64) {
        presence::observe(self, version);
    }

    async fn ready(&self) -> Result<(), Unavailable> {
        // A write: a replica, or a server without memory or disk left, still answers PING.
        let mut write = redis::cmd("SET");
        write.arg("natter:ready").arg(1).arg("EX").arg(60);
        self.call(write.query_async(&mut self.connection.clone())).await
    }
}
