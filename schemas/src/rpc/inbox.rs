//! What was not read yet.

use serde::{Deserialize, Serialize};

use crate::{
    event::Message,
    id::{ConversationId, Seq, UserId},
};

/// Moves a read mark forward, never back and never past the head.
#[derive(Debug, Clone, Copy, Serialize, Deserialize)]
pub struct MarkRead {
    pub user: UserId,
    pub conversation: ConversationId,
    pub seq: Seq,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Mark {
    pub seq: Seq,
    pub unread: usize,
}

/// The user's conversations with something unread.
#[derive(Debug, Clone, Copy, Serialize, Deserialize)]
pub struct ListInbox {
    pub user: UserId,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Inbox {
    /// Over all conversations, each counted to [`limits::UNREAD`](crate::limits::UNREAD).
    pub total: usize,
    /// Newest activity first; at most [`limits::INBOX`](crate::limits::INBOX).
    pub items: Vec<InboxItem>,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct InboxItem {
    pub conversation: ConversationId,
    pub unread: usize,
    pub head: Seq,
    pub read: Seq,
    pub last_message: Option<Message>,
}
