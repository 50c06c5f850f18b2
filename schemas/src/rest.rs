//! What travels over HTTP: bodies a client sends, views it gets (`docs/protocol.md`, section 1).

pub mod check; // rules for what users type

use garde::Validate;
use serde::{Deserialize, Serialize};

use crate::{
    code::Code,
    event::{Role, Shape, Timestamp},
    frame::Status,
    id::{ConversationId, EventId, Seq, SessionId, UserId},
    limits::{self, Limits},
};

#[derive(Debug, Clone, Serialize, Deserialize, Validate)]
#[serde(rename_all = "camelCase")]
#[garde(allow_unvalidated)]
#[garde(context(Limits))]
pub struct Register {
    #[garde(custom(check::username))]
    pub username: String,
    #[garde(custom(check::email))]
    pub email: String,
    #[garde(custom(check::password))]
    pub password: String,
    #[garde(inner(custom(check::name)))]
    pub display_name: Option<String>,
}

#[derive(Debug, Clone, Serialize, Deserialize, Validate)]
#[serde(rename_all = "camelCase")]
#[garde(allow_unvalidated)]
#[garde(context(Limits))]
pub struct Login {
    /// Username or email address.
    #[garde(length(bytes, min = 1, max = limits::EMAIL))]
    pub login: String,
    #[garde(length(bytes, min = 1, max = limits::LOGIN_PASSWORD))]
    pub password: String,
}

#[derive(Debug, Clone, Default, Serialize, Deserialize, Validate)]
#[serde(rename_all = "camelCase")]
#[garde(allow_unvalidated)]
#[garde(context(Limits))]
pub struct Refresh {
    #[garde(inner(length(bytes, min = 1, max = limits::REFRESH_TOKEN)))]
    pub refresh_token: Option<String>,
}

#[derive(Debug, Clone, Serialize, Deserialize, Validate)]
#[serde(rename_all = "camelCase")]
#[garde(context(Limits))]
pub struct UpdateMe {
    #[garde(custom(check::name))]
    pub display_name: String,
}

#[derive(Debug, Clone, Serialize, Deserialize, Validate)]
#[serde(rename_all = "camelCase")]
#[garde(allow_unvalidated)]
#[garde(context(Limits))]
pub struct ChangePassword {
    #[garde(length(bytes, min = 1, max = limits::LOGIN_PASSWORD))]
    pub current: String,
    #[garde(custom(check::password))]
    pub next: String,
}

#[derive(Debug, Clone, Serialize, Deserialize, Validate)]
#[serde(rename_all = "camelCase")]
#[garde(allow_unvalidated)]
#[garde(context(Limits as ctx))]
pub struct CreateConversation {
    #[serde(rename = "type")]
    pub shape: Shape,
    #[garde(inner(custom(check::name)))]
    pub name: Option<String>,
    #[garde(length(min = 1, max = ctx.participants_per_call))]
    pub participant_ids: Vec<UserId>,
}

#[derive(Debug, Clone, Serialize, Deserialize, Validate)]
#[serde(rename_all = "camelCase")]
#[garde(context(Limits))]
pub struct RenameConversation {
    #[garde(custom(check::name))]
    pub name: String,
}

#[derive(Debug, Clone, Serialize, Deserialize, Validate)]
#[serde(rename_all = "camelCase")]
#[garde(allow_unvalidated)]
#[garde(context(Limits as ctx))]
pub struct AddParticipants {
    #[garde(length(min = 1, max = ctx.participants_per_call))]
    pub user_ids: Vec<UserId>,
}

#[derive(Debug, Clone, Serialize, Deserialize, Validate)]
#[serde(rename_all = "camelCase")]
#[garde(allow_unvalidated)]
#[garde(context(Limits))]
pub struct ChangeRole {
    pub role: Role,
}

#[derive(Debug, Clone, Serialize, Deserialize, Validate)]
#[serde(rename_all = "camelCase")]
#[garde(allow_unvalidated)]
#[garde(context(Limits))]
pub struct PostMessage {
    pub conversation_id: ConversationId,
    #[garde(custom(check::content))]
    pub content: String,
    #[garde(inner(custom(check::client_id)))]
    pub client_id: Option<String>,
    /// As in `hello`, so that one message sent over both is one message.
    #[garde(inner(custom(check::client_id)))]
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub device_id: Option<String>,
    pub reply_to: Option<Seq>,
}

#[derive(Debug, Clone, Serialize, Deserialize, Validate)]
#[serde(rename_all = "camelCase")]
#[garde(allow_unvalidated)]
#[garde(context(Limits))]
pub struct EditMessage {
    #[garde(custom(check::content))]
    pub content: String,
}

