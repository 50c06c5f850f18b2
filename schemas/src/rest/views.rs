//! What a client gets.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::{
    code::Code,
    event::{Role, Shape, Timestamp},
    frame::Status,
    id::{ConversationId, EventId, Seq, SessionId, UserId},
    limits,
};

/// A public profile.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
#[schemars(rename = "User")]
pub struct UserView {
    /// Never changes.
    pub id: UserId,
    /// Unique.
    pub username: String,
    /// As the user wants to be called.
    pub display_name: String,
    /// In one's own profile only; absent there too while none is known.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub email: Option<String>,
    /// When the account was registered.
    pub created_at: Timestamp,
    /// The user was erased: the names are empty, and nothing more is known. Left out when false.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub erased: bool,
}

/// A session that was opened or renewed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
#[schemars(rename = "Session")]
pub struct SessionView {
    /// One's own profile.
    pub user: UserView,
    /// Stays the same when the session is renewed.
    pub session_id: SessionId,
    /// The access token, for `Authorization: Bearer` and `hello`.
    pub token: String,
    /// Renews the session once; opaque. Also set as the cookie `natter_refresh`.
    pub refresh_token: String,
    /// Seconds until `token` expires.
    pub expires_in: u64,
}

/// One log-in that has not ended.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
#[schemars(rename = "OpenSession")]
pub struct OpenSessionView {
    /// Stays the same when the session is renewed.
    pub id: SessionId,
    /// When it was opened, by the clock of the machine that opened it; absent if that is not known.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub created_at: Option<Timestamp>,
    /// Whether it is the caller's own.
    pub current: bool,
}

/// A list without pages.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[schemars(rename = "{T}List")]
pub struct Items<T> {
    /// All of them.
    pub items: Vec<T>,
}

/// Items of a list, page by page.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
#[schemars(rename = "{T}Page")]
pub struct ListPage<T> {
    /// Fewer than `limit` where they are long.
    pub items: Vec<T>,
    /// The `cursor` of the next page; `null` at the end.
    pub next_cursor: Option<String>,
}

/// Conversations, newest activity first.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct ConversationPage {
    /// Fewer than `limit` where they are long.
    pub items: Vec<ConversationView>,
    /// The `cursor` of the next page; `null` at the end.
    pub next_cursor: Option<String>,
}

/// A conversation as the caller sees it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
#[schemars(rename = "Conversation")]
pub struct ConversationView {
    /// Never changes.
    pub id: ConversationId,
    /// Direct, or a group.
    #[serde(rename = "type")]
    pub shape: Shape,
    /// Of a group; `null` in a direct conversation.
    pub name: Option<String>,
    /// The caller's own.
    pub role: Role,
    /// When it was opened.
    pub created_at: Timestamp,
    /// Seq of its newest event.
    pub head_seq: Seq,
    /// Seq up to which the caller has read.
    pub read_seq: Seq,
    /// Messages of others after `readSeq`: exact to 99, 100 stands for more.
    pub unread_count: usize,
    /// When something happened in it last; lists are ordered by it.
    pub last_activity_at: Timestamp,
    /// The newest message that is not deleted. Where the newest 20 all are, the newest of them.
    pub last_message: Option<MessageView>,
    /// How many users are in it.
    pub participant_count: usize,
    /// The first 1,000. In lists absent from groups.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub participants: Option<Vec<ParticipantView>>,
}

/// A user in a conversation.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
#[schemars(rename = "Participant")]
pub struct ParticipantView {
    /// Who it is.
    pub user_id: UserId,
    /// As in the user's profile.
    pub username: String,
    /// As in the user's profile.
    pub display_name: String,
    /// What they may do in it.
    pub role: Role,
    /// When they became a member.
    pub joined_at: Timestamp,
    /// How far they have read, as others see it; 0 where a block hides it.
    pub read_seq: Seq,
    /// The user was erased: the names are empty. Left out when false.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub erased: bool,
}

/// A message in its present state.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
#[schemars(rename = "Message")]
pub struct MessageView {
    /// Never changes.
    pub id: EventId,
    /// Where it was posted.
    pub conversation_id: ConversationId,
    /// Its place in the conversation: rises from message to message, not by one.
    pub seq: Seq,
    /// Who posted it.
    pub sender_id: UserId,
    /// The sender's own id of it, if one was given.
    pub client_id: Option<String>,
    /// `null` when it is deleted or unreadable.
    pub content: Option<String>,
    /// Seq of the message that it answers.
    pub reply_to: Option<Seq>,
    /// When it was posted.
    pub created_at: Timestamp,
    /// When its content was last changed.
    pub edited_at: Option<Timestamp>,
    /// When it was deleted; it keeps its place.
    pub deleted_at: Option<Timestamp>,
    /// At most 20 different ones.
    pub reactions: Vec<ReactionView>,
    /// A placeholder: what is stored of the message cannot be read. Absent otherwise.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub unreadable: bool,
}

