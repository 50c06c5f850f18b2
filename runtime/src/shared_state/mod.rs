//! State that the processes of a deployment share and can afford to lose: who is online, idempotency records
//! and rate-limit buckets. The log and the store hold the only copies of everything that matters.

use std::time::Duration;

use async_trait::async_trait;
use natter_schemas::{
    event::Timestamp,
    id::{EventId, Seq, UserId},
    rpc::PresenceChange,
};

use crate::rates::{Class, Rule};

mod memory; // one process
mod redis; // several

pub use memory::{Memory, local_bucket};
pub use redis::{ConnectError, Redis};

/// How long an `Idempotency-Key` is remembered.
pub const KEY_LIFE: Duration = Duration::from_hours(24);
/// An attempt that never finished (its node died) lets others try after this: longer than any request runs.
pub const ATTEMPT_LIFE: Duration = Duration::from_secs(90);
/// How long it is remembered when somebody was last seen.
pub const LAST_SEEN_LIFE: Duration = Duration::from_hours(30 * 24);

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

/// What keeps a user online: one socket, or the requests of one session without a socket.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Heartbeat {
    pub user: UserId,
    /// Unique per socket, 64 visible ASCII characters at most.
    pub session: String,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Presence {
    pub user: UserId,
    pub online: bool,
    /// Of somebody online: the last beat. `None`: not within [`LAST_SEEN_LIFE`].
    pub last_seen: Option<Timestamp>,
    /// Rises with every change of this user, also when the state was lost in between. Of somebody unknown: 0
    /// while the state is younger than one beat's life, for those online may not have beaten yet; later a
    /// version above everything told before the state began, so that "offline" settles.
    pub version: u64,
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

    /// Keeps these sessions alive for `ttl` and answers the users who come online by it. Beats are due every
    /// third of `ttl`, so that one may be lost. `Down` when none of the beats is known to have arrived.
    ///
    /// This and the next two tell every change to one caller once, or to nobody when the answer is lost on its
    /// way: who shows presence compares with [`presence`](Self::presence) from time to time.
    async fn heartbeat(&self, heartbeats: &[Heartbeat], ttl: Duration) -> Result<Vec<PresenceChange>, Down>;
    /// The orderly end of a session; a change if it was the user's last. A session that died without one counts
    /// until the next sweep.
    async fn leave(&self, heartbeat: &Heartbeat) -> Result<Option<PresenceChange>, Down>;
    /// Takes at most `limit` users offline whose last session has expired. Any number of sweepers may run: one
    /// of them gets each change. After the state has begun anew, or was not swept for half a `ttl`
    /// (it stood still), nobody expires for one `ttl`: those online need the time to beat again.
    async fn sweep(&self, limit: usize) -> Result<Vec<PresenceChange>, Down>;
    /// Who is online, in the order asked.
    async fn presence(&self, users: &[UserId]) -> Result<Vec<Presence>, Down>;

    /// Whether the state answers and takes writes.
    async fn ready(&self) -> Result<(), Down>;
}
