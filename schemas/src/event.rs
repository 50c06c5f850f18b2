//! The log's vocabulary. An event is a fact about one conversation, in the order of its log.
//!
//! Variants and fields are only ever appended: logs of old versions are read for ever (golden bytes in
//! `tests/golden.rs` prove it).

mod message; // what they make of a message

use std::{borrow::Cow, fmt};

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use time::{OffsetDateTime, format_description::well_known::Rfc3339, macros::format_description};

pub use message::{Message, Reaction};

use crate::id::{ConversationId, EventId, Seq, UserId};

/// Milliseconds since the Unix epoch; RFC 3339 UTC with milliseconds in JSON.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct Timestamp(pub i64);

impl Timestamp {
    /// The wall clock, for callers: nothing in this crate calls it.
    pub fn now() -> Self {
        let now = OffsetDateTime::now_utc().unix_timestamp_nanos() / 1_000_000;
        Self(i64::try_from(now).unwrap_or(i64::MAX))
    }

    fn date(self) -> OffsetDateTime {
        OffsetDateTime::from_unix_timestamp_nanos(i128::from(self.0) * 1_000_000)
            .unwrap_or(OffsetDateTime::UNIX_EPOCH)
    }
}

impl fmt::Display for Timestamp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let form = format_description!("[year]-[month]-[day]T[hour]:[minute]:[second].[subsecond digits:3]Z");
        f.write_str(&self.date().format(&form).map_err(|_| fmt::Error)?)
    }
}

impl Serialize for Timestamp {
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        if to.is_human_readable() { to.collect_str(self) } else { self.0.serialize(to) }
    }
}

impl<'de> Deserialize<'de> for Timestamp {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        if !from.is_human_readable() {
            return i64::deserialize(from).map(Self);
        }
        let text = Cow::<'de, str>::deserialize(from)?;
        let date = OffsetDateTime::parse(&text, &Rfc3339).map_err(serde::de::Error::custom)?;
        i64::try_from(date.unix_timestamp_nanos() / 1_000_000).map(Self).map_err(serde::de::Error::custom)
    }
}

impl JsonSchema for Timestamp {
    fn schema_name() -> Cow<'static, str> {
        "Timestamp".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({
            "type": "string", "format": "date-time", "pattern": r"^\d{4}-\d{2}-\d{2}T\d{2}:\d{2}:\d{2}\.\d{3}Z$",
            "description": "RFC 3339 in UTC, with milliseconds.",
        })
    }
}

/// One fact of a conversation's log.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Event {
    /// Its id.
    pub id: EventId,
    /// The conversation it belongs to.
    pub conversation: ConversationId,
    /// Who caused it.
    pub author: UserId,
    /// The device that sent it; empty for REST and for services.
    pub device: String,
    /// The sender's own id for a posted message.
    pub client_id: Option<String>,
    /// When it happened, by the clock of the process that made it.
    pub at: Timestamp,
    /// What happened.
    pub kind: Kind,
    /// W3C Trace Context of the request that caused it.
    pub traceparent: Option<String>,
}

/// What happened. Members, roles and names are the conversation's own history too.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum Kind {
    /// A message; `reply_to` is the seq of another one.
    Posted {
        /// The content.
        body: Body,
        /// Seq of the message it answers.
        reply_to: Option<Seq>,
    },
    /// A new body of the message at `target`.
    Edited {
        /// Seq of the message.
        target: Seq,
        /// The content.
        body: Body,
    },
    /// The message at `target` loses its content for ever.
    Deleted {
        /// Seq of the message.
        target: Seq,
    },
    /// The author's reaction to the message at `target` is set, or with `on: false` withdrawn.
    Reacted {
        /// Seq of the message.
        target: Seq,
        /// In its canonical spelling; in old logs as the client sent it.
        emoji: String,
        /// Set, or withdrawn.
        on: bool,
    },
    /// A user is a member from here on.
    MemberAdded {
        /// Whom it is about.
        user: UserId,
        /// What the member may do now.
        role: Role,
    },
    /// A user was removed, or left.
    MemberRemoved {
        /// Whom it is about.
        user: UserId,
    },
    /// A member may do more or less.
    RoleChanged {
        /// Whom it is about.
        user: UserId,
        /// What the member may do now.
        role: Role,
    },
    /// A group's new name.
    Renamed {
        /// The group's name.
        name: String,
    },
    /// The conversation, with its first members.
    Created {
        /// For two people or a group.
        shape: Shape,
        /// The group's name.
        name: Option<String>,
        /// The first members.
        members: Vec<Member>,
    },
}

impl Kind {
    /// Whether it moves its conversation to the top of its members' lists: what is new, not what became of it.
    #[must_use]
    pub const fn is_activity(&self) -> bool {
        match self {
            Self::Posted { .. }
            | Self::MemberAdded { .. }
            | Self::MemberRemoved { .. }
            | Self::RoleChanged { .. }
            | Self::Renamed { .. }
            | Self::Created { .. } => true,
            Self::Edited { .. } | Self::Deleted { .. } | Self::Reacted { .. } => false,
        }
    }
}

