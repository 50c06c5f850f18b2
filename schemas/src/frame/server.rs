//! What a client is sent. Doc comments are for those who write clients.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{Positions, RequestId};
use crate::{
    code::Code,
    event::{Role, Timestamp},
    id::{ConversationId, EventId, Seq, SessionId, UserId},
    rest::{ConversationView, MessageView},
};

/// Bounds a client may rely on, sent in `welcome`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
#[schemars(rename = "Limits")]
pub struct LimitsView {
    /// Bytes of a message's content in UTF-8.
    pub content_bytes: usize,
    /// Bytes of a frame, or of the parts of one together; a longer one closes the socket with 1009.
    pub frame_bytes: usize,
    /// Positions of one `resume`, or of one `hello`.
    pub resume_positions: usize,
    /// Missed events of a conversation that are sent again; beyond them it is answered with `resume:gap`.
    pub resume_events: usize,
    /// Requests of one socket that may wait for their answers; while so many do, the server reads no further frame.
    pub pending_requests: usize,
}

/// The head of an event on a socket: which conversation, its place, and the place before it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct EventPosition {
    /// The conversation.
    pub conversation_id: ConversationId,
    /// Place in the conversation's order; it rises, not by one.
    pub seq: Seq,
    /// Seq of the event before this one in the same conversation; 0: unknown or first. If the client holds another seq, it
    /// has a gap, and sends `resume` with what it holds.
    pub prev_seq: Seq,
}