/// A reaction of some users to a message.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
#[schemars(rename = "Reaction")]
pub struct ReactionView {
    /// One emoji, in its canonical spelling.
    pub emoji: String,
    /// How many users reacted with it.
    pub count: usize,
    /// Whether the caller is one of them.
    pub me: bool,
    /// The first to react.
    #[schemars(length(max = limits::REACTORS))]
    pub user_ids: Vec<UserId>,
}

/// Everyone who reacted with one emoji, page by page, oldest first.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct ReactorsPage {
    /// One emoji, in its canonical spelling.
    pub emoji: String,
    /// How many users reacted with it.
    pub count: usize,
    /// Whether the caller is one of them.
    pub me: bool,
    /// Those of this page.
    pub user_ids: Vec<UserId>,
    /// The `cursor` of the next page; `null` at the end.
    pub next_cursor: Option<String>,
}

/// Messages of a conversation.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct MessagePage {
    /// Ascending by seq. Fewer than `limit` where they are long.
    pub items: Vec<MessageView>,
    /// Whether there are more in the direction that was asked for.
    pub has_more: bool,
    /// Seq of the conversation's newest event.
    pub head_seq: Seq,
}

/// How far the caller has read.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
#[schemars(rename = "ReadMark")]
pub struct ReadView {
    /// Where.
    pub conversation_id: ConversationId,
    /// Up to here; may be further than was asked for.
    pub seq: Seq,
    /// Messages of others after it: exact to 99, 100 stands for more.
    pub unread_count: usize,
}

/// The conversations with unread messages.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
#[schemars(rename = "Inbox")]
pub struct InboxView {
    /// Over all conversations; of a hundred and more unread messages in one, 100 are counted.
    pub total_unread: usize,
    /// Newest activity first.
    pub items: Vec<InboxItemView>,
    /// The `cursor` of the next page; `null` at the end.
    pub next_cursor: Option<String>,
}

/// A conversation with unread messages.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
#[schemars(rename = "InboxItem")]
pub struct InboxItemView {
    /// Which one.
    pub conversation_id: ConversationId,
    /// Messages of others after `readSeq`: exact to 99, 100 stands for more.
    pub unread_count: usize,
    /// Seq of its newest event.
    pub head_seq: Seq,
    /// Seq up to which the caller has read.
    pub read_seq: Seq,
    /// The newest message that is not deleted. Where the newest 20 all are, the newest of them.
    pub last_message: Option<MessageView>,
}

/// Whether a user is online.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
#[schemars(rename = "Presence")]
pub struct PresenceView {
    /// Who.
    pub user_id: UserId,
    /// `offline` also for users who share no conversation with the caller.
    pub status: Status,
    /// `null` while it is not known or not shown.
    pub last_seen_at: Option<Timestamp>,
}

/// Who anyone may log in as, in the demo.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
#[schemars(rename = "DemoPerson")]
pub struct DemoPersonView {
    /// For logging in.
    pub username: String,
    /// As the user wants to be called.
    pub display_name: String,
    /// For logging in; no secret.
    pub password: String,
}

/// An error (RFC 9457).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Problem {
    /// `urn:natter:problem:` and the code.
    #[serde(rename = "type")]
    pub kind: String,
    /// The same for every error of this code.
    pub title: String,
    /// The HTTP status again.
    pub status: u16,
    /// What went wrong this time, for people.
    pub detail: String,
    /// What a client decides by.
    pub code: Code,
    /// As in `X-Request-Id`: operators find the request by it.
    pub request_id: String,
    /// With `invalid`: what is wrong with which field.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub errors: Vec<FieldError>,
}

/// What is wrong with a field.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct FieldError {
    /// Its name or path, or that of a parameter or header.
    pub field: String,
    /// The rule that it breaks.
    pub message: String,
}

/// The node answers.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Health {
    /// `ok`.
    pub status: NodeStatus,
    /// The time that messages have.
    pub timestamp: Timestamp,
}

/// The process answers.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Liveness {
    /// `ok`.
    pub status: NodeStatus,
}

/// Whether the node can take clients.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Readiness {
    /// `ok` with 200.
    pub status: NodeStatus,
    /// What an ack promises: `durable`, `replicated` or `relaxed`.
    pub durability: String,
    /// What the node needs, by name.
    pub parts: BTreeMap<String, PartStatus>,
    /// How far this machine's clock is ahead of the log's, in milliseconds.
    pub clock_ahead_ms: i64,
}

/// Of a node.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum NodeStatus {
    /// It can take clients.
    Ok,
    /// A part that it needs is down.
    Degraded,
    /// It is about to end.
    Draining,
}

/// Of a part that a node needs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum PartStatus {
    /// It works.
    Up,
    /// It does not.
    Down,
}
