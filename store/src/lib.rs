//! What is kept for good: accounts, conversations, history, read marks. A trait of queries named after what
//! they are for, and its implementations; no other crate writes a query.
//!
//! The log is the truth for conversations: `persist` applies its events, any number of times and in any
//! order, always to the same result. Accounts, sessions and read marks exist only here.

#![cfg_attr(test, allow(clippy::unwrap_used))]

pub mod sqlite; // the embedded store: one file, no server
pub mod scylla; // the store at scale: CQL
pub mod migration; // where a store's schema is

#[cfg(feature = "conformance")]
pub mod conformance; // what every implementation must do
#[cfg(feature = "testkit")]
pub mod testkit; // a real Cassandra for tests

mod fold; // upper and lower case made alike

use async_trait::async_trait;
use natter_schemas::{
    event::{LogEntry, Member, Message, Role, Shape, Timestamp},
    id::{ConversationId, EventId, Partition, Seq, SessionId, UserId},
    rpc::{ListCursor, Membership, User, Window},
};

#[derive(Debug, Clone, thiserror::Error)]
pub enum StoreError {
    /// Out of reach, busy past its bound, out of disk: the same call may succeed later.
    #[error("the store is not available: {0}")]
    Unavailable(String),
    /// What was read is not what was written, or the schema is not this program's.
    #[error("the store holds what this program cannot read: {0}")]
    Corrupt(String),
}

pub type Result<T> = std::result::Result<T, StoreError>;

