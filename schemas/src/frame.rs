//! What travels on a socket: one JSON object per text frame, `type` first (`docs/protocol.md`, section 2).

use std::{collections::HashMap, fmt};

use garde::Validate;
use schemars::JsonSchema;
use serde::{
    Deserialize, Deserializer, Serialize,
    de::{MapAccess, Visitor, value::MapAccessDeserializer},
};

use crate::{
    code::Code,
    event::{Role, Timestamp},
    id::{ConversationId, EventId, Seq, SessionId, UserId},
    limits::{self, Limits},
    rest::{ConversationView, MessageView, check},
};

/// The subprotocol a client asks for in `Sec-WebSocket-Protocol`.
pub const SUBPROTOCOL: &str = "natter.v1";

/// A client's own name for a request, given back in the answer: text of at most 64 visible ASCII characters,
/// or a whole number.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(untagged)]
pub enum RequestId {
    Number(i64),
    Text(String),
}

impl RequestId {
    /// Whether it may be given back: an oversized id is refused, never echoed.
    pub fn is_valid(&self) -> bool {
        match self {
            Self::Number(_) => true,
            Self::Text(text) => check::visible_ascii(text),
        }
    }
}

/// Seqs a client holds, per conversation.
pub type Positions = HashMap<ConversationId, Seq>;

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Resume {
    pub epoch: String,
    pub positions: Positions,
}

/// A JSON object or nothing. A derived `Deserialize` alone takes an array for a struct, field by field.
fn object<'de, D: Deserializer<'de>>(json: D) -> Result<Option<Resume>, D::Error> {
    struct ObjectOrNull;

    impl<'de> Visitor<'de> for ObjectOrNull {
        type Value = Option<Resume>;

        fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            f.write_str("an object with 'epoch' and 'positions'")
        }

        fn visit_unit<E>(self) -> Result<Self::Value, E> {
            Ok(None)
        }

        fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<Self::Value, A::Error> {
            Resume::deserialize(MapAccessDeserializer::new(map)).map(Some)
        }
    }

    json.deserialize_any(ObjectOrNull)
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, Validate)]
#[serde(tag = "type", rename_all = "camelCase", rename_all_fields = "camelCase")]
#[garde(allow_unvalidated)]
#[garde(context(Limits))]
pub enum ClientFrame {
    Hello {
        token: String,
        #[garde(inner(custom(check::client_id)))]
        device_id: Option<String>,
        #[serde(default, deserialize_with = "object")]
        resume: Option<Resume>,
    },
    Send {
        id: Option<RequestId>,
        conversation_id: ConversationId,
        #[garde(custom(check::content))]
        content: String,
        #[garde(custom(check::client_id))]
        client_id: String,
        reply_to: Option<Seq>,
        #[serde(default)]
        retry: bool,
    },
    Edit {
        id: Option<RequestId>,
        conversation_id: ConversationId,
        seq: Seq,
        #[garde(custom(check::content))]
        content: String,
    },
    Delete {
        id: Option<RequestId>,
        conversation_id: ConversationId,
        seq: Seq,
    },
    React {
        id: Option<RequestId>,
        conversation_id: ConversationId,
        seq: Seq,
        #[garde(length(bytes, min = 1, max = limits::EMOJI))]
        emoji: String,
        on: bool,
    },
    Join {
        id: Option<RequestId>,
        conversation_id: ConversationId,
    },
    Leave {
        id: Option<RequestId>,
        conversation_id: ConversationId,
    },
    Typing {
        conversation_id: ConversationId,
        is_typing: bool,
    },
    Read {
        id: Option<RequestId>,
        conversation_id: ConversationId,
        seq: Seq,
        #[serde(default, skip_serializing_if = "std::ops::Not::not")]
        unread: bool,
    },
    Resume {
        id: Option<RequestId>,
        positions: Positions,
    },
    Ping {
        id: Option<RequestId>,
    },
    Token {
        id: Option<RequestId>,
        token: String,
    },
}

/// The `type` words a client may send; anything else is answered with an error.
pub const CLIENT_TYPES: &[&str] = &[
    "hello", "send", "edit", "delete", "react", "join", "leave", "typing", "read", "resume", "ping", "token",
];

/// What is read of a frame before it is known to be whole: enough to answer a bad one.
#[derive(Debug, Deserialize)]
pub struct Envelope {
    #[serde(rename = "type")]
    pub kind: Option<String>,
    pub id: Option<RequestId>,
}

/// Bounds a client may rely on, sent in `welcome`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct LimitsView {
    pub content_bytes: usize,
    pub frame_bytes: usize,
    pub resume_positions: usize,
    pub resume_events: usize,
    pub pending_requests: usize,
}

