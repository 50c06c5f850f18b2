use async_trait::async_trait;
use natter_schemas::{
    event::Timestamp,
    id::{ConversationId, Seq, UserId},
};

use crate::Result;

/// How far users have read, and what is beyond.
#[async_trait]
pub trait ReadMarkStore: Send + Sync + 'static {
    /// Moves the mark forward, never back; answers where it is now.
    async fn advance_read(
        &self,
        conversation: ConversationId,
        user: UserId,
        seq: Seq,
        at: Timestamp,
    ) -> Result<Seq>;
    /// 0 for none.
    async fn read_mark(&self, conversation: ConversationId, user: UserId) -> Result<Seq>;
    /// Seqs of others' messages that are not deleted, `after` < seq ≤ `up_to`, ascending, at most `limit`.
    async fn countable(
        &self,
        conversation: ConversationId,
        user: UserId,
        after: Seq,
        up_to: Seq,
        limit: usize,
    ) -> Result<Vec<Seq>>;
}
