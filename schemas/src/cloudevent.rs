//! Events as consumers of Kafka get them: `CloudEvents` 1.0 in the binary mode of its Kafka binding (attributes
//! in headers, data in the value). Pure: the same event at the same position always makes the same record, so a
//! topic can be compared with the log. `schemas/kafka/` holds the JSON Schema of the values.

use serde::Serialize;
use uuid::Uuid;

use crate::{
    event::{Body, Event, Kind, Member, Role, Shape, Timestamp},
    id::{ConversationId, EventId, Partition, Seq, UserId},
};

/// The events of a deployment; its topic also counts the version of what is in it.
pub const TOPIC: &str = "natter.events.v1";
/// `ce_source`: with `ce_id` it names an event. An event keeps both wherever and whenever it is mirrored.
pub const SOURCE: &str = "/natter";

/// The event's id.
pub const ID: &str = "ce_id";
/// One of the types below.
pub const TYPE: &str = "ce_type";
/// Position in the log partition: rises by exactly 1 from record to record.
pub const SEQ: &str = "natter-seq";
/// Another one means that the log was created again: seqs of two epochs do not compare.
pub const EPOCH: &str = "natter-epoch";

/// Types of events. A change that consumers of a type cannot bear makes a `.v2` beside it.
pub mod types {
    /// [`Kind::Posted`](crate::event::Kind).
    pub const POSTED: &str = "natter.message.posted.v1";
    /// [`Kind::Edited`](crate::event::Kind).
    pub const EDITED: &str = "natter.message.edited.v1";
    /// [`Kind::Deleted`](crate::event::Kind).
    pub const DELETED: &str = "natter.message.deleted.v1";
    /// [`Kind::Reacted`](crate::event::Kind).
    pub const REACTED: &str = "natter.reaction.changed.v1";
    /// [`Kind::MemberAdded`](crate::event::Kind).
    pub const MEMBER_ADDED: &str = "natter.member.added.v1";
    /// [`Kind::MemberRemoved`](crate::event::Kind).
    pub const MEMBER_REMOVED: &str = "natter.member.removed.v1";
    /// [`Kind::RoleChanged`](crate::event::Kind).
    pub const ROLE_CHANGED: &str = "natter.member.role-changed.v1";
    /// [`Kind::Renamed`](crate::event::Kind).
    pub const RENAMED: &str = "natter.conversation.renamed.v1";
    /// [`Kind::Created`](crate::event::Kind).
    pub const CREATED: &str = "natter.conversation.created.v1";
    /// Stands for an event that could not be read, so that `natter-seq` has no hole.
    pub const UNREADABLE: &str = "natter.event.unreadable.v1";
}

/// What consumers see of a message's content (`KAFKA_CONTENT`).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Content {
    /// As it rests in the log: text, or sealed if the log is.
    #[default]
    Sealed,
    /// Text. What cannot be opened stays sealed.
    Plain,
    /// Left out.
    Omitted,
}

impl Content {
    /// As `KAFKA_CONTENT` spells it.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Sealed => "sealed",
            Self::Plain => "plain",
            Self::Omitted => "none",
        }
    }
}

/// Where in the log an event is.
#[derive(Debug, Clone, Copy)]
pub struct Position<'a> {
    /// The partition of its conversation.
    pub partition: Partition,
    /// Position in the partition's log.
    pub seq: Seq,
    /// The log's life: positions of another epoch mean nothing.
    pub epoch: &'a str,
}

/// What goes to Kafka for one event.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Record {
    /// Its id.
    pub id: EventId,
    /// The conversation. None only for what cannot be read and whose subject names none either.
    pub key: Option<String>,
    /// The `CloudEvents` attributes and extensions, by header name.
    pub headers: Vec<(&'static str, String)>,
    /// UTF-8 JSON.
    pub value: Vec<u8>,
}

/// The record of an event that was read.
pub fn record(at: Position<'_>, event: &Event, content: Content) -> Record {
    let value = Value {
        id: event.id,
        conversation_id: Some(event.conversation),
        seq: at.seq,
        sender_id: Some(event.author),
        created_at: Some(event.at),
        what: What::of(event, content),
    };
    let subject = Some(event.conversation);
    let mut headers = headers(at, event.id, type_of(&event.kind), subject);
    headers.push(("ce_time", event.at.to_string()));
    headers.extend(event.traceparent.clone().map(|parent| ("traceparent", parent)));
    Record { id: event.id, key: subject.map(|c| c.to_string()), headers, value: json(&value) }
}

/// The record of an event that cannot be read. `conversation` is what its subject names.
pub fn unreadable(at: Position<'_>, conversation: Option<ConversationId>) -> Record {
    let id = unreadable_id(at);
    let value = Value {
        id,
        conversation_id: conversation,
        seq: at.seq,
        sender_id: None,
        created_at: None,
        what: What::Nothing {},
    };
    let headers = headers(at, id, types::UNREADABLE, conversation);
    Record { id, key: conversation.map(|c| c.to_string()), headers, value: json(&value) }
}

/// The event's own id is unknown: this one is made of its position.
fn unreadable_id(at: Position<'_>) -> EventId {
    let mut hasher = blake3::Hasher::new_derive_key("natter 2026 unreadable event id");
    hasher.update(&at.partition.0.to_be_bytes()).update(&at.seq.to_be_bytes()).update(at.epoch.as_bytes());
    let hash = hasher.finalize();
    let (head, _) = hash.as_bytes().split_first_chunk::<16>().expect("a hash has 32 bytes");
    EventId::from_uuid(Uuid::new_v8(*head))
}

