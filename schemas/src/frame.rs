//! What travels on a socket: one JSON object per text frame, `type` first (`docs/protocol.md`, section 2). Doc comments
//! of frames and fields are the descriptions in `docs/asyncapi.json`.

mod client; // what a client may send
mod server; // what it is sent

use std::{borrow::Cow, collections::HashMap};

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{Deserialize, Serialize};

pub use client::{CLIENT_TYPES, ClientFrame, Envelope, Resume};
pub use server::{EventPosition, LimitsView, MemberChange, ServerFrame, Status};

use crate::{
    id::{ConversationId, Seq},
    limits,
    rest::check,
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

impl JsonSchema for RequestId {
    fn inline_schema() -> bool {
        true
    }

    fn schema_name() -> Cow<'static, str> {
        "RequestId".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({
            "anyOf": [
                { "type": "integer", "format": "int64" },
                { "type": "string", "pattern": VISIBLE_ASCII, "minLength": 1, "maxLength": limits::CLIENT_ID }
            ]
        })
    }
}

/// Of [`check::visible_ascii`], for schemas.
pub(crate) const VISIBLE_ASCII: &str = "^[!-~]+$";

/// Seqs a client holds, per conversation.
pub type Positions = HashMap<ConversationId, Seq>;
