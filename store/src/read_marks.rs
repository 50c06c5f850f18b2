use async_trait::async_trait;
use natter_schemas::{
    event::Timestamp,
    id::{ConversationId, Seq, UserId},
};

use crate::{ReadPosition, Result, UnreadMark};

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
    /// The mark, with what was marked as unread after it.
    async fn read_position(&self, conversation: ConversationId, user: UserId) -> Result<ReadPosition>;
    /// Unless one of a higher version is there, or one of the same that is further on.
    async fn mark_unread(&self, conversation: ConversationId, user: UserId, mark: UnreadMark) -> Result<()>;
    /// Unread marks up to this version count no longer.
    async fn end_unread(&self, conversation: ConversationId, user: UserId, version: u64) -> Result<()>;
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
