//! Members of groups, and blocks.

use serde::{Deserialize, Serialize};

use crate::{
    event::Role,
    id::{ConversationId, UserId},
    rpc::PersonCursor,
};

/// Adds people to a group, as members. Those who are in already change nothing.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct AddMembers {
    /// Who does it; must be allowed to.
    pub by: UserId,
    /// The conversation it belongs to.
    pub conversation: ConversationId,
    /// The new members.
    pub users: Vec<UserId>,
    /// W3C Trace Context of the request, for the events it causes.
    pub traceparent: Option<String>,
}

/// Takes a member out of a group; `user` = `by` leaves. When the owner leaves, the longest-serving admin, or
/// else member, becomes owner.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct RemoveMember {
    /// Who does it; must be allowed to.
    pub by: UserId,
    /// The conversation it belongs to.
    pub conversation: ConversationId,
    /// Whom it is about; for calls of a user, the caller.
    pub user: UserId,
    /// W3C Trace Context of the request, for the events it causes.
    pub traceparent: Option<String>,
}

/// Changes a member's role. Making another member owner makes the present owner an admin.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct SetRole {
    /// Who does it; must be allowed to.
    pub by: UserId,
    /// The conversation it belongs to.
    pub conversation: ConversationId,
    /// Whom it is about; for calls of a user, the caller.
    pub user: UserId,
    /// What the member may do.
    pub role: Role,
    /// W3C Trace Context of the request, for the events it causes.
    pub traceparent: Option<String>,
}

/// Those of `others` who are in a conversation with `user`.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct FindSharingUsers {
    /// Whom it is about; for calls of a user, the caller.
    pub user: UserId,
    /// Whom to look for.
    pub others: Vec<UserId>,
}

/// Blocks or unblocks a user.
#[derive(Debug, Clone, Copy, Serialize, Deserialize)]
pub struct SetBlock {
    /// Whom it is about; for calls of a user, the caller.
    pub user: UserId,
    /// Whom it is about.
    pub other: UserId,
    /// Whether to block.
    pub on: bool,
}

/// Whom the user has blocked, oldest first.
#[derive(Debug, Clone, Copy, Serialize, Deserialize)]
pub struct Blocks {
    /// Whom it is about; for calls of a user, the caller.
    pub user: UserId,
    /// Where to go on; `None`: from the first.
    pub after: Option<PersonCursor>,
    /// At most so many.
    pub limit: usize,
}

/// The answer to [`Blocks`].
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct UserPage {
    /// In the order of the list.
    pub items: Vec<UserId>,
    /// Where the next page begins; `None`: this was the last.
    pub next: Option<PersonCursor>,
}

/// The user's direct conversations in which one side has blocked the other: neither side can send into them.
#[derive(Debug, Clone, Copy, Serialize, Deserialize)]
pub struct ListBlockedConversations {
    /// Whom it is about; for calls of a user, the caller.
    pub user: UserId,
    /// Those behind this one; `None`: from the first.
    pub after: Option<ConversationId>,
}

/// The answer to [`ListBlockedConversations`].
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ConversationIdPage {
    /// Ascending; at most [`limits::MEMBERSHIPS_PER_CALL`](crate::limits::MEMBERSHIPS_PER_CALL).
    pub items: Vec<ConversationId>,
    /// More follow the last one.
    pub has_more: bool,
}
