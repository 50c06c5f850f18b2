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

/// Log-ins and their refresh tokens.
#[async_trait]
pub trait SessionStore: Send + Sync + 'static {
    /// Opens a session with its first refresh token.
    async fn add_session(
        &self,
        session: SessionId,
        user: UserId,
        token: TokenHash,
        expires_at: Timestamp,
    ) -> Result<()>;
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
