//! The shared state of one process, with a defect in it that a test can switch on, and without presence if a test says so.

use std::{
    sync::atomic::{AtomicBool, AtomicUsize, Ordering},
    time::Duration,
};

use async_trait::async_trait;
use natter_runtime::{
    rates::{Cost, Rule},
    shared_state::{
        Fingerprint, Heartbeat, KeyClaim, LogInOutcome, Memory, Presence, RateDecision, RecordedResult,
        SharedState, Unavailable,
    },
};
use natter_schemas::{id::UserId, rpc::PresenceChange};

#[derive(Default)]
pub struct Fragile {
    memory: Memory,
    broken: AtomicBool,
    away: AtomicBool,
    ended: AtomicUsize,
}

impl Fragile {
    /// The next look-up of presence panics.
    pub fn break_once(&self) {
        self.broken.store(true, Ordering::SeqCst);
    }

    /// Whether neither presence nor the contact of others is known, as without Redis.
    pub fn set_away(&self, away: bool) {
        self.away.store(away, Ordering::SeqCst);
    }

    /// Sessions ended so far.
    pub fn ended(&self) -> usize {
        self.ended.load(Ordering::SeqCst)
    }

    fn presence_answers(&self) -> Result<(), Unavailable> {
        if self.away.load(Ordering::SeqCst) { Err(Unavailable) } else { Ok(()) }
    }
}

#[async_trait]
impl SharedState for Fragile {
    async fn begin(
        &self,
        user: UserId,
        key: &str,
        fingerprint: Fingerprint,
    ) -> Result<KeyClaim, Unavailable> {
        self.memory.begin(user, key, fingerprint).await
    }

    async fn finish(
        &self,
        user: UserId,
        key: &str,
        print: Fingerprint,
        receipt: RecordedResult,
    ) -> Result<(), Unavailable> {
        self.memory.finish(user, key, print, receipt).await
    }

    async fn abandon(&self, user: UserId, key: &str) -> Result<(), Unavailable> {
        self.memory.abandon(user, key).await
    }

    async fn remembers_every_key(&self) -> bool {
        self.memory.remembers_every_key().await
    }

    async fn take(&self, cost: Cost, who: &str, rule: Rule) -> Result<RateDecision, Unavailable> {
        self.memory.take(cost, who, rule).await
    }

    async fn attempt_log_in(&self, account: &str, network: &str) -> Result<Option<Duration>, Unavailable> {
        self.memory.attempt_log_in(account, network).await
    }

    async fn settle_log_in(
        &self,
        account: &str,
        network: &str,
        outcome: LogInOutcome,
    ) -> Result<(), Unavailable> {
        self.memory.settle_log_in(account, network, outcome).await
    }

    async fn heartbeat(
        &self,
        heartbeats: &[Heartbeat],
        ttl: Duration,
    ) -> Result<Vec<PresenceChange>, Unavailable> {
        self.presence_answers()?;
        self.memory.heartbeat(heartbeats, ttl).await
    }

    async fn leave(&self, heartbeat: &Heartbeat) -> Result<Option<PresenceChange>, Unavailable> {
        self.presence_answers()?;
        let left = self.memory.leave(heartbeat).await;
        self.ended.fetch_add(1, Ordering::SeqCst);
        left
    }

    async fn sweep(&self, limit: usize) -> Result<Vec<PresenceChange>, Unavailable> {
        self.memory.sweep(limit).await
    }

    async fn presence(&self, users: &[UserId]) -> Result<Vec<Presence>, Unavailable> {
        assert!(!self.broken.swap(false, Ordering::SeqCst), "a defect, as asked for by this test");
        self.presence_answers()?;
        self.memory.presence(users).await
    }

    async fn report_contact(&self, node: &str, ttl: Duration) -> Result<(), Unavailable> {
        self.memory.report_contact(node, ttl).await
    }

    async fn others_have_contact(&self, node: &str) -> Result<bool, Unavailable> {
        self.presence_answers()?;
        self.memory.others_have_contact(node).await
    }

    fn observe(&self, version: u64) {
        self.memory.observe(version);
    }

    async fn ready(&self) -> Result<(), Unavailable> {
        self.memory.ready().await
    }
}