#[derive(Debug, Clone, Serialize, Deserialize, Validate)]
#[serde(rename_all = "camelCase")]
#[garde(allow_unvalidated)]
#[garde(context(Limits))]
pub struct MarkRead {
    pub conversation_id: ConversationId,
    pub seq: Seq,
    #[serde(default)]
    pub unread: bool,
}

/// A public profile; `email` only in one's own.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct UserView {
    pub id: UserId,
    pub username: String,
    pub display_name: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub email: Option<String>,
    pub created_at: Timestamp,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct SessionView {
    pub user: UserView,
    pub session_id: SessionId,
    pub token: String,
    pub refresh_token: String,
    /// Seconds until `token` expires.
    pub expires_in: u64,
}

/// A list without pages.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Items<T> {
    pub items: Vec<T>,
}

/// Items of a list, page by page.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ListPage<T> {
    pub items: Vec<T>,
    pub next_cursor: Option<String>,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ConversationPage {
    pub items: Vec<ConversationView>,
    pub next_cursor: Option<String>,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ConversationView {
    pub id: ConversationId,
    #[serde(rename = "type")]
    pub shape: Shape,
    pub name: Option<String>,
    /// The caller's own role.
    pub role: Role,
    pub created_at: Timestamp,
    pub head_seq: Seq,
    pub read_seq: Seq,
    /// Exact to 99; 100 stands for more.
    pub unread_count: usize,
    pub last_activity_at: Timestamp,
    pub last_message: Option<MessageView>,
    pub participant_count: usize,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub participants: Option<Vec<ParticipantView>>,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ParticipantView {
    pub user_id: UserId,
    pub username: String,
    pub display_name: String,
    pub role: Role,
    pub joined_at: Timestamp,
    pub read_seq: Seq,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct MessageView {
    pub id: EventId,
    pub conversation_id: ConversationId,
    pub seq: Seq,
    pub sender_id: UserId,
    pub client_id: Option<String>,
    pub content: Option<String>,
    pub reply_to: Option<Seq>,
    pub created_at: Timestamp,
    pub edited_at: Option<Timestamp>,
    pub deleted_at: Option<Timestamp>,
    pub reactions: Vec<ReactionView>,
    /// A placeholder: what is stored of the message cannot be read.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub unreadable: bool,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ReactionView {
    pub emoji: String,
    pub count: usize,
    /// Whether the caller is one of them.
    pub me: bool,
    /// The first to react, at most [`limits::REACTORS`].
    pub user_ids: Vec<UserId>,
}

/// Everyone who reacted with one emoji, page by page.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ReactorsPage {
    pub emoji: String,
    pub count: usize,
    pub me: bool,
    pub user_ids: Vec<UserId>,
    pub next_cursor: Option<String>,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct MessagePage {
    /// Ascending by seq.
    pub items: Vec<MessageView>,
    pub has_more: bool,
    pub head_seq: Seq,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ReadView {
    pub conversation_id: ConversationId,
    pub seq: Seq,
    pub unread_count: usize,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct InboxView {
    /// Over all conversations; of a hundred and more unread messages in one, 100 are counted.
    pub total_unread: usize,
    pub items: Vec<InboxItemView>,
    pub next_cursor: Option<String>,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct InboxItemView {
    pub conversation_id: ConversationId,
    pub unread_count: usize,
    pub head_seq: Seq,
    pub read_seq: Seq,
    pub last_message: Option<MessageView>,
}

#[derive(Debug, Clone, Serialize, Deserialize, Validate)]
#[serde(rename_all = "camelCase")]
#[garde(allow_unvalidated)]
#[garde(context(Limits))]
pub struct PresenceBatch {
    #[garde(length(min = 1, max = limits::PRESENCE_BATCH))]
    pub user_ids: Vec<UserId>,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct PresenceView {
    pub user_id: UserId,
    pub status: Status,
    pub last_seen_at: Option<Timestamp>,
}

/// Who anyone may log in as, in the demo.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct DemoPersonView {
    pub username: String,
    pub display_name: String,
    pub password: String,
}

/// RFC 9457 problem details.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Problem {
    #[serde(rename = "type")]
    pub kind: String,
    pub title: String,
    pub status: u16,
    pub detail: String,
    pub code: Code,
    pub request_id: String,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub errors: Vec<FieldError>,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct FieldError {
    pub field: String,
    pub message: String,
}
