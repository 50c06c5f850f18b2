//! Conversations as their members see them.

use serde::{Deserialize, Serialize};

use crate::{
    event::{Message, Role, Shape, Timestamp},
    id::{ConversationId, Seq, UserId},
};

/// A new conversation, or for two people the one they have.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct OpenConversation {
    pub creator: UserId,
    pub shape: Shape,
    pub name: Option<String>,
    pub participants: Vec<UserId>,
    pub traceparent: Option<String>,
}

#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct OpenedConversation {
    pub conversation: Conversation,
    pub membership: Membership,
    /// Whether it was there before.
    pub existed: bool,
}

/// With `participants`.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct GetConversation {
    pub user: UserId,
    pub conversation: ConversationId,
}

/// Newest activity first.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct ListConversations {
    pub user: UserId,
    pub limit: usize,
    pub after: Option<ListCursor>,
}

/// The last item of the page before.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct ListCursor {
    pub last_activity_at: Timestamp,
    pub conversation: ConversationId,
}

#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct ConversationList {
    pub items: Vec<Conversation>,
    pub next: Option<ListCursor>,
}

#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Rename {
    pub user: UserId,
    pub conversation: ConversationId,
    pub name: String,
    pub traceparent: Option<String>,
}

/// Every conversation the user is in.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Memberships {
    pub user: UserId,
}

#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Access {
    pub user: UserId,
    pub conversation: ConversationId,
}

/// A user's place in a conversation.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Membership {
    pub conversation: ConversationId,
    pub shape: Shape,
    /// `None`: no longer a member.
    pub role: Option<Role>,
    /// Seq of the event that said so; a higher one wins.
    pub version: Seq,
}

/// A conversation as one of its members sees it.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Conversation {
    pub id: ConversationId,
    pub shape: Shape,
    pub name: Option<String>,
    pub role: Role,
    pub created_at: Timestamp,
    pub head: Seq,
    pub read: Seq,
    pub unread: usize,
    pub last_activity_at: Timestamp,
    pub last_message: Option<Message>,
    pub participant_count: usize,
    pub participants: Option<Vec<Participant>>,
}

#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Participant {
    pub user: UserId,
    pub username: String,
    pub display_name: String,
    pub role: Role,
    pub joined_at: Timestamp,
    pub read: Seq,
}
