use std::time::Duration;

use async_trait::async_trait;
use natter_schemas::{
    event::Timestamp,
    id::{SessionId, UserId},
};

use crate::Result;

/// A refresh token as it is stored: its hash. The token itself exists only at the client.
pub type TokenHash = [u8; 32];

/// What a refresh token's successor is derived from, together with the token itself: whoever presents the token
/// again while the seed is kept is answered with the same successor. Without the token it is worth nothing.
pub type Seed = [u8; 32];

/// A refresh token that is to be exchanged.
#[derive(Debug, Clone)]
pub struct Exchange {
    /// The token as presented.
    pub token: TokenHash,
    /// Its successor, should this be the call that exchanges it.
    pub next: TokenHash,
    /// What the successor was derived from.
    pub seed: Seed,
    /// By the caller's clock: what has expired.
    pub now: Timestamp,
    /// When the session ends unless it is renewed again.
    pub expires_at: Timestamp,
    /// So long after its exchange a token may be presented again. In a cluster its own clock measures it; in a file
    /// `now` does, whose callers are on one machine. Whole seconds; zero: never.
    pub grace: Duration,
}

/// What became of [`SessionStore::renew_session`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Renewal {
    /// The session goes on.
    Renewed {
        /// Whose session it is.
        user: UserId,
        /// The session, which continues.
        session: SessionId,
        /// From the presented token to the session's newest: each is the seed of the next token. Usually the
        /// caller's own alone; that of another call when the token was exchanged a moment ago.
        seeds: Vec<Seed>,
    },
    /// The token had been exchanged before: it has been copied. The session is ended by this call.
    Reused {
        /// Whose session it was.
        user: UserId,
        /// The session, now ended.
        session: SessionId,
    },
    /// The password was changed since the session was opened, and not by this session: it should have been ended
    /// with the change. It is ended by this call.
    PasswordChanged {
        /// Whose session it was.
        user: UserId,
        /// The session, now ended.
        session: SessionId,
    },
    /// Never issued, or its session has ended or expired.
    Unknown,
}

/// A log-in that is to become a session.
#[derive(Debug, Clone)]
pub struct NewSession {
    /// Its id.
    pub session: SessionId,
    /// Who logged in.
    pub user: UserId,
    /// The password hash the log-in was checked against. It names one version of the credential: its salt is
    /// new with every change, also when the password stays the same.
    pub password_hash: String,
    /// The first refresh token.
    pub token: TokenHash,
    /// By the caller's clock: rows are kept from then on.
    pub now: Timestamp,
    /// When the session ends unless it is renewed.
    pub expires_at: Timestamp,
}

/// Names the version of the credential that a log-in was checked against: a password hash has a new salt with
/// every change. A hash of it, so that sessions are not another place to steal password hashes from.
pub(crate) type CredentialVersion = [u8; 32];

pub(crate) fn credential_version(password_hash: &str) -> CredentialVersion {
    *blake3::hash(password_hash.as_bytes()).as_bytes()
}

/// What decides whether a change of the password has left a session alive.
pub(crate) struct Credential<'a> {
    /// The session's; `None`: opened before versions were stored.
    pub opened_with: Option<&'a [u8]>,
    /// The user's present one.
    pub current: CredentialVersion,
    /// The session that set it, as it is stored; all zeros for none, `None`: never changed since versions are stored.
    pub set_by: Option<&'a [u8]>,
}

impl Credential<'_> {
    /// Decided by what is stored with the user alone, in one row: there is no moment at which the new password is
    /// there and other sessions are still alive.
    pub fn is_current(&self, session: SessionId) -> bool {
        match (self.opened_with, self.set_by) {
            (_, Some(by)) if by == session.as_bytes() => true,
            (Some(opened_with), _) => opened_with == self.current,
            (None, changed) => changed.is_none(),
        }
    }
}

/// What became of [`SessionStore::add_session`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum AddSession {
    /// The session is open; also for a repeated call.
    Added,
    /// The user's password hash is no longer the one given: there is no such session.
    PasswordChanged,
}

/// Log-ins and their refresh tokens.
#[async_trait]
pub trait SessionStore: Send + Sync + 'static {
    /// Opens a session with its first refresh token, if its credential is still the user's. Once
    /// `set_password_hash` has returned, every session opened with an earlier hash is either in `sessions_of` or
    /// refused here.
    async fn add_session(&self, opened: &NewSession) -> Result<AddSession>;
    /// Exchanges a token for the next atomically: of concurrent calls one does, and the others are `Renewed` with
    /// its seed, or `Reused` without grace.
    async fn renew_session(&self, exchange: &Exchange) -> Result<Renewal>;
    /// Ends sessions of the user beyond `most`, and returns them: those that would expire first, because they were renewed
    /// least recently, and `opened` last, which a log-in has just opened; at most
    /// [`SESSIONS_ENDED_AT_ONCE`](natter_schemas::limits::SESSIONS_ENDED_AT_ONCE). Calls at the same moment, each after its
    /// `add_session`, leave `most` together, of which one's `opened` need not be one.
    async fn end_excess_sessions(
        &self,
        user: UserId,
        opened: SessionId,
        most: usize,
    ) -> Result<Vec<SessionId>>;
    /// Its refresh tokens are `Unknown` from now on.
    async fn end_session(&self, session: SessionId) -> Result<()>;
    /// Sessions not ended and not expired, those too that a change of the password has left without effect: who
    /// ends a user's sessions announces the end of these as well.
    async fn sessions_of(&self, user: UserId, now: Timestamp) -> Result<Vec<SessionId>>;
}
