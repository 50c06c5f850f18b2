//! What is told to every edge, without a question.

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
    /// To the user of the subject: a direct conversation is blocked by one side, or no longer by any.
    Blocked { conversation: ConversationId, blocked: bool, at: Timestamp },
}

/// The last value of a read mark (stream `READS`).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct ReadMark {
    pub conversation: ConversationId,
    pub user: UserId,
    pub seq: Seq,
    pub at: Timestamp,
}

/// Somebody types, or stops (core NATS, never stored).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Typing {
    pub user: UserId,
    pub on: bool,
}

/// A user came online or went offline (core NATS, never stored). A higher version is newer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct PresenceChange {
    pub user: UserId,
    pub online: bool,
    pub last_seen: Timestamp,
    pub version: u64,
}