/// A frame of the server.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(tag = "type", rename_all = "camelCase", rename_all_fields = "camelCase")]
pub enum ServerFrame {
    /// The socket is open, as the answer to `hello`.
    Welcome {
        /// Whose token it is.
        user_id: UserId,
        /// The token's session.
        session_id: SessionId,
        /// As in `hello`, or made by the server.
        device_id: String,
        /// The log's life: positions of another epoch mean nothing.
        epoch: String,
        /// At most 32 characters: a `clientId` that begins with the newest prefix that the client was given costs no look-up
        /// in the history. Missing where the server has none.
        #[serde(skip_serializing_if = "Option::is_none")]
        client_id_prefix: Option<String>,
        /// The server pings this often, in milliseconds; a client that hears nothing for clearly longer has lost its
        /// connection.
        heartbeat_ms: u64,
        /// The server's clock.
        server_time: Timestamp,
        /// Bounds of this deployment.
        limits: LimitsView,
    },
    /// A request is done. After `send` the message is durable: it is in the history exactly once, whatever fails then.
    Ack {
        /// As in the request; `null` when it had none.
        id: Option<RequestId>,
        /// Of a command: its conversation.
        #[serde(skip_serializing_if = "Option::is_none")]
        conversation_id: Option<ConversationId>,
        /// The event's id; of a `send` it is the message's.
        #[serde(skip_serializing_if = "Option::is_none")]
        message_id: Option<EventId>,
        /// As in `send`.
        #[serde(skip_serializing_if = "Option::is_none")]
        client_id: Option<String>,
        /// The event's seq; of a `send` it is the message's.
        #[serde(skip_serializing_if = "Option::is_none")]
        seq: Option<Seq>,
        /// When the server took it.
        #[serde(skip_serializing_if = "Option::is_none")]
        created_at: Option<Timestamp>,
        /// It was so already: the frame is the answer of the first attempt, or nothing had to be changed.
        #[serde(skip_serializing_if = "Option::is_none")]
        duplicate: Option<bool>,
        /// In the place of the one that the socket was given before, when there is a newer one.
        #[serde(skip_serializing_if = "Option::is_none")]
        client_id_prefix: Option<String>,
    },
    /// Typing and presence of the conversation are sent from here on.
    Joined {
        /// As in the request; `null` when it had none.
        id: Option<RequestId>,
        /// The conversation.
        conversation_id: ConversationId,
        /// Seq of its newest event.
        head_seq: Seq,
        /// Up to where the user has read.
        read_seq: Seq,
        /// Members who are online, the caller first; of the first 1,000 members.
        online: Vec<UserId>,
    },
    /// The read mark is where `seq` says.
    #[serde(rename = "read:ack")]
    ReadAck {
        /// As in the request.
        #[serde(skip_serializing_if = "Option::is_none")]
        id: Option<RequestId>,
        /// The conversation.
        conversation_id: ConversationId,
        /// Where the mark is; later than requested when another `read` went further.
        seq: Seq,
        /// Unread messages after it: exact to 99, 100 stands for more.
        unread_count: usize,
    },
    /// Too much is missing, or the epoch is another one: the client drops its copy of the conversation and loads the newest
    /// page.
    #[serde(rename = "resume:gap")]
    ResumeGap {
        /// The conversation.
        conversation_id: ConversationId,
        /// Seq of its newest event: live events follow from here.
        head_seq: Seq,
    },
    /// Everything that was missed has been sent.
    #[serde(rename = "resume:done")]
    ResumeDone {
        /// As in the request; missing after `hello`.
        #[serde(skip_serializing_if = "Option::is_none")]
        id: Option<RequestId>,
    },
    /// The answer to `ping`.
    Pong {
        /// As in the request; `null` when it had none.
        id: Option<RequestId>,
        /// The server's clock.
        server_time: Timestamp,
    },
    /// A request was rejected, or the socket is about to be closed. It stays open unless the code closes it.
    Error {
        /// As in the request; `null` when it had none, or none that could be read.
        id: Option<RequestId>,
        /// What went wrong; `docs/failures.md` says what a client does.
        code: Code,
        /// The reason, for people.
        message: String,
        /// The same request is worth repeating after so long, in milliseconds.
        #[serde(skip_serializing_if = "Option::is_none")]
        retry_after_ms: Option<u64>,
    },
    /// A message was posted. The sender's devices get it, too, and recognize it by `clientId`.
    #[serde(rename = "message:new")]
    MessageNew {
        #[serde(flatten)]
        position: EventPosition,
        /// As it was posted; in a resume without `content` if it is deleted by now.
        message: MessageView,
    },
    /// A message has another content.
    #[serde(rename = "message:edited")]
    MessageEdited {
        #[serde(flatten)]
        position: EventPosition,
        /// Seq of the message.
        target: Seq,
        /// The new text; `null` in a resume if the message is deleted by now.
        content: Option<String>,
        /// When.
        at: Timestamp,
        /// Who edited it: its author.
        user_id: UserId,
    },
    /// A message lost its content and its reactions, for good.
    #[serde(rename = "message:deleted")]
    MessageDeleted {
        #[serde(flatten)]
        position: EventPosition,
        /// Seq of the message.
        target: Seq,
        /// When.
        at: Timestamp,
        /// Who deleted it.
        user_id: UserId,
    },
    /// A user's reaction to a message was set or withdrawn.
    #[serde(rename = "reaction:changed")]
    ReactionChanged {
        #[serde(flatten)]
        position: EventPosition,
        /// Seq of the message.
        target: Seq,
        /// In its canonical spelling.
        emoji: String,
        /// Set, or withdrawn.
        on: bool,
        /// When.
        at: Timestamp,
        /// Who reacted.
        user_id: UserId,
    },
    /// A member came, left, or has another role.
    #[serde(rename = "member:changed")]
    MemberChanged {
        #[serde(flatten)]
        position: EventPosition,
        /// What happened to the member.
        change: MemberChange,
        /// The member.
        user_id: UserId,
        /// The role from here on; missing when removed.
        #[serde(skip_serializing_if = "Option::is_none")]
        role: Option<Role>,
        /// Who did it; the member, too, who left.
        by: UserId,
        /// When.
        at: Timestamp,
    },
    /// A conversation began, or has another name.
    #[serde(rename = "conversation:updated")]
    ConversationUpdated {
        #[serde(flatten)]
        position: EventPosition,
        /// The name from here on; missing where there is none.
        #[serde(skip_serializing_if = "Option::is_none")]
        name: Option<String>,
        /// Who did it.
        by: UserId,
        /// When.
        at: Timestamp,
    },
    /// The user came into a conversation; sent to all devices of the user, at once. Its `headSeq` is a position: every event
    /// after it follows, and everything up to it is in the history.
    #[serde(rename = "conversation:added")]
    ConversationAdded {
        /// As it was at that moment, with the first 100 participants.
        conversation: Box<ConversationView>,
    },
    /// The user is no longer in a conversation; sent to all devices of the user, at once.
    #[serde(rename = "conversation:removed")]
    ConversationRemoved {
        /// The conversation.
        conversation_id: ConversationId,
    },
    /// How far a member has read.
    #[serde(rename = "read:receipt")]
    ReadReceipt {
        /// The conversation.
        conversation_id: ConversationId,
        /// The member; the user, too, for one's other devices.
        user_id: UserId,
        /// Everything up to it is read.
        seq: Seq,
        /// When.
        read_at: Timestamp,
        /// In one's own only: of two receipts the higher version counts, of the same version the higher `seq`.
        #[serde(skip_serializing_if = "Option::is_none")]
        version: Option<u64>,
    },
    /// A member of a joined conversation types, or stopped. Not repeated: it ends 6 s after the last one.
    Typing {
        /// The conversation.
        conversation_id: ConversationId,
        /// Who types.
        user_id: UserId,
        /// `false`: stopped.
        is_typing: bool,
    },
    /// A member of a joined conversation came online, or went.
    Presence {
        /// The member.
        user_id: UserId,
        /// The status from here on.
        status: Status,
        /// When the user was last seen online; `null`: unknown.
        last_seen_at: Option<Timestamp>,
        /// Of two frames about a user on one connection the one with the higher version is current.
        version: u64,
    },
    /// Where the joined conversations are, with each heartbeat: a client that holds less missed the last events, and sends
    /// `resume`.
    Heads {
        /// Seq of the newest event of each.
        positions: Positions,
    },
    /// The server closes the socket next.
    Goodbye {
        /// Why; its close code follows.
        reason: Code,
        /// Reconnect after so long, in milliseconds, and some jitter.
        retry_after_ms: u64,
    },
}

/// What happened to a member.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub enum MemberChange {
    /// Came, or was added.
    Added,
    /// Left, or was removed.
    Removed,
    /// Has another role.
    RoleChanged,
}

/// Whether a user is online.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Status {
    /// An open socket, or a heartbeat within the last TTL.
    Online,
    /// Neither.
    Offline,
}

impl ServerFrame {
    pub fn to_json(&self) -> String {
        serde_json::to_string(self).expect("frames have string keys only")
    }

    /// Its JSON, behind what is there already.
    pub fn write_json(&self, bytes: &mut Vec<u8>) {
        serde_json::to_writer(bytes, self).expect("frames have string keys only");
    }
}