/// A user and the argon2id hash (PHC string) of the password.
#[derive(Clone)]
pub struct Credentials {
    pub user: User,
    pub password_hash: String,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum AddUser {
    Added,
    UsernameTaken,
    EmailTaken,
}

/// A refresh token as it is kept: its hash. The token itself exists only at the client.
pub type TokenHash = [u8; 32];

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Renewal {
    /// The token was the session's newest; now the next one is.
    Renewed { user: UserId, session: SessionId },
    /// The token had been exchanged before: somebody has a copy. The session is ended by this call.
    Reused { user: UserId, session: SessionId },
    /// Never issued, or its session has ended or expired.
    Unknown,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ConversationRow {
    pub id: ConversationId,
    pub shape: Shape,
    pub name: Option<String>,
    pub created_at: Timestamp,
    /// Members now.
    pub members: usize,
    /// Newest persisted seq of any event.
    pub head: Seq,
    /// Time of the newest message, membership change or name; edits, deletions and reactions do not count.
    pub last_activity_at: Timestamp,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct MemberRow {
    pub member: Member,
    pub joined_at: Timestamp,
    pub read: Seq,
}

/// A conversation in its member's list.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ListedRow {
    pub conversation: ConversationRow,
    pub role: Role,
    pub read: Seq,
}

#[async_trait]
pub trait Store: Send + Sync + 'static {
    // Accounts.

    async fn add_user(&self, user: &User, password_hash: &str) -> Result<AddUser>;
    async fn users(&self, ids: &[UserId]) -> Result<Vec<User>>;
    /// By username or email address, whatever the case.
    async fn credentials(&self, login: &str) -> Result<Option<Credentials>>;
    async fn credentials_of(&self, user: UserId) -> Result<Option<Credentials>>;
    /// Users whose username or display name begins with `prefix`, whatever the case, by username.
    async fn search_users(&self, prefix: &str, limit: usize) -> Result<Vec<User>>;
    /// `None`: no such user.
    async fn set_display_name(&self, user: UserId, name: &str) -> Result<Option<User>>;
    async fn set_password_hash(&self, user: UserId, password_hash: &str) -> Result<()>;

    // Sessions.

    async fn add_session(
        &self,
        session: SessionId,
        user: UserId,
        token: TokenHash,
        expires_at: Timestamp,
    ) -> Result<()>;
    /// Exchanges `token` for `next` atomically: of two concurrent calls one is `Renewed`, the other `Reused`.
    async fn renew_session(
        &self,
        token: TokenHash,
        next: TokenHash,
        now: Timestamp,
        expires_at: Timestamp,
    ) -> Result<Renewal>;
    /// Its refresh tokens are `Unknown` from now on.
    async fn end_session(&self, session: SessionId) -> Result<()>;
    /// Sessions not ended and not expired.
    async fn sessions_of(&self, user: UserId, now: Timestamp) -> Result<Vec<SessionId>>;

    // Conversations.

    async fn conversation(&self, id: ConversationId) -> Result<Option<ConversationRow>>;
    /// Present members, by time of joining.
    async fn members(&self, id: ConversationId) -> Result<Vec<MemberRow>>;
    /// `None`: never a member. A former member has `role: None`.
    async fn membership(&self, conversation: ConversationId, user: UserId) -> Result<Option<Membership>>;
    /// Present memberships only.
    async fn memberships(&self, user: UserId) -> Result<Vec<Membership>>;
    /// The user's conversations, newest activity first, ties by id downwards.
    async fn list_conversations(
        &self,
        user: UserId,
        after: Option<ListCursor>,
        limit: usize,
    ) -> Result<Vec<ListedRow>>;

    /// Those of `others` who are in a conversation with `user` now.
    async fn sharing(&self, user: UserId, others: &[UserId]) -> Result<Vec<UserId>>;

    // Blocks.

    async fn set_block(&self, user: UserId, other: UserId, on: bool, at: Timestamp) -> Result<()>;
    /// Whom the user has blocked, oldest first.
    async fn blocks_of(&self, user: UserId) -> Result<Vec<UserId>>;
    /// Whom the user has blocked and who has blocked the user.
    async fn blocked_with(&self, user: UserId) -> Result<Vec<UserId>>;

    // The log's events.

    /// Applies events of one partition durably: when this returns they survive a power cut. Idempotent, in
    /// any order; the author of a posted message has read up to it, and who is added up to there.
    async fn persist(&self, partition: Partition, events: &[LogEntry]) -> Result<()>;
    /// Newest persisted seq of a partition, 0 for none: a rebuilt log must begin above it.
    async fn highest(&self, partition: Partition) -> Result<Seq>;

    // History.

    /// Newest persisted seq of each, 0 for none.
    async fn heads(&self, conversations: &[ConversationId]) -> Result<Vec<Seq>>;
    /// Messages with seq ≤ `up_to`, ascending: the `limit` nearest to the window's edge (`Newest` and `Before`: the
    /// highest; `After`: the lowest). Their bodies in the present state, whatever was persisted ahead of others;
    /// their reactions as they were at `up_to`, so that those of later events fall into place behind them.
    async fn messages(
        &self,
        conversation: ConversationId,
        window: Window,
        up_to: Seq,
        limit: usize,
    ) -> Result<Vec<Message>>;
    /// The one at `seq`, as [`Store::messages`] has it.
    async fn message(&self, conversation: ConversationId, seq: Seq, up_to: Seq) -> Result<Option<Message>>;
    /// Every event with `after` ≤ seq ≤ `up_to` as logged, ascending: **including** the one at `after`.
    async fn events_from(
        &self,
        conversation: ConversationId,
        after: Seq,
        up_to: Seq,
        limit: usize,
    ) -> Result<Vec<LogEntry>>;
    async fn find_event(&self, conversation: ConversationId, id: EventId) -> Result<Option<LogEntry>>;

    // Read marks.

    /// Moves the mark forward, never back; answers where it is now.
    async fn advance_read(
        &self,
        conversation: ConversationId,
        user: UserId,
        seq: Seq,
        at: Timestamp,
    ) -> Result<Seq>;
    async fn read_mark(&self, conversation: ConversationId, user: UserId) -> Result<Seq>;
    /// Seqs of others' messages that are not deleted, `after` < seq ≤ `up_to`, ascending, at most `limit`.
    async fn countable(
        &self,
        conversation: ConversationId,
        user: UserId,
        after: Seq,
        up_to: Seq,
        limit: usize,
    ) -> Result<Vec<Seq>>;

    /// Whether it answers now.
    async fn ready(&self) -> Result<()>;

    /// Finishes the writes that are under way, then lets go of files and connections. Later calls are `Unavailable`.
    async fn close(&self);
}
