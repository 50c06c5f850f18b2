//! Read marks, and what is above them.

use serde::{Deserialize, Serialize};

use crate::{
    event::Message,
    id::{ConversationId, Seq, UserId},
    rpc::{ListCursor, ReadMark},
};

/// Moves a read mark forward, never back and never past the head; or makes what was read unread again, for the reader
/// alone.
#[derive(Debug, Clone, Copy, Serialize, Deserialize)]
pub struct MarkRead {
    /// The reader.
    pub user: UserId,
    /// The conversation it belongs to.
    pub conversation: ConversationId,
    /// The newest seq that is read, or the first that is to be unread.
    pub seq: Seq,
    /// Only the reader's own devices are sent the receipt.
    pub private: bool,
    /// The message at `seq` and everything after it is to be unread.
    pub unread: bool,
}

/// Where a read mark is now, as its reader sees it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct ReadState {
    /// The newest seq that is read.
    pub seq: Seq,
    /// Others' messages above the read mark, counted to [`limits::UNREAD`](crate::limits::UNREAD).
    pub unread: usize,
}

/// Last seq of the stream of read marks.
#[derive(Debug, Clone, Copy, Serialize, Deserialize)]
pub struct ReadMarkHead;

/// The read marks that moved above a seq of their stream, for an edge that missed them: the last of each.
#[derive(Debug, Clone, Copy, Serialize, Deserialize)]
pub struct ReadMarksAfter {
    /// The seq.
    pub after: Seq,
}

/// The answer to [`ReadMarksAfter`].
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ReadMarkPage {
    /// In the order of the stream; at most [`limits::READ_MARKS`](crate::limits::READ_MARKS).
    pub marks: Vec<ReadMark>,
    /// A seq: everything that moved up to there is in `marks`, or moved again later.
    pub up_to: Seq,
    /// More moved above it.
    pub more: bool,
}

/// The user's conversations with something unread.
#[derive(Debug, Clone, Copy, Serialize, Deserialize)]
pub struct ListInbox {
    /// The reader.
    pub user: UserId,
    /// Where to go on; `None`: from the top.
    pub after: Option<ListCursor>,
}

/// The answer to [`ListInbox`].
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Inbox {
    /// Over all conversations, each counted to [`limits::UNREAD`](crate::limits::UNREAD).
    pub total: usize,
    /// Newest activity first; at most [`limits::INBOX`](crate::limits::INBOX), and as many as fit.
    pub items: Vec<InboxItem>,
    /// Where the next page begins; `None`: this was the last.
    pub next: Option<ListCursor>,
}

/// One conversation with something unread.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct InboxItem {
    /// The conversation it belongs to.
    pub conversation: ConversationId,
    /// Others' messages above the read mark, counted to [`limits::UNREAD`](crate::limits::UNREAD).
    pub unread: usize,
    /// Newest seq of the conversation; 0 without events.
    pub head: Seq,
    /// The seq up to which the member has read.
    pub read: Seq,
    /// The newest message in its present state.
    pub last_message: Option<Message>,
}
