//! State that the processes of a deployment share and can afford to lose: idempotency records and rate-limit
//! buckets. The log and the store hold the only copies of everything that matters.

use std::time::Duration;

use async_trait::async_trait;
use schemas::{
    event::Timestamp,
    id::{EventId, Seq, UserId},
};

use crate::rates::{Class, Rule};

mod memory;

pub use memory::{Memory, local_bucket};

/// How long an `Idempotency-Key` is remembered.
pub const KEY_LIFE: Duration = Duration::from_secs(24 * 3600);
/// An attempt that never finished (its node died) lets others try after this: longer than any request runs.
pub const ATTEMPT_LIFE: Duration = Duration::from_secs(90);

/// The shared state does not answer; callers fall back to what is safe.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the shared state does not answer")]
pub struct Down;

/// BLAKE3 of what the first request with a key said.
pub type Fingerprint = [u8; 32];

/// What a finished request produced: enough to give the same answer again, without its content.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Receipt {
    pub message: EventId,
    pub seq: Seq,
    pub created_at: Timestamp,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Attempt {
    /// Nobody holds the key: this attempt does, until `finish` or `abandon`.
    First,
    /// Another attempt with the same request is under way.
    InProgress,
    /// The key was used with another request.
    Mismatch,
    Finished(Receipt),
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Taken {
    Allowed { remaining: u32 },
    Limited { retry_after: Duration },
}

#[async_trait]
pub trait SharedState: Send + Sync + 'static {
    /// Claims an idempotency key for one attempt.
    async fn begin(&self, user: UserId, key: &str, fingerprint: Fingerprint) -> Result<Attempt, Down>;
    /// The attempt succeeded: later ones get `receipt` for [`KEY_LIFE`].
    async fn finish(
        &self,
        user: UserId,
        key: &str,
        fingerprint: Fingerprint,
        receipt: Receipt,
    ) -> Result<(), Down>;
    /// The attempt was refused or failed: the key is free again.
    async fn abandon(&self, user: UserId, key: &str) -> Result<(), Down>;
    /// Whether a key used within [`KEY_LIFE`] would be known: false while the state itself is younger.
    async fn remembers_every_key(&self) -> bool;
    /// Takes one token from the bucket of `who` in `class`.
    async fn take(&self, class: Class, who: &str, rule: Rule) -> Result<Taken, Down>;
}
