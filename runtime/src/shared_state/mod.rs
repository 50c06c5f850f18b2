//! State that the processes of a deployment share and can afford to lose: who is online, idempotency records
//! and token buckets of rate limits. The log and the store hold the only copies of everything that matters.

use std::time::Duration;

use async_trait::async_trait;
use natter_schemas::{
    event::Timestamp,
    id::{EventId, Seq, SessionId, UserId},
    rpc::PresenceChange,
};

use crate::rates::{Cost, Rule};

mod memory; // one process
mod redis; // several

pub use memory::{Memory, local_token_bucket};
pub use redis::{ConnectError, Redis};

/// How long an `Idempotency-Key` is remembered.
pub const KEY_TTL: Duration = Duration::from_hours(24);
/// An attempt that never finished (its node died) lets others try after this: longer than any request runs.
pub const CLAIM_TTL: Duration = Duration::from_secs(90);
/// How long it is known when a user was last seen.
pub const LAST_SEEN_TTL: Duration = Duration::from_hours(30 * 24);

/// The shared state does not respond; callers fall back to what is safe.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the shared state does not respond")]
pub struct Unavailable;

/// BLAKE3 of the body of the first request with a key.
pub type Fingerprint = [u8; 32];

/// What a finished request produced: enough to give the same answer again, without its content.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RecordedResult {
    pub message: EventId,
    pub seq: Seq,
    pub created_at: Timestamp,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum KeyClaim {
    /// The key was free: this attempt holds it until `finish` or `abandon`.
    Claimed,
    /// Another attempt with the same request is under way.
    InProgress,
    /// The key was used with another request.
    Mismatch,
    Finished(RecordedResult),
}

/// How an attempt to log in ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LogInOutcome {
    Succeeded,
    /// There was none: the user has proved otherwise to be there (has registered, renewed a session).
    Unneeded,
    /// The password was not checked: a service was away or busy.
    Undecided,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RateDecision {
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

impl Heartbeat {
    /// Of a session that sends heartbeats itself; it ends with the session.
    pub fn without_socket(user: UserId, session: SessionId) -> Self {
        Self { user, session: format!("rest-{session}") }
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Presence {
    pub user: UserId,
    pub online: bool,
    /// Of a user online: the last heartbeat. `None`: not within [`LAST_SEEN_TTL`].
    pub last_seen: Option<Timestamp>,
    /// Rises with every change, also when the state was lost in between. Of an unknown user: 0 while the state is
    /// younger than one TTL, because users online may not have sent a heartbeat yet; later one as high as any that was
    /// given out or [observed](SharedState::observe), so that "offline" wins.
    pub version: u64,
}

#[async_trait]
pub trait SharedState: Send + Sync + 'static {
    /// Claims an idempotency key for one attempt.
    async fn begin(&self, user: UserId, key: &str, fingerprint: Fingerprint)
    -> Result<KeyClaim, Unavailable>;
    /// The attempt succeeded: later ones get `receipt` for [`KEY_LIFE`].
    async fn finish(
        &self,
        user: UserId,
        key: &str,
        fingerprint: Fingerprint,
        result: RecordedResult,
    ) -> Result<(), Unavailable>;
    /// The attempt was refused or failed: the key is free again.
    async fn abandon(&self, user: UserId, key: &str) -> Result<(), Unavailable>;
    /// Whether a key used within [`KEY_LIFE`] would be known: false while the state itself is younger.
    async fn remembers_every_key(&self) -> bool;
    /// Takes the tokens of a request from the token bucket of `who` in its class, all of them or none.
    async fn take(&self, cost: Cost, who: &str, rule: Rule) -> Result<RateDecision, Unavailable>;

    /// Counts an attempt to log in to an account before its password is checked, so that attempts at the same moment
    /// are no way around. Returns how long to wait instead, when there were too many: they are
    /// [`limits::LOG_INS_AT_ONCE`](natter_schemas::limits::LOG_INS_AT_ONCE), then one after each wait, which doubles.
    ///
    /// A network that the account was logged in to from is counted for itself: attempts from elsewhere do not keep its
    /// owner out. Both texts are names that callers choose, of 64 visible ASCII characters at most.
    async fn attempt_log_in(&self, account: &str, network: &str) -> Result<Option<Duration>, Unavailable>;
    /// Takes back an attempt that was not a wrong password. Except after `Undecided` the account knows the network from
    /// then on.
    async fn settle_log_in(
        &self,
        account: &str,
        network: &str,
        outcome: LogInOutcome,
    ) -> Result<(), Unavailable>;

    /// Keeps these sessions alive for `ttl` and returns the users who come online by it. Heartbeats are due every
    /// third of `ttl`, so that one may be lost. `Unavailable` when none of the heartbeats is known to have arrived.
    ///
    /// This and the next two report every change to one caller once, or to none when the response is lost: viewers
    /// of presence compare with [`presence`](Self::presence) from time to time.
    async fn heartbeat(
        &self,
        heartbeats: &[Heartbeat],
        ttl: Duration,
    ) -> Result<Vec<PresenceChange>, Unavailable>;
    /// The orderly end of a session; a change if it was the user's last. A session that died without one counts
    /// until the next sweep.
    async fn leave(&self, heartbeat: &Heartbeat) -> Result<Option<PresenceChange>, Unavailable>;
    /// Takes at most `limit` users offline whose last session has expired. Any number of sweepers may run: one
    /// of them gets each change. After the state has begun again, or was not swept for half a `ttl`
    /// (Redis was suspended), no user expires for one `ttl`: those online need the time to send heartbeats again.
    async fn sweep(&self, limit: usize) -> Result<Vec<PresenceChange>, Unavailable>;
    /// Who is online, in the order asked.
    async fn presence(&self, users: &[UserId]) -> Result<Vec<Presence>, Unavailable>;

    /// This node hears NATS, and is known to for `ttl`. All nodes name the same `ttl`.
    async fn report_contact(&self, node: &str, ttl: Duration) -> Result<(), Unavailable>;
    /// Whether a node other than this one is known to hear NATS.
    async fn others_have_contact(&self, node: &str) -> Result<bool, Unavailable>;

    /// A version that another process was given: what the state counts from now on is above it. It decides with no
    /// clock which of two reports is newer, and what it forgets in a restart its callers still know.
    fn observe(&self, version: u64);

    /// Fails unless the state responds and takes writes.
    async fn ready(&self) -> Result<(), Unavailable>;
}