fn headers(
    at: Position<'_>,
    id: EventId,
    kind: &str,
    subject: Option<ConversationId>,
) -> Vec<(&'static str, String)> {
    let mut headers = vec![
        ("ce_specversion", "1.0".to_owned()),
        (ID, id.to_string()),
        ("ce_source", SOURCE.to_owned()),
        (TYPE, kind.to_owned()),
        ("content-type", "application/json".to_owned()),
        (SEQ, at.seq.to_string()),
        (EPOCH, at.epoch.to_owned()),
    ];
    headers.extend(subject.map(|c| ("ce_subject", c.to_string())));
    headers
}

/// The type a kind has outside.
pub const fn type_of(kind: &Kind) -> &'static str {
    match kind {
        Kind::Posted { .. } => types::POSTED,
        Kind::Edited { .. } => types::EDITED,
        Kind::Deleted { .. } => types::DELETED,
        Kind::Reacted { .. } => types::REACTED,
        Kind::MemberAdded { .. } => types::MEMBER_ADDED,
        Kind::MemberRemoved { .. } => types::MEMBER_REMOVED,
        Kind::RoleChanged { .. } => types::ROLE_CHANGED,
        Kind::Renamed { .. } => types::RENAMED,
        Kind::Created { .. } => types::CREATED,
    }
}

fn json(value: &Value<'_>) -> Vec<u8> {
    serde_json::to_vec(value).expect("every key is text and a Vec takes everything")
}

/// Fields are written in this order: the bytes are compared too.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Value<'a> {
    id: EventId,
    conversation_id: Option<ConversationId>,
    seq: Seq,
    #[serde(skip_serializing_if = "Option::is_none")]
    sender_id: Option<UserId>,
    #[serde(skip_serializing_if = "Option::is_none")]
    created_at: Option<Timestamp>,
    #[serde(flatten)]
    what: What<'a>,
}

#[derive(Serialize)]
#[serde(untagged, rename_all_fields = "camelCase")]
enum What<'a> {
    Posted {
        client_id: Option<&'a str>,
        #[serde(skip_serializing_if = "Option::is_none")]
        content: Option<Text<'a>>,
        reply_to: Option<Seq>,
    },
    Edited {
        target: Seq,
        #[serde(skip_serializing_if = "Option::is_none")]
        content: Option<Text<'a>>,
    },
    Deleted {
        target: Seq,
    },
    Reacted {
        target: Seq,
        emoji: &'a str,
        on: bool,
    },
    Member {
        user_id: UserId,
        role: Role,
    },
    MemberRemoved {
        user_id: UserId,
    },
    Renamed {
        name: &'a str,
    },
    Created {
        #[serde(rename = "type")]
        shape: Shape,
        name: Option<&'a str>,
        participants: Vec<Participant>,
    },
    Nothing {},
}

impl<'a> What<'a> {
    fn of(event: &'a Event, content: Content) -> Self {
        match &event.kind {
            Kind::Posted { body, reply_to } => Self::Posted {
                client_id: event.client_id.as_deref(),
                content: Text::of(body, content),
                reply_to: *reply_to,
            },
            Kind::Edited { target, body } => {
                Self::Edited { target: *target, content: Text::of(body, content) }
            }
            Kind::Deleted { target } => Self::Deleted { target: *target },
            Kind::Reacted { target, emoji, on } => Self::Reacted { target: *target, emoji, on: *on },
            Kind::MemberAdded { user, role } | Kind::RoleChanged { user, role } => {
                Self::Member { user_id: *user, role: *role }
            }
            Kind::MemberRemoved { user } => Self::MemberRemoved { user_id: *user },
            Kind::Renamed { name } => Self::Renamed { name },
            Kind::Created { shape, name, members } => Self::Created {
                shape: *shape,
                name: name.as_deref(),
                participants: members.iter().map(Participant::of).collect(),
            },
        }
    }
}

#[derive(Serialize)]
#[serde(untagged, rename_all_fields = "camelCase")]
enum Text<'a> {
    Plain(&'a str),
    /// `nonce` and `ciphertext` in base64 (RFC 4648 §4).
    Sealed {
        key_version: u32,
        nonce: String,
        ciphertext: String,
    },
}

impl<'a> Text<'a> {
    /// Nothing here has a key: what is sealed goes out sealed, also where it may go out plain.
    fn of(body: &'a Body, content: Content) -> Option<Self> {
        match (content, body) {
            (Content::Omitted, _) => None,
            (Content::Sealed | Content::Plain, Body::Plain(text)) => Some(Self::Plain(text)),
            (Content::Sealed | Content::Plain, Body::Sealed { key_version, nonce, ciphertext }) => {
                Some(Self::Sealed {
                    key_version: *key_version,
                    nonce: base64(nonce),
                    ciphertext: base64(ciphertext),
                })
            }
        }
    }
}

fn base64(bytes: &[u8]) -> String {
    use base64::Engine as _;
    base64::engine::general_purpose::STANDARD.encode(bytes)
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Participant {
    user_id: UserId,
    role: Role,
}

impl Participant {
    const fn of(member: &Member) -> Self {
        Self { user_id: member.user, role: member.role }
    }
}
