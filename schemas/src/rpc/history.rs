//! What was said.

use serde::{Deserialize, Serialize};

use crate::{
    event::{LogEntry, Message},
    id::{ConversationId, EventId, Seq},
};

/// Where a page of messages lies.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum Window {
    Newest,
    Before(Seq),
    After(Seq),
}

/// Messages in their present state, ascending by seq.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Page {
    pub conversation: ConversationId,
    pub window: Window,
    pub limit: usize,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct PageReply {
    pub messages: Vec<Message>,
    /// More in the direction of the window (for the newest page: older ones).
    pub has_more: bool,
    pub head: Seq,
}

/// Every event after a position, as it was logged.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct EventsAfter {
    pub conversation: ConversationId,
    pub after: Seq,
    pub limit: usize,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Replay {
    /// Ascending; at most `limit`.
    pub events: Vec<LogEntry>,
    /// More than `limit` follow the position.
    pub more: bool,
    /// An event of this conversation is known at `after`, so the first of `events` chains to it.
    pub anchored: bool,
    /// Newest seq of the conversation when this was read.
    pub head: Seq,
}

/// Newest seq of each conversation, in the order asked; 0 for one without events.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Heads {
    pub conversations: Vec<ConversationId>,
}

/// Last seq of every partition's log, by partition.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct LogHeads;

/// The event with this id, if this conversation has it: how a late retry finds its first attempt.
#[derive(Debug, Clone, Copy, Serialize, Deserialize)]
pub struct FindEvent {
    pub conversation: ConversationId,
    pub event: EventId,
}

#[derive(Debug, Clone, Copy, Serialize, Deserialize)]
pub struct GetMessage {
    pub conversation: ConversationId,
    pub seq: Seq,
}
