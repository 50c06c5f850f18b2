use async_trait::async_trait;
use natter_schemas::{event::Timestamp, id::UserId};

use crate::Result;

/// Who has blocked whom.
#[async_trait]
pub trait BlockStore: Send + Sync + 'static {
    /// Whether the block is there: not if the user has `most` others, decided together with every other block of the
    /// user. One that exists keeps its time, and stays whatever `most` is.
    async fn block(&self, user: UserId, other: UserId, at: Timestamp, most: usize) -> Result<bool>;
    /// Ends the block, as far as it is there.
    async fn unblock(&self, user: UserId, other: UserId) -> Result<()>;
    /// Whom the user has blocked, oldest first.
    async fn blocks_of(&self, user: UserId) -> Result<Vec<UserId>>;
    /// Those who have blocked the user and follow `after`, in an order of the store's own; `most` of them. Any number of
    /// users may have.
    async fn blockers(&self, user: UserId, after: Option<UserId>, most: usize) -> Result<Vec<UserId>>;
    /// Those of `others` whom the user has blocked, or who have blocked the user.
    async fn blocked_with(&self, user: UserId, others: &[UserId]) -> Result<Vec<UserId>>;
    /// Those of `others` who have blocked the user.
    async fn blocked_by(&self, user: UserId, others: &[UserId]) -> Result<Vec<UserId>>;
}
