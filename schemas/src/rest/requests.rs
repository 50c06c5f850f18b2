//! What a client sends.

use garde::Validate;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::check;
use crate::{
    event::{Role, Shape},
    id::{ConversationId, Seq, UserId},
    limits::{self, Limits},
};

/// A new account.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema, Validate)]
#[serde(rename_all = "camelCase")]
#[garde(allow_unvalidated)]
#[garde(context(Limits))]
pub struct Register {
    /// `a-z`, `0-9`, `_`, `.`, `-`; unique.
    #[garde(custom(check::username))]
    #[schemars(regex(pattern = "^[a-z0-9_.-]+$"))]
    #[schemars(length(min = *limits::USERNAME.start(), max = *limits::USERNAME.end()))]
    pub username: String,
    /// Unique.
    #[garde(custom(check::email))]
    #[schemars(email, length(min = 3, max = limits::EMAIL))]
    pub email: String,
    /// Counted in bytes of UTF-8.
    #[garde(custom(check::password))]
    #[schemars(length(min = *limits::PASSWORD.start(), max = *limits::PASSWORD.end()))]
    pub password: String,
    /// The username, if absent.
    #[garde(inner(custom(check::name)))]
    #[schemars(length(min = *limits::NAME.start(), max = *limits::NAME.end()))]
    pub display_name: Option<String>,
}

/// A log-in.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema, Validate)]
#[serde(rename_all = "camelCase")]
#[garde(allow_unvalidated)]
#[garde(context(Limits))]
pub struct Login {
    /// Username or email address.
    #[garde(length(bytes, min = 1, max = limits::EMAIL))]
    pub login: String,
    /// The account's password.
    #[garde(length(bytes, min = 1, max = limits::LOGIN_PASSWORD))]
    pub password: String,
}

/// A renewal of a session.
#[derive(Debug, Clone, Default, Serialize, Deserialize, JsonSchema, Validate)]
#[serde(rename_all = "camelCase")]
#[garde(allow_unvalidated)]
#[garde(context(Limits))]
pub struct Refresh {
    /// The newest of the session. The cookie `natter_refresh` if absent.
    #[garde(inner(length(bytes, min = 1, max = limits::REFRESH_TOKEN)))]
    #[schemars(length(min = 1, max = limits::REFRESH_TOKEN))]
    pub refresh_token: Option<String>,
}

/// A change of one's own profile.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema, Validate)]
#[serde(rename_all = "camelCase")]
#[garde(context(Limits))]
pub struct UpdateMe {
    /// Kept trimmed and in NFC.
    #[garde(custom(check::name))]
    #[schemars(length(min = *limits::NAME.start(), max = *limits::NAME.end()))]
    pub display_name: String,
}

/// A new password; ends every other session.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema, Validate)]
#[serde(rename_all = "camelCase")]
#[garde(allow_unvalidated)]
#[garde(context(Limits))]
pub struct ChangePassword {
    /// The present password.
    #[garde(length(bytes, min = 1, max = limits::LOGIN_PASSWORD))]
    pub current: String,
    /// The new password, counted in bytes of UTF-8.
    #[garde(custom(check::password))]
    #[schemars(length(min = *limits::PASSWORD.start(), max = *limits::PASSWORD.end()))]
    pub next: String,
}

/// A link for a new password is to be sent.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema, Validate)]
#[serde(rename_all = "camelCase")]
#[garde(allow_unvalidated)]
#[garde(context(Limits))]
pub struct RequestPasswordReset {
    /// The account's address.
    #[garde(custom(check::email))]
    #[schemars(email, length(min = 3, max = limits::EMAIL))]
    pub email: String,
    /// Of the mail, as a tag of BCP 47; English if absent or if there are no texts in it.
    #[garde(inner(length(bytes, min = 1, max = limits::LANGUAGE_TAG)))]
    pub language: Option<String>,
}

/// A new password, by a link that was sent.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema, Validate)]
#[serde(rename_all = "camelCase")]
#[garde(allow_unvalidated)]
#[garde(context(Limits))]
pub struct ResetPassword {
    /// What the link has behind its `#`.
    #[garde(length(bytes, min = 1, max = limits::ONE_TIME_TOKEN_TEXT))]
    pub token: String,
    /// The password from now on; counted in bytes of UTF-8.
    #[garde(custom(check::password))]
    #[schemars(length(min = *limits::PASSWORD.start(), max = *limits::PASSWORD.end()))]
    pub next: String,
}

/// One's account is to have another address.
#[derive(Clone, Serialize, Deserialize, JsonSchema, Validate)]
#[serde(rename_all = "camelCase")]
#[garde(allow_unvalidated)]
#[garde(context(Limits))]
pub struct RequestEmailChange {
    /// The address from then on.
    #[garde(custom(check::email))]
    #[schemars(email, length(min = 3, max = limits::EMAIL))]
    pub email: String,
    /// The present password.
    #[garde(length(bytes, min = 1, max = limits::LOGIN_PASSWORD))]
    pub password: String,
    /// Of the mail, as a tag of BCP 47; English if absent or if there are no texts in it.
    #[garde(inner(length(bytes, min = 1, max = limits::LANGUAGE_TAG)))]
    pub language: Option<String>,
}

