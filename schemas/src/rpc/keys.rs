//! Keys that content is sealed with.

use serde::{Deserialize, Serialize};

use crate::{
    event::Body,
    id::{ConversationId, EventId, Seq, UserId},
};

/// Which data key of this user: of the messages, or of the profile.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct KeyName {
    /// Whose content is sealed with it.
    pub user: UserId,
    /// Rises with every new key of the user; `None`: the newest, which is made if there is none.
    pub epoch: Option<u32>,
}

/// Data keys of messages, in the order of `names`; `None` for one that is not there. Of workers, which have all conversations.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct GetDataKeys {
    /// Which, at most [`limits::KEYS_IN_CALL`](crate::limits::KEYS_IN_CALL).
    pub names: Vec<KeyName>,
}

/// Whose profile key is no user's: with it the hashes are made by which sealed addresses and names are found.
pub const NO_USER: UserId = UserId::from_bytes([0; 16]);

/// The same for data keys of profiles, that of [`NO_USER`] among them.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct GetProfileKeys {
    /// Which, at most [`limits::KEYS_IN_CALL`](crate::limits::KEYS_IN_CALL).
    pub names: Vec<KeyName>,
}

/// The newest data key of the user's messages, which is made if there is none; `None`: it is gone, or cannot be opened.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct GetOwnKey {
    /// Who seals with it.
    pub user: UserId,
}

/// The data keys that open these texts, in their order. A text proves what its key is wanted for: it opens only as written by
/// this author in this conversation, and its reader is a member of that.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct GetKeysOfTexts {
    /// Who is to read them.
    pub reader: UserId,
    /// At most [`limits::KEYS_IN_CALL`](crate::limits::KEYS_IN_CALL).
    pub texts: Vec<SealedText>,
}

/// A sealed text, and what it is sealed for.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SealedText {
    /// The conversation of its event.
    pub conversation: ConversationId,
    /// The event that has it.
    pub event: EventId,
    /// Whose data key has sealed it.
    pub author: UserId,
    /// Seq of the message that it edits; `None` for a message as it was posted.
    pub edits: Option<Seq>,
    /// As it is stored.
    pub body: Body,
}

/// What opens a text.
#[derive(Clone, Serialize, Deserialize)]
pub enum TextKey {
    /// This.
    Issued(IssuedKey),
    /// There is no such key.
    Absent,
    /// It is not shown to this reader: no member, or the text is not what it is said to be.
    Refused,
}

/// A data key in clear: never logged, never stored.
#[derive(Clone, Serialize, Deserialize)]
pub struct IssuedKey {
    /// Which of the user's keys.
    pub epoch: u32,
    /// The key.
    pub key: [u8; 32],
}
