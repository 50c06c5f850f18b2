use async_trait::async_trait;
use natter_schemas::{
    event::{Member, Shape, Timestamp},
    id::{ConversationId, Seq, UserId},
    rpc::Membership,
};

use crate::Result;

/// A present member of a conversation.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct MemberRow {
    /// User and role.
    pub member: Member,
    /// Time of the newest event that made the user a member.
    pub joined_at: Timestamp,
    /// The member's read mark.
    pub read: Seq,
}

/// Who is in which conversation, derived from its events.
#[async_trait]
pub trait MemberStore: Send + Sync + 'static {
    /// Present members, in the order in which they joined by the log: the clocks of who added them may differ.
    async fn members(&self, id: ConversationId) -> Result<Vec<MemberRow>>;
    /// `None`: never a member. A former member has `role: None`.
    async fn membership(&self, conversation: ConversationId, user: UserId) -> Result<Option<Membership>>;
    /// Present memberships only.
    async fn memberships(&self, user: UserId) -> Result<Vec<Membership>>;
    /// Those of `others` who are in a conversation with `user` now; with a `shape`, in one of that shape. Goes over `most`
    /// memberships of all of them together; who is not found in these is not found.
    async fn sharing(
        &self,
        user: UserId,
        others: &[UserId],
        shape: Option<Shape>,
        most: usize,
    ) -> Result<Vec<UserId>>;
}
