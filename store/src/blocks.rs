use async_trait::async_trait;
use natter_schemas::{event::Timestamp, id::UserId};

use crate::Result;

/// Who has blocked whom.
#[async_trait]
pub trait BlockStore: Send + Sync + 'static {
    /// `on`: blocks, else unblocks. A block that exists keeps its time.
    async fn set_block(&self, user: UserId, other: UserId, on: bool, at: Timestamp) -> Result<()>;
    /// Whom the user has blocked, oldest first.
    async fn blocks_of(&self, user: UserId) -> Result<Vec<UserId>>;
    /// Whom the user has blocked and who has blocked the user.
    async fn blocked_with(&self, user: UserId) -> Result<Vec<UserId>>;
    /// Those of `others` who have blocked the user.
    async fn blocked_by(&self, user: UserId, others: &[UserId]) -> Result<Vec<UserId>>;
}
