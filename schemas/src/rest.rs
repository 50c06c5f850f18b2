//! What travels over HTTP: bodies a client sends, views it gets (`docs/protocol.md`, section 1).

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
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ReactionView {
    pub emoji: String,
    pub count: usize,
    pub user_ids: Vec<UserId>,
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

/// The rules for what people type, shared by HTTP bodies and socket frames. Each is given the deployment's bounds.
pub mod check {
    use unicode_segmentation::UnicodeSegmentation;

    use crate::limits::{self, Limits};

    type Checked = garde::Result;

    fn must(holds: bool, rule: impl FnOnce() -> String) -> Checked {
        if holds { Ok(()) } else { Err(garde::Error::new(rule())) }
    }

    /// What the other side may choose to name its request by.
    pub fn visible_ascii(text: &str) -> bool {
        (1..=limits::CLIENT_ID).contains(&text.len()) && text.bytes().all(|b| b.is_ascii_graphic())
    }

    pub fn client_id(text: &str, limits: &Limits) -> Checked {
        must(text.len() <= limits.client_id && visible_ascii(text), || {
            format!("must be 1 to {} visible ASCII characters", limits.client_id)
        })
    }

    pub fn content(text: &str, limits: &Limits) -> Checked {
        must(text.len() <= limits.content, || format!("must be at most {} bytes of UTF-8", limits.content))?;
        must(!text.trim().is_empty(), || "must not be blank".to_owned())
    }

    pub fn username(text: &str, limits: &Limits) -> Checked {
        let allowed = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit() || b"_.-".contains(&b);
        must(limits.username.contains(&text.len()) && text.bytes().all(allowed), || {
            format!("must be {} to {} of a-z 0-9 _ . -", limits.username.start(), limits.username.end())
        })
    }

    /// One `@`, something on both sides, a dot in the domain, nothing blank: whether it exists only a mail
    /// can tell.
    pub fn email<C>(text: &str, _: &C) -> Checked {
        let parts = text.rsplit_once('@');
        let shaped = parts.is_some_and(|(local, domain)| {
            !local.is_empty() && !local.contains('@') && domain.split('.').all(|label| !label.is_empty())
        });
        let clean = text.len() <= limits::EMAIL && !text.chars().any(|c| c.is_whitespace() || c.is_control());
        must(shaped && clean, || format!("must be an email address of at most {} bytes", limits::EMAIL))
    }

    pub fn password(text: &str, limits: &Limits) -> Checked {
        must(limits.password.contains(&text.len()), || {
            format!("must be {} to {} bytes", limits.password.start(), limits.password.end())
        })
    }

    pub fn name(text: &str, limits: &Limits) -> Checked {
        let fits = limits.name.contains(&text.chars().count());
        must(fits && !text.trim().is_empty() && !text.chars().any(char::is_control), || {
            format!(
                "must be {} to {} characters, not blank, without control characters",
                limits.name.start(),
                limits.name.end()
            )
        })
    }

    /// One grapheme cluster that is not text: Unicode's emoji are outside ASCII, or end in an emoji selector
    /// or keycap.
    pub fn emoji<C>(text: &str, _: &C) -> Checked {
        let one = text.graphemes(true).count() == 1 && text.len() <= limits::EMOJI;
        let pictorial = text.chars().any(is_pictorial);
        must(one && pictorial, || "must be one emoji".to_owned())
    }

    fn is_pictorial(c: char) -> bool {
        matches!(u32::from(c),
            0x00A9 | 0x00AE | 0x203C | 0x2049 | 0x20E3 | 0x2122 | 0x2139 | 0x2194..=0x21AA | 0x231A..=0x23FF
            | 0x24C2 | 0x25AA..=0x25FE | 0x2600..=0x27BF | 0x2934..=0x2935 | 0x2B05..=0x2B55 | 0x3030 | 0x303D
            | 0x3297 | 0x3299 | 0xFE0F | 0x1F000..=0x1FAFF)
    }

    #[cfg(test)]
    mod tests {
        use super::*;

        #[test]
        fn one_emoji_is_one_grapheme_and_a_picture() {
            for good in ["👍", "❤️", "👩‍👩‍👧‍👦", "🇩🇪", "1️⃣", "👍🏽", "✅", "©️"]
            {
                assert!(emoji(good, &()).is_ok(), "{good}");
            }
            for bad in ["", "a", "👍👍", "ok", "é", "漢", " ", "1", "👍 "] {
                assert!(emoji(bad, &()).is_err(), "{bad}");
            }
        }

        #[test]
        fn an_email_has_two_sides() {
            for good in ["a@b", "al.ice+x@mail.example.org"] {
                assert!(email(good, &()).is_ok(), "{good}");
            }
            for bad in ["", "@", "a@", "@b", "a b@c", "a@b@c", "a@b..c", "a\n@b"] {
                assert!(email(bad, &()).is_err(), "{bad}");
            }
        }

        #[test]
        fn content_is_measured_in_bytes_and_is_not_blank() {
            let limits = Limits::default();
            assert!(content(&"é".repeat(4096), &limits).is_ok());
            assert!(content(&"é".repeat(4097), &limits).is_err());
            assert!(content(" \n\t\u{3000}", &limits).is_err());
        }

        #[test]
        fn a_stricter_deployment_refuses_more() {
            let strict =
                Limits { content: 4, name: 1..=3, password: 12..=128, client_id: 36, ..Limits::default() };
            let longest =
                [content("1234", &strict), name("Bob", &strict), client_id(&"x".repeat(36), &strict)];
            assert!(longest.iter().all(Result::is_ok));
            let longer =
                [content("12345", &strict), name("Dave", &strict), client_id(&"x".repeat(37), &strict)];
            assert!(longer.iter().all(Result::is_err));
            let error = password("eleven char", &strict).expect_err("too short");
            assert_eq!(error.to_string(), "must be 12 to 128 bytes");
        }
    }
}