impl Kind {
    /// Whether only workers may decide it: who is in a conversation, what they may do there, and what it is called.
    #[must_use]
    pub const fn is_decision(&self) -> bool {
        match self {
            Self::MemberAdded { .. }
            | Self::MemberRemoved { .. }
            | Self::RoleChanged { .. }
            | Self::Renamed { .. }
            | Self::Created { .. } => true,
            Self::Posted { .. } | Self::Edited { .. } | Self::Deleted { .. } | Self::Reacted { .. } => false,
        }
    }
}

impl Event {
    /// Who has read the conversation up to this event because of it: the author of a post, and whoever was added,
    /// for whom older messages are not unread.
    #[must_use]
    pub const fn marks_read_for(&self) -> Option<UserId> {
        match self.kind {
            Kind::Posted { .. } => Some(self.author),
            Kind::MemberAdded { user, .. } => Some(user),
            Kind::Edited { .. }
            | Kind::Deleted { .. }
            | Kind::Reacted { .. }
            | Kind::MemberRemoved { .. }
            | Kind::RoleChanged { .. }
            | Kind::Renamed { .. }
            | Kind::Created { .. } => None,
        }
    }
}

/// A message's content as it rests in the log and the store.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum Body {
    /// Text.
    Plain(String),
    /// Encrypted for its place, with a data key of its author (docs/decisions/0023-content-sealed-per-author.md).
    Sealed {
        /// The data key's epoch.
        key_version: u32,
        /// Random.
        nonce: [u8; 12],
        /// Behind a version, a salt and a commitment, and with its authentication tag. Written and read as a whole: byte by
        /// byte, as serde does without it, takes longer than sealing does.
        #[serde(with = "serde_bytes")]
        ciphertext: Vec<u8>,
    },
}

/// Content never reaches a log line.
impl fmt::Debug for Body {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Plain(text) => write!(f, "Plain({} B)", text.len()),
            Self::Sealed { key_version, ciphertext, .. } => {
                write!(f, "Sealed(key {key_version}, {} B)", ciphertext.len())
            }
        }
    }
}

/// What kind of conversation it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Shape {
    /// Two people; its id follows from theirs, its members never change.
    Direct,
    /// Named, with members who come and go.
    Group,
}

/// What a member may do; later variants may do more.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Role {
    /// Reads and posts.
    Member,
    /// Also adds and removes members, and renames.
    Admin,
    /// Also gives roles.
    Owner,
}

/// A member and what they may do.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Member {
    /// Whom it is about; for calls of a user, the caller.
    pub user: UserId,
    /// What the member may do.
    pub role: Role,
}

/// An event and where the log put it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct LogEntry {
    /// Position in the partition's log.
    pub seq: Seq,
    /// Its event.
    pub event: Event,
}

impl LogEntry {
    /// Seq of the message whose content it has.
    pub const fn content_of(&self) -> Option<Seq> {
        match self.event.kind {
            Kind::Posted { .. } => Some(self.seq),
            Kind::Edited { target, .. } => Some(target),
            Kind::Deleted { .. }
            | Kind::Reacted { .. }
            | Kind::MemberAdded { .. }
            | Kind::MemberRemoved { .. }
            | Kind::RoleChanged { .. }
            | Kind::Renamed { .. }
            | Kind::Created { .. } => None,
        }
    }

    /// Without the content it has: of a message that is deleted by now.
    pub fn remove_content(&mut self) {
        if let Kind::Posted { body, .. } | Kind::Edited { body, .. } = &mut self.event.kind {
            *body = Body::Plain(String::new());
        }
    }
}

impl Event {
    /// Epoch of the key that its text is sealed with; 0 for a text in clear, and without one.
    #[must_use]
    pub const fn key_version(&self) -> u32 {
        match self.body() {
            Some(body) => body.key_version(),
            None => 0,
        }
    }

    /// Its text.
    #[must_use]
    pub const fn body(&self) -> Option<&Body> {
        match &self.kind {
            Kind::Posted { body, .. } | Kind::Edited { body, .. } => Some(body),
            Kind::Deleted { .. }
            | Kind::Reacted { .. }
            | Kind::MemberAdded { .. }
            | Kind::MemberRemoved { .. }
            | Kind::RoleChanged { .. }
            | Kind::Renamed { .. }
            | Kind::Created { .. } => None,
        }
    }

    /// Its text, to be changed.
    pub const fn body_mut(&mut self) -> Option<&mut Body> {
        match &mut self.kind {
            Kind::Posted { body, .. } | Kind::Edited { body, .. } => Some(body),
            Kind::Deleted { .. }
            | Kind::Reacted { .. }
            | Kind::MemberAdded { .. }
            | Kind::MemberRemoved { .. }
            | Kind::RoleChanged { .. }
            | Kind::Renamed { .. }
            | Kind::Created { .. } => None,
        }
    }
}

impl Body {
    /// Epoch of the key that it is sealed with; 0 in clear.
    #[must_use]
    pub const fn key_version(&self) -> u32 {
        match self {
            Self::Plain(_) => 0,
            Self::Sealed { key_version, .. } => *key_version,
        }
    }

    /// Bytes of it.
    pub const fn size(&self) -> usize {
        match self {
            Self::Plain(text) => text.len(),
            Self::Sealed { ciphertext, .. } => ciphertext.len(),
        }
    }
}
