use async_trait::async_trait;
use natter_schemas::{
    event::Timestamp,
    id::{SessionId, UserId},
};

use crate::Result;

/// A refresh token as it is stored: its hash. The token itself exists only at the client.
pub type TokenHash = [u8; 32];

/// What became of [`SessionStore::renew_session`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Renewal {
    /// The token was the session's newest; now the next one is.
    Renewed {
        /// Whose session it is.
        user: UserId,
        /// The session, which continues.
        session: SessionId,
    },
    /// The token had been exchanged before: it has been copied. The session is ended by this call.
    Reused {
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
    /// When the session ends unless it is renewed.
    pub expires_at: Timestamp,
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
    /// Exchanges `token` for `next` atomically: of two concurrent calls one is `Renewed`, the other `Reused`.
    async fn renew_session(
        &self,
        token: TokenHash,
        next: TokenHash,
        now: Timestamp,
        expires_at: Timestamp,
    ) -> Result<Renewal>;
    /// Its refresh tokens are `Unknown` from now on.
    async fn end_session(&self, session: SessionId) -> Result<()>;
    /// Sessions not ended and not expired.
    async fn sessions_of(&self, user: UserId, now: Timestamp) -> Result<Vec<SessionId>>;
}