/// The head of an event on a socket: which conversation, its place, and the place before it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct EventPosition {
    pub conversation_id: ConversationId,
    pub seq: Seq,
    /// Seq of the event before this one in the same conversation; 0: unknown or first.
    pub prev_seq: Seq,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "type", rename_all = "camelCase", rename_all_fields = "camelCase")]
pub enum ServerFrame {
    Welcome {
        user_id: UserId,
        session_id: SessionId,
        device_id: String,
        epoch: String,
        /// A client id that begins with the newest prefix costs no look-up in the history.
        #[serde(skip_serializing_if = "Option::is_none")]
        client_id_prefix: Option<String>,
        heartbeat_ms: u64,
        server_time: Timestamp,
        limits: LimitsView,
    },
    Ack {
        id: Option<RequestId>,
        #[serde(skip_serializing_if = "Option::is_none")]
        conversation_id: Option<ConversationId>,
        #[serde(skip_serializing_if = "Option::is_none")]
        message_id: Option<EventId>,
        #[serde(skip_serializing_if = "Option::is_none")]
        client_id: Option<String>,
        #[serde(skip_serializing_if = "Option::is_none")]
        seq: Option<Seq>,
        #[serde(skip_serializing_if = "Option::is_none")]
        created_at: Option<Timestamp>,
        #[serde(skip_serializing_if = "Option::is_none")]
        duplicate: Option<bool>,
        /// When there is a newer one than the socket was given.
        #[serde(skip_serializing_if = "Option::is_none")]
        client_id_prefix: Option<String>,
    },
    Joined {
        id: Option<RequestId>,
        conversation_id: ConversationId,
        head_seq: Seq,
        read_seq: Seq,
        online: Vec<UserId>,
    },
    #[serde(rename = "read:ack")]
    ReadAck {
        #[serde(skip_serializing_if = "Option::is_none")]
        id: Option<RequestId>,
        conversation_id: ConversationId,
        seq: Seq,
        unread_count: usize,
    },
    #[serde(rename = "resume:gap")]
    ResumeGap {
        conversation_id: ConversationId,
        head_seq: Seq,
    },
    #[serde(rename = "resume:done")]
    ResumeDone {
        #[serde(skip_serializing_if = "Option::is_none")]
        id: Option<RequestId>,
    },
    Pong {
        id: Option<RequestId>,
        server_time: Timestamp,
    },
    Error {
        id: Option<RequestId>,
        code: Code,
        message: String,
        #[serde(skip_serializing_if = "Option::is_none")]
        retry_after_ms: Option<u64>,
    },
    #[serde(rename = "message:new")]
    MessageNew {
        #[serde(flatten)]
        position: EventPosition,
        message: MessageView,
    },
    #[serde(rename = "message:edited")]
    MessageEdited {
        #[serde(flatten)]
        position: EventPosition,
        target: Seq,
        /// `None`: the message is deleted by now.
        content: Option<String>,
        at: Timestamp,
        user_id: UserId,
    },
    #[serde(rename = "message:deleted")]
    MessageDeleted {
        #[serde(flatten)]
        position: EventPosition,
        target: Seq,
        at: Timestamp,
        user_id: UserId,
    },
    #[serde(rename = "reaction:changed")]
    ReactionChanged {
        #[serde(flatten)]
        position: EventPosition,
        target: Seq,
        emoji: String,
        on: bool,
        at: Timestamp,
        user_id: UserId,
    },
    #[serde(rename = "member:changed")]
    MemberChanged {
        #[serde(flatten)]
        position: EventPosition,
        change: MemberChange,
        user_id: UserId,
        #[serde(skip_serializing_if = "Option::is_none")]
        role: Option<Role>,
        by: UserId,
        at: Timestamp,
    },
    #[serde(rename = "conversation:updated")]
    ConversationUpdated {
        #[serde(flatten)]
        position: EventPosition,
        #[serde(skip_serializing_if = "Option::is_none")]
        name: Option<String>,
        by: UserId,
        at: Timestamp,
    },
    #[serde(rename = "conversation:added")]
    ConversationAdded {
        conversation: Box<ConversationView>,
    },
    #[serde(rename = "conversation:removed")]
    ConversationRemoved {
        conversation_id: ConversationId,
    },
    #[serde(rename = "read:receipt")]
    ReadReceipt {
        conversation_id: ConversationId,
        user_id: UserId,
        seq: Seq,
        read_at: Timestamp,
        /// In one's own only.
        #[serde(skip_serializing_if = "Option::is_none")]
        version: Option<u64>,
    },
    Typing {
        conversation_id: ConversationId,
        user_id: UserId,
        is_typing: bool,
    },
    Presence {
        user_id: UserId,
        status: Status,
        last_seen_at: Option<Timestamp>,
        version: u64,
    },
    Heads {
        positions: Positions,
    },
    Goodbye {
        reason: Code,
        retry_after_ms: u64,
    },
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum MemberChange {
    Added,
    Removed,
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
