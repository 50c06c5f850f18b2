//! What a client may send. Doc comments are for those who write clients.

use std::fmt;

use garde::Validate;
use schemars::JsonSchema;
use serde::{
    Deserialize, Deserializer, Serialize,
    de::{MapAccess, Visitor, value::MapAccessDeserializer},
};

use super::{Positions, RequestId, VISIBLE_ASCII};
use crate::{
    id::{ConversationId, Seq},
    limits::{self, Limits},
    rest::check,
    trace_context::{self, TraceContext},
};

/// Where a client is, from its last connection.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Resume {
    /// As in the `welcome` that the positions are of. If it differs by now, every position is answered with `resume:gap`.
    pub epoch: String,
    /// The last seq that the client has of each conversation; at most `limits.resumePositions` of `welcome`.
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

/// A frame of a client.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema, Validate)]
#[serde(tag = "type", rename_all = "camelCase", rename_all_fields = "camelCase")]
#[garde(allow_unvalidated)]
#[garde(context(Limits))]
pub enum ClientFrame {
    /// The first frame of a socket, within 10 s of the upgrade; sent again it closes the socket with 4501.
    Hello {
        /// Given back in an error.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        id: Option<RequestId>,
        /// An access token, as `POST /api/auth/login` gives it.
        token: String,
        /// The client's own name for this device, the same at every connection: a `clientId` counts per device. Without it
        /// the server makes one, for this socket alone.
        #[garde(inner(custom(check::client_id)))]
        #[schemars(length(min = 1, max = limits::CLIENT_ID), regex(pattern = VISIBLE_ASCII))]
        device_id: Option<String>,
        /// Asks for everything that happened after these positions.
        #[serde(default, deserialize_with = "object")]
        resume: Option<Resume>,
    },
    /// Posts a message. It is acked once it is durable.
    Send {
        /// Given back in the answer.
        id: Option<RequestId>,
        /// The conversation to post in.
        conversation_id: ConversationId,
        /// The text: at most `limits.contentBytes` of `welcome` in UTF-8, and not blank.
        #[garde(custom(check::content))]
        #[schemars(length(min = 1, max = limits::CONTENT))]
        content: String,
        /// The client's own name for this message. It names one message of this device in this conversation, at any age:
        /// sent again, it is acked as the same message; with another content it is refused with `idempotency_mismatch`.
        #[garde(custom(check::client_id))]
        #[schemars(length(min = 1, max = limits::CLIENT_ID), regex(pattern = VISIBLE_ASCII))]
        client_id: String,
        /// The seq of the message that this one answers.
        reply_to: Option<Seq>,
        /// An earlier attempt may have been stored, at any time. The send is then answered `unavailable` rather than stored
        /// twice while the server cannot look it up. Set it on every send that may have been sent before.
        #[serde(default)]
        retry: bool,
        /// The span of the client that this belongs to (W3C Trace Context), as the HTTP header of that name. Text that is
        /// none is ignored.
        #[serde(
            default,
            deserialize_with = "trace_context::lenient",
            skip_serializing_if = "Option::is_none"
        )]
        #[schemars(with = "Option<String>")]
        traceparent: Option<TraceContext>,
    },
    /// Replaces the content of one's own message.
    Edit {
        /// Given back in the answer.
        id: Option<RequestId>,
        /// The message's conversation.
        conversation_id: ConversationId,
        /// The message's seq.
        seq: Seq,
        /// The new text, with the bounds of a new message.
        #[garde(custom(check::content))]
        #[schemars(length(min = 1, max = limits::CONTENT))]
        content: String,
        /// The span of the client that this belongs to (W3C Trace Context), as the HTTP header of that name. Text that is
        /// none is ignored.
        #[serde(
            default,
            deserialize_with = "trace_context::lenient",
            skip_serializing_if = "Option::is_none"
        )]
        #[schemars(with = "Option<String>")]
        traceparent: Option<TraceContext>,
    },
    /// Deletes a message for good: one's own, or as an admin or the owner another's.
    Delete {
        /// Given back in the answer.
        id: Option<RequestId>,
        /// The message's conversation.
        conversation_id: ConversationId,
        /// The message's seq.
        seq: Seq,
        /// The span of the client that this belongs to (W3C Trace Context), as the HTTP header of that name. Text that is
        /// none is ignored.
        #[serde(
            default,
            deserialize_with = "trace_context::lenient",
            skip_serializing_if = "Option::is_none"
        )]
        #[schemars(with = "Option<String>")]
        traceparent: Option<TraceContext>,
    },
    /// Sets or withdraws one's own reaction.
    React {
        /// Given back in the answer.
        id: Option<RequestId>,
        /// The message's conversation.
        conversation_id: ConversationId,
        /// The message's seq.
        seq: Seq,
        /// One emoji of Unicode's list.
        #[garde(length(bytes, min = 1, max = limits::EMOJI))]
        emoji: String,
        /// `true` sets it, `false` withdraws it.
        on: bool,
        /// The span of the client that this belongs to (W3C Trace Context), as the HTTP header of that name. Text that is
        /// none is ignored.
        #[serde(
            default,
            deserialize_with = "trace_context::lenient",
            skip_serializing_if = "Option::is_none"
        )]
        #[schemars(with = "Option<String>")]
        traceparent: Option<TraceContext>,
    },
    /// Asks for typing and presence of a conversation, at most 200 on one socket. Messages come without it.
    Join {
        /// Given back in the answer.
        id: Option<RequestId>,
        /// The conversation.
        conversation_id: ConversationId,
    },
    /// Ends typing and presence of a conversation.
    Leave {
        /// Given back in the answer; without it there is none.
        id: Option<RequestId>,
        /// The conversation.
        conversation_id: ConversationId,
    },
    /// Shows others in a joined conversation that the user types; repeated while it lasts, at most every 2 s.
    Typing {
        /// Given back in an error: there is no other answer.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        id: Option<RequestId>,
        /// A conversation that this socket has joined.
        conversation_id: ConversationId,
        /// `false` ends it at once; otherwise it ends after 6 s, or with the message.
        is_typing: bool,
    },
    /// Moves the user's read mark.
    Read {
        /// Given back in the answer.
        id: Option<RequestId>,
        /// The conversation.
        conversation_id: ConversationId,
        /// Everything up to it is read; above the head it counts as the head.
        seq: Seq,
        /// The message at `seq` and everything after it is unread again, on all devices of the user.
        #[serde(default, skip_serializing_if = "std::ops::Not::not")]
        unread: bool,
    },
    /// On an open socket, asks for everything that happened after these positions: for a client that noticed a gap.
    Resume {
        /// Given back in the answer.
        id: Option<RequestId>,
        /// The last seq that the client has of each conversation; at most `limits.resumePositions` of `welcome`.
        positions: Positions,
    },
    /// Asks for a `pong`. The server pings by itself (RFC 6455 §5.5.2); this one is for clients that cannot see that.
    Ping {
        /// Given back in the answer.
        id: Option<RequestId>,
    },
    /// Renews the session in place, before its token expires.
    Token {
        /// Given back in the answer.
        id: Option<RequestId>,
        /// A newer access token of the same session.
        token: String,
    },
}

impl ClientFrame {
    /// The id that the client gave its request. Every kind of frame has the field: an error that answers a frame names it.
    pub const fn id(&self) -> Option<&RequestId> {
        match self {
            Self::Hello { id, .. }
            | Self::Send { id, .. }
            | Self::Edit { id, .. }
            | Self::Delete { id, .. }
            | Self::React { id, .. }
            | Self::Join { id, .. }
            | Self::Leave { id, .. }
            | Self::Typing { id, .. }
            | Self::Read { id, .. }
            | Self::Resume { id, .. }
            | Self::Ping { id }
            | Self::Token { id, .. } => id.as_ref(),
        }
    }
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