/// The address that a link was sent to is one's own.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema, Validate)]
#[serde(rename_all = "camelCase")]
#[garde(allow_unvalidated)]
#[garde(context(Limits))]
pub struct ChangeEmail {
    /// What the link has behind its `#`.
    #[garde(length(bytes, min = 1, max = limits::EMAIL_TOKEN_TEXT))]
    pub token: String,
    /// Of the mail to the address before, as a tag of BCP 47; English if absent or if there are no texts in it.
    #[garde(inner(length(bytes, min = 1, max = limits::LANGUAGE_TAG)))]
    pub language: Option<String>,
}

/// One's account is to be erased.
#[derive(Clone, Serialize, Deserialize, JsonSchema, Validate)]
#[serde(rename_all = "camelCase")]
#[garde(allow_unvalidated)]
#[garde(context(Limits))]
pub struct EraseMe {
    /// The present password; absent for an account that has none.
    #[garde(inner(length(bytes, min = 1, max = limits::LOGIN_PASSWORD)))]
    #[schemars(length(min = 1, max = limits::LOGIN_PASSWORD))]
    pub password: Option<String>,
}

/// A conversation to be opened.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema, Validate)]
#[serde(rename_all = "camelCase")]
#[garde(allow_unvalidated)]
#[garde(context(Limits as ctx))]
pub struct CreateConversation {
    /// Direct, or a group.
    #[serde(rename = "type")]
    pub shape: Shape,
    /// Of a group; ignored in a direct conversation.
    #[garde(inner(custom(check::name)))]
    #[schemars(length(min = *limits::NAME.start(), max = *limits::NAME.end()))]
    pub name: Option<String>,
    /// Of a direct conversation the other one.
    #[garde(length(min = 1, max = ctx.participants_per_call))]
    #[schemars(length(min = 1, max = limits::PARTICIPANTS_PER_CALL))]
    pub participant_ids: Vec<UserId>,
}

/// A new name of a group.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema, Validate)]
#[serde(rename_all = "camelCase")]
#[garde(context(Limits))]
pub struct RenameConversation {
    /// Kept trimmed and in NFC.
    #[garde(custom(check::name))]
    #[schemars(length(min = *limits::NAME.start(), max = *limits::NAME.end()))]
    pub name: String,
}

/// Users to add to a group.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema, Validate)]
#[serde(rename_all = "camelCase")]
#[garde(allow_unvalidated)]
#[garde(context(Limits as ctx))]
pub struct AddParticipants {
    /// Their ids. Who left a group comes back by their own id alone.
    #[garde(length(min = 1, max = ctx.participants_per_call))]
    #[schemars(length(min = 1, max = limits::PARTICIPANTS_PER_CALL))]
    pub user_ids: Vec<UserId>,
}

/// A new role of a member.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema, Validate)]
#[serde(rename_all = "camelCase")]
#[garde(allow_unvalidated)]
#[garde(context(Limits))]
pub struct ChangeRole {
    /// `owner` makes the caller an admin.
    pub role: Role,
}

/// A message to be posted.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema, Validate)]
#[serde(rename_all = "camelCase")]
#[garde(allow_unvalidated)]
#[garde(context(Limits))]
pub struct PostMessage {
    /// Where to.
    pub conversation_id: ConversationId,
    /// Counted in bytes of UTF-8; something in it is seen.
    #[garde(custom(check::content))]
    #[schemars(length(min = 1, max = limits::CONTENT))]
    pub content: String,
    /// The client's own id of the message: with it the message can be sent again.
    #[garde(inner(custom(check::client_id)))]
    #[schemars(regex(pattern = "^[!-~]+$"), length(min = 1, max = limits::CLIENT_ID))]
    pub client_id: Option<String>,
    /// As in `hello`, so that one message sent over both is one message.
    #[garde(inner(custom(check::client_id)))]
    #[schemars(regex(pattern = "^[!-~]+$"), length(min = 1, max = limits::CLIENT_ID))]
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub device_id: Option<String>,
    /// Seq of the message that it answers.
    pub reply_to: Option<Seq>,
}

/// New content of a message.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema, Validate)]
#[serde(rename_all = "camelCase")]
#[garde(allow_unvalidated)]
#[garde(context(Limits))]
pub struct EditMessage {
    /// Counted in bytes of UTF-8; something in it is seen.
    #[garde(custom(check::content))]
    #[schemars(length(min = 1, max = limits::CONTENT))]
    pub content: String,
}

/// How far the caller has read.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema, Validate)]
#[serde(rename_all = "camelCase")]
#[garde(allow_unvalidated)]
#[garde(context(Limits))]
pub struct MarkRead {
    /// Where.
    pub conversation_id: ConversationId,
    /// Up to here. Above the head counts as the head.
    pub seq: Seq,
    /// The message at `seq` and everything after it is unread again.
    #[serde(default)]
    pub unread: bool,
}

/// Users whose presence is asked for.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema, Validate)]
#[serde(rename_all = "camelCase")]
#[garde(allow_unvalidated)]
#[garde(context(Limits))]
pub struct PresenceBatch {
    /// Answered in this order.
    #[garde(length(min = 1, max = limits::PRESENCE_BATCH))]
    pub user_ids: Vec<UserId>,
}
