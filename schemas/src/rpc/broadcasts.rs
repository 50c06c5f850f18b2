//! What is published to every edge, without a call.

use serde::{Deserialize, Serialize};

use crate::{
    event::Timestamp,
    id::{ConversationId, Seq, UserId},
    rpc::Membership,
};

/// A change an edge applies to its live sockets (stream `CONTROL`).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum Control {
    /// To the user of the subject.
    Membership(Membership),
    /// The session of the subject has ended.
    SessionEnded,
    /// To the user of the subject: whether this direct conversation is blocked may have changed. What it is now, the
    /// store says: of two changes at once, neither message knows which was the later one.
    BlockChanged {
        /// Which.
        conversation: ConversationId,
        /// One side has lifted its block: viewers may be shown the user again.
        lifted: bool,
    },
    /// Data keys of the user of the subject were added, or are gone: whoever knows one asks for it again.
    KeysChanged,
}

/// The last value of a read mark (stream `READS`).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct ReadMark {
    /// The conversation it belongs to.
    pub conversation: ConversationId,
    /// Who.
    pub user: UserId,
    /// The newest seq that was ever read: what others see.
    pub seq: Seq,
    /// When it moved there.
    pub at: Timestamp,
    /// Only the reader's own devices are sent the receipt.
    pub private: bool,
    /// Whether it moved; otherwise only what the own devices see did.
    pub moved: bool,
    /// What the user's own devices see.
    pub own: OwnMark,
}

/// How far a user has read as the own devices see it: further back while the conversation is marked as unread.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct OwnMark {
    /// The newest seq that is read.
    pub seq: Seq,
    /// Rises whenever a conversation is marked as unread and when that ends; within a version only `seq` rises.
    pub version: u64,
}

/// A user types, or stops (core NATS, never stored).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Typing {
    /// Who.
    pub user: UserId,
    /// Whether it begins; false: it ends.
    pub on: bool,
}

/// A user came online or went offline (core NATS, never stored). A higher version is newer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct PresenceChange {
    /// Who.
    pub user: UserId,
    /// Whether at least one session is alive.
    pub online: bool,
    /// When the user was last online.
    pub last_seen: Timestamp,
    /// Rises with every change; a higher one is newer.
    pub version: u64,
}
