use async_trait::async_trait;
use natter_schemas::{
    event::{Body, Event, Kind, Timestamp},
    id::{ConversationId, Seq, UserId},
};

use crate::Result;

/// Instead of the password hash of a user who asked to be erased: no password has it.
pub(crate) const CLOSED: &str = "closed";

/// What wraps a key that was destroyed: nothing has this name.
pub(crate) const NO_ROOT: &str = "";

/// A user whose data is being erased, or was.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Erasure {
    /// Who.
    pub user: UserId,
    /// When it was asked for.
    pub requested_at: Timestamp,
    /// How far it is, as whoever does it wrote it; empty at first.
    pub record: Vec<u8>,
    /// Nothing is left to do.
    pub done: bool,
}

/// What the store has of a user besides events, counted.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Traces {
    /// Names and the email address, and identities at providers.
    pub profiles: u64,
    /// The user's own key, wrapped.
    pub user_keys: u64,
    /// Data keys, wrapped.
    pub data_keys: u64,
    /// Sessions, ended or expired ones too, as far as they are listed.
    pub sessions: u64,
    /// Users whom the user has blocked.
    pub blocks: u64,
    /// Conversations with a read mark or an unread mark.
    pub marks: u64,
    /// Memberships that were about to be made.
    pub reservations: u64,
}

impl Traces {
    /// Whether there is nothing.
    pub fn is_none(&self) -> bool {
        *self == Self::default()
    }
}

/// Users' data destroyed. Every call may be repeated, and leaves what others have.
#[async_trait]
pub trait ErasureStore: Send + Sync + 'static {
    /// Closes the account for good and keeps the request: no password is right from then on, none can be set, no session can
    /// be opened or renewed, and the names do not change. Those who are open are still in `sessions_of`. False: there is no
    /// such user. An earlier request stays as it is.
    async fn request_erasure(&self, user: UserId, at: Timestamp) -> Result<bool>;
    /// `None`: it was not asked for.
    async fn erasure(&self, user: UserId) -> Result<Option<Erasure>>;
    /// Some of those that are not done; a request that a crash cut off is completed.
    async fn open_erasures(&self, most: usize) -> Result<Vec<Erasure>>;
    /// The record, if it still is `from`; answers whether it was.
    async fn record_erasure(&self, user: UserId, from: &[u8], to: &[u8], done: bool) -> Result<bool>;
    /// What is there of the user.
    async fn traces(&self, user: UserId) -> Result<Traces>;
    /// Conversations that the user is in, or was.
    async fn conversations_ever(&self, user: UserId) -> Result<Vec<ConversationId>>;

    /// The user's keys, of every purpose. None is made again.
    async fn erase_keys(&self, user: UserId) -> Result<()>;
    /// Sessions, and refresh tokens as far as they can be found by them.
    async fn erase_sessions(&self, user: UserId) -> Result<()>;
    /// Read marks and unread marks in these conversations, and reservations.
    async fn erase_marks(&self, user: UserId, conversations: &[ConversationId]) -> Result<()>;
    /// Names, identities and email address of a closed account: others may have them from then on. The id stays, with empty names.
    async fn erase_profile(&self, user: UserId) -> Result<()>;
    /// Empties the texts of stored events of one conversation, as far as they are in clear: [`without_text`].
    async fn erase_texts(&self, conversation: ConversationId, seqs: &[Seq]) -> Result<()>;
    /// Overwrites what erased rows have left where they were, as far as the store can. To be repeated while `Unavailable`.
    async fn overwrite_erased(&self) -> Result<()>;
}

/// The event with an empty text instead of one in clear; `None`: it has none.
#[must_use]
pub fn without_text(event: &Event) -> Option<Event> {
    let mut event = event.clone();
    let (Kind::Posted { body, .. } | Kind::Edited { body, .. }) = &mut event.kind else { return None };
    match body {
        Body::Plain(text) if !text.is_empty() => text.clear(),
        _ => return None,
    }
    Some(event)
}
