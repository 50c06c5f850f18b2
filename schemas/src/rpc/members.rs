//! Who is in a group, and who wants nothing of whom.

use serde::{Deserialize, Serialize};

use crate::{
    event::Role,
    id::{ConversationId, UserId},
};

/// Adds people to a group, as members. Those who are in already change nothing.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct AddMembers {
    pub by: UserId,
    pub conversation: ConversationId,
    pub users: Vec<UserId>,
    pub traceparent: Option<String>,
}

/// Takes somebody out of a group; `user` = `by` leaves. When the owner leaves, the longest-serving admin, or
/// else member, becomes owner.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct RemoveMember {
    pub by: UserId,
    pub conversation: ConversationId,
    pub user: UserId,
    pub traceparent: Option<String>,
}

/// Changes a member's role. Making somebody owner makes the present owner an admin.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct SetRole {
    pub by: UserId,
    pub conversation: ConversationId,
    pub user: UserId,
    pub role: Role,
    pub traceparent: Option<String>,
}

/// Those of `others` who are in a conversation with `user`.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Sharing {
    pub user: UserId,
    pub others: Vec<UserId>,
}

/// Blocks or unblocks somebody.
#[derive(Debug, Clone, Copy, Serialize, Deserialize)]
pub struct SetBlock {
    pub user: UserId,
    pub other: UserId,
    pub on: bool,
}

/// Whom the user has blocked.
#[derive(Debug, Clone, Copy, Serialize, Deserialize)]
pub struct Blocks {
    pub user: UserId,
}

/// The user's direct conversations in which one side has blocked the other: nobody sends into them.
#[derive(Debug, Clone, Copy, Serialize, Deserialize)]
pub struct Blocked {
    pub user: UserId,
}
