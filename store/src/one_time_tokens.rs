use async_trait::async_trait;
use natter_schemas::{event::Timestamp, id::UserId};

use crate::{Result, TokenHash};

/// What a token lets whoever has it do, once.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TokenPurpose {
    /// Set a new password.
    Password,
    /// Prove that an address is theirs, and give it to the account.
    Email,
    /// Erase an account that has no password: the token is its newest log-in.
    Erasure,
}

impl TokenPurpose {
    /// Every one.
    pub const ALL: [Self; 3] = [Self::Password, Self::Email, Self::Erasure];

    /// As stored.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Password => "password",
            Self::Email => "email",
            Self::Erasure => "erasure",
        }
    }
}

/// A token as it is stored; the token itself exists only where it was sent to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct OneTimeToken {
    /// By which it is recognized.
    pub hash: TokenHash,
    /// By the log's time.
    pub expires_at: Timestamp,
}

/// One token at most for each user and purpose: a new one takes the place of the one before.
#[async_trait]
pub trait OneTimeTokenStore: Send + Sync + 'static {
    /// The only one of this user and purpose from now on. Kept for a while after it has expired.
    async fn put_one_time_token(
        &self,
        user: UserId,
        purpose: TokenPurpose,
        token: &OneTimeToken,
        now: Timestamp,
    ) -> Result<()>;
    /// Takes the token of this hash, and answers when it expires: of calls at the same moment one gets it. Whether it has
    /// expired the caller decides.
    async fn take_one_time_token(
        &self,
        user: UserId,
        purpose: TokenPurpose,
        hash: &TokenHash,
    ) -> Result<Option<Timestamp>>;
    /// When the token of this hash expires; it stays.
    async fn find_one_time_token(
        &self,
        user: UserId,
        purpose: TokenPurpose,
        hash: &TokenHash,
    ) -> Result<Option<Timestamp>>;
    /// There are none of any purpose from now on.
    async fn remove_one_time_tokens(&self, user: UserId) -> Result<()>;
}
