use async_trait::async_trait;
use natter_schemas::{
    event::{Role, Shape, Timestamp},
    id::{ConversationId, Seq, UserId},
    rpc::ListCursor,
};

use crate::{ReadPosition, Result};

/// A conversation's present state.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ConversationRow {
    /// Its id.
    pub id: ConversationId,
    /// Direct or group, from its `Created` event.
    pub shape: Shape,
    /// The newest name; `None` for a direct conversation and a group without one.
    pub name: Option<String>,
    /// Time of its `Created` event.
    pub created_at: Timestamp,
    /// Members now.
    pub members: usize,
    /// Newest persisted seq of any event.
    pub head: Seq,
    /// Time of the newest message, membership change or name; edits, deletions and reactions do not count.
    pub last_activity_at: Timestamp,
}

/// A conversation in its member's list.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ListedRow {
    /// What every member sees.
    pub conversation: ConversationRow,
    /// The member's role.
    pub role: Role,
    /// How far the member has read.
    pub read: ReadPosition,
}

/// What conversations are, derived from their events.
#[async_trait]
pub trait ConversationStore: Send + Sync + 'static {
    /// `None`: unknown, or its `Created` event has not been persisted yet.
    async fn conversation(&self, id: ConversationId) -> Result<Option<ConversationRow>>;
    /// The user's conversations, newest activity first, ties by id downwards.
    async fn list_conversations(
        &self,
        user: UserId,
        after: Option<ListCursor>,
        limit: usize,
    ) -> Result<Vec<ListedRow>>;
    /// The user's conversations with messages of others above what was read that are not deleted, in any order, and how
    /// many these are, each counted to `most`.
    async fn unread(&self, user: UserId, most: usize) -> Result<Vec<(ListedRow, usize)>>;
    /// Newest persisted seq of each, 0 for none.
    async fn heads(&self, conversations: &[ConversationId]) -> Result<Vec<Seq>>;
    /// Those after this one that have any event, in an order of the store's own: every one that is there throughout
    /// comes once.
    async fn conversations_after(
        &self,
        after: Option<ConversationId>,
        most: usize,
    ) -> Result<Vec<ConversationId>>;
}
