//! Messages and events.

use serde::{Deserialize, Serialize};

use crate::{
    event::{LogEntry, Message, Reaction, Timestamp},
    id::{ConversationId, EventId, Seq, UserId},
    rpc::PersonCursor,
};

/// Where a page of messages lies.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum Window {
    /// The last ones.
    Newest,
    /// Those below this seq.
    Before(Seq),
    /// Those above this seq.
    After(Seq),
}

/// A page as one user is shown it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct GetPage {
    /// The reader.
    pub user: UserId,
    /// Which.
    pub page: Page,
}

/// Messages in their present state, ascending by seq.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Page {
    /// The conversation it belongs to.
    pub conversation: ConversationId,
    /// Which part.
    pub window: Window,
    /// At most so many.
    pub limit: usize,
}

/// The answer to [`GetPage`].
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct PageReply {
    /// Ascending by seq.
    pub messages: Vec<Message>,
    /// More in the direction of the window (for the newest page: older ones).
    pub has_more: bool,
    /// Newest seq of the conversation; 0 without events.
    pub head: Seq,
}

impl PageReply {
    /// What to show of a conversation whose newest messages these are: the newest that is not deleted, or else the newest.
    #[must_use]
    pub fn preview(mut self) -> Option<Message> {
        let shown = self.messages.iter().rposition(|message| message.deleted_at.is_none());
        let last = self.messages.len().checked_sub(1)?;
        Some(self.messages.swap_remove(shown.unwrap_or(last)))
    }
}

/// The events after a position as one user is sent them again.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct EventsAfter {
    /// To whom.
    pub user: UserId,
    /// Which.
    pub part: ReplayPart,
}

/// The same for the sockets of an edge that missed them live.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct RoomEventsAfter {
    /// Which.
    pub part: ReplayPart,
}

/// The events after a position, the first of them, as they were logged. What is deleted by now is without its content.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct ReplayPart {
    /// The conversation it belongs to.
    pub conversation: ConversationId,
    /// The position; 0 for the beginning.
    pub after: Seq,
    /// With more than so many the answer is [`Replay::more`].
    pub limit: usize,
    /// The [`Replay::head`] of the part before: up to there everything is counted and looked through for deletions. 0 for the
    /// first part.
    pub scanned: Seq,
}

/// The answer to [`EventsAfter`] and [`RoomEventsAfter`].
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Replay {
    /// Ascending; at most `limit`, and as many as [`limits::REPLAY`](crate::limits::REPLAY) bytes hold.
    pub events: Vec<LogEntry>,
    /// Messages that were deleted above `scanned`, and when.
    pub deleted: Vec<(Seq, Timestamp)>,
    /// More than `limit` follow the position.
    pub more: bool,
    /// Not all that follow are in `events`: the rest is to be asked for from the last of them.
    pub cut: bool,
    /// An event of this conversation is known at `after`, so the first of `events` chains to it.
    pub anchored: bool,
    /// Newest seq of the conversation when this was read.
    pub head: Seq,
}

impl Replay {
    /// When the message that an event posts or edits was deleted; `None`: it is not.
    pub fn deleted_at(&self, logged: &LogEntry) -> Option<Timestamp> {
        let target = logged.content_of()?;
        self.deleted.iter().find(|(deleted, _)| *deleted == target).map(|(_, at)| *at)
    }
}

/// Newest seq of a conversation; 0 for one without events.
#[derive(Debug, Clone, Copy, Serialize, Deserialize)]
pub struct GetHead {
    /// Who asks.
    pub user: UserId,
    /// The conversation it belongs to.
    pub conversation: ConversationId,
}

/// The newest seqs of an edge's rooms, in the order asked: what its sockets have everything up to.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct RoomHeads {
    /// Which.
    pub conversations: Vec<ConversationId>,
}

/// Last seq of every partition's log, by partition.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct LogHeads;

/// The event with this id, if this conversation has it: how a late retry finds its first attempt.
#[derive(Debug, Clone, Copy, Serialize, Deserialize)]
pub struct FindEvent {
    /// Whose attempt it was.
    pub user: UserId,
    /// The conversation it belongs to.
    pub conversation: ConversationId,
    /// The event's id.
    pub event: EventId,
}

/// Each of these events, in order, if it is older than the log's duplicate window. One within it is found only by
/// chance: the log itself recognizes it when it is published again.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct FindOlderEvents {
    /// At most [`limits::LOOKUP_BATCH`](crate::limits::LOOKUP_BATCH).
    pub events: Vec<FindEvent>,
}

/// The message at a seq in its present state.
#[derive(Debug, Clone, Copy, Serialize, Deserialize)]
pub struct GetMessage {
    /// Who is shown it.
    pub user: UserId,
    /// The conversation it belongs to.
    pub conversation: ConversationId,
    /// Position in the partition's log.
    pub seq: Seq,
}

/// The message at a seq in its present state, for whoever decides on it: with the end of its conversation that this
/// state includes, behind which the decision can be stored.
#[derive(Debug, Clone, Copy, Serialize, Deserialize)]
pub struct GetTarget {
    /// Who decides.
    pub user: UserId,
    /// The conversation it belongs to.
    pub conversation: ConversationId,
    /// Position in the partition's log.
    pub seq: Seq,
}

/// The answer to [`GetTarget`].
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Target {
    /// `None`: there is no message at the seq.
    pub message: Option<Message>,
    /// The conversation's last event in the log; 0: the log has none of it.
    pub last: Seq,
}

/// Who reacted to a message with one emoji, oldest first.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct ListReactors {
    /// Who asks.
    pub user: UserId,
    /// The conversation it belongs to.
    pub conversation: ConversationId,
    /// The message's.
    pub seq: Seq,
    /// In whichever spelling.
    pub emoji: String,
    /// Where to go on; `None`: from the first.
    pub after: Option<PersonCursor>,
    /// At most so many.
    pub limit: usize,
}

/// The answer to [`ListReactors`].
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Reactors {
    /// Of everyone; its users are those of the page.
    pub reaction: Reaction,
    /// Where the next page begins; `None`: this was the last.
    pub next: Option<PersonCursor>,
}
