//! What processes ask services over NATS request/reply: one type per question, postcard on the wire.
//!
//! An answer is `Result<Reply, Refused>`: failures are codes of the one table, never text. Callers are edges,
//! which have already checked who asks; services check what they may.

use serde::{Deserialize, Serialize, de::DeserializeOwned};

use crate::{
    code::Code,
    event::{Logged, Message, Role, Shape, Timestamp},
    id::{ConversationId, EventId, Seq, SessionId, UserId},
};

/// The services; each is a NATS queue group of its own.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Service {
    Accounts,
    Conversations,
    History,
    Inbox,
}

impl Service {
    pub const fn name(self) -> &'static str {
        match self {
            Self::Accounts => "accounts",
            Self::Conversations => "conversations",
            Self::History => "history",
            Self::Inbox => "inbox",
        }
    }
}

/// A question: where it goes and what comes back.
pub trait Call: Serialize + DeserializeOwned + Send + Sync + 'static {
    type Reply: Serialize + DeserializeOwned + Send + 'static;
    const SERVICE: Service;
    /// One word, unique in its service.
    const NAME: &'static str;
    /// How long the caller waits; a service drops questions that nobody waits for.
    const DEADLINE: std::time::Duration = crate::limits::RPC;
}

/// A refusal: a code, and for `invalid` the field at fault, spelled as in JSON.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, thiserror::Error)]
#[error("{code}")]
pub struct Refused {
    pub code: Code,
    pub field: Option<String>,
}

impl Refused {
    pub fn invalid(field: &str) -> Self {
        Self { code: Code::Invalid, field: Some(field.to_owned()) }
    }
}

impl From<Code> for Refused {
    fn from(code: Code) -> Self {
        Self { code, field: None }
    }
}

macro_rules! calls {
    ($($service:ident { $($call:ident => $name:literal -> $reply:ty $(, $deadline:expr)?;)* })*) => {$($(
        impl Call for $call {
            type Reply = $reply;
            const SERVICE: Service = Service::$service;
            const NAME: &'static str = $name;
            $(const DEADLINE: std::time::Duration = $deadline;)?
        }
    )*)*};
}

calls! {
    Accounts {
        RegisterUser => "register" -> Opened, crate::limits::RPC_HASHING;
        LogIn => "login" -> Opened, crate::limits::RPC_HASHING;
        Renew => "renew" -> Opened;
        LogOut => "logout" -> ();
        FindUser => "user" -> User;
        FindUsers => "users" -> Vec<User>;
        SearchUsers => "search" -> Vec<User>;
        UpdateUser => "update" -> User;
        NewPassword => "password" -> (), crate::limits::RPC_HASHING;
    }
    Conversations {
        OpenConversation => "open" -> OpenedConversation;
        GetConversation => "get" -> Conversation;
        ListConversations => "list" -> ConversationList;
        Rename => "rename" -> Logged;
        Memberships => "memberships" -> Vec<Membership>;
        Access => "access" -> Option<Membership>;
        AddMembers => "add-members" -> ();
        RemoveMember => "remove-member" -> ();
        SetRole => "set-role" -> ();
        Sharing => "sharing" -> Vec<UserId>;
        SetBlock => "set-block" -> ();
        Blocks => "blocks" -> Vec<UserId>;
        Blocked => "blocked" -> Vec<ConversationId>;
    }
    History {
        Page => "page" -> PageReply;
        EventsAfter => "after" -> Replay;
        Heads => "heads" -> Vec<Seq>;
        LogHeads => "log-heads" -> Vec<Seq>;
        FindEvent => "find" -> Option<Logged>;
        GetMessage => "message" -> Option<Message>;
    }
    Inbox {
        MarkRead => "read" -> Mark;
        ListInbox => "list" -> Vec<InboxItem>;
    }
}

// Accounts.

#[derive(Clone, Serialize, Deserialize)]
pub struct RegisterUser {
    pub username: String,
    pub email: String,
    pub password: String,
    pub display_name: Option<String>,
}

#[derive(Clone, Serialize, Deserialize)]
pub struct LogIn {
    pub login: String,
    pub password: String,
}

/// Exchanges a refresh token for the next one; a used token ends its session.
#[derive(Clone, Serialize, Deserialize)]
pub struct Renew {
    pub refresh_token: String,
}

/// Ends one session, or with `session: None` every session of the user.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct LogOut {
    pub user: UserId,
    pub session: Option<SessionId>,
}

#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct FindUser {
    pub user: UserId,
}

/// Those of the users that exist, in no particular order.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct FindUsers {
    pub users: Vec<UserId>,
}

/// By prefix of username or display name, upper and lower case alike.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct SearchUsers {
    pub query: String,
    pub limit: usize,
}

#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct UpdateUser {
    pub user: UserId,
    pub display_name: String,
}

/// Ends every other session of the user.
#[derive(Clone, Serialize, Deserialize)]
pub struct NewPassword {
    pub user: UserId,
    pub session: SessionId,
    pub current: String,
    pub next: String,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct User {
    pub id: UserId,
    pub username: String,
    pub email: String,
    pub display_name: String,
    pub created_at: Timestamp,
}

/// A session as it opens or goes on.
#[derive(Clone, Serialize, Deserialize)]
pub struct Opened {
    pub user: User,
    pub session: SessionId,
    pub refresh_token: String,
}

// Conversations.

/// A new conversation, or for two people the one they have.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct OpenConversation {
    pub creator: UserId,
    pub shape: Shape,
    pub name: Option<String>,
    pub participants: Vec<UserId>,
    pub traceparent: Option<String>,
}

#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct OpenedConversation {
    pub conversation: Conversation,
    pub membership: Membership,
    /// Whether it was there before.
    pub existed: bool,
}

/// With `participants`.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct GetConversation {
    pub user: UserId,
    pub conversation: ConversationId,
}

/// Newest activity first.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct ListConversations {
    pub user: UserId,
    pub limit: usize,
    pub after: Option<ListCursor>,
}

/// The last item of the page before.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct ListCursor {
    pub last_activity_at: Timestamp,
    pub conversation: ConversationId,
}

#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct ConversationList {
    pub items: Vec<Conversation>,
    pub next: Option<ListCursor>,
}

#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Rename {
    pub user: UserId,
    pub conversation: ConversationId,
    pub name: String,
    pub traceparent: Option<String>,
}

/// Every conversation the user is in.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Memberships {
    pub user: UserId,
}

#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Access {
    pub user: UserId,
    pub conversation: ConversationId,
}

/// Adds people to a group, as members. Those who are in already change nothing.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct AddMembers {
    pub by: UserId,
    pub conversation: ConversationId,
    pub users: Vec<UserId>,
    pub traceparent: Option<String>,
}

/// Takes somebody out of a group; `user` = `by` leaves. When the owner leaves, the longest-serving admin, or
/// else member, becomes owner.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct RemoveMember {
    pub by: UserId,
    pub conversation: ConversationId,
    pub user: UserId,
    pub traceparent: Option<String>,
}

/// Changes a member's role. Making somebody owner makes the present owner an admin.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct SetRole {
    pub by: UserId,
    pub conversation: ConversationId,
    pub user: UserId,
    pub role: Role,
    pub traceparent: Option<String>,
}

/// Those of `others` who are in a conversation with `user`.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Sharing {
    pub user: UserId,
    pub others: Vec<UserId>,
}

/// Blocks or unblocks somebody.
#[derive(Debug, Clone, Copy, Serialize, Deserialize)]
pub struct SetBlock {
    pub user: UserId,
    pub other: UserId,
    pub on: bool,
}

/// Whom the user has blocked.
#[derive(Debug, Clone, Copy, Serialize, Deserialize)]
pub struct Blocks {
    pub user: UserId,
}

/// The user's direct conversations in which one side has blocked the other: nobody sends into them.
#[derive(Debug, Clone, Copy, Serialize, Deserialize)]
pub struct Blocked {
    pub user: UserId,
}

/// A user's place in a conversation.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Membership {
    pub conversation: ConversationId,
    pub shape: Shape,
    /// `None`: no longer a member.
    pub role: Option<Role>,
    /// Seq of the event that said so; a higher one wins.
    pub version: Seq,
}

/// A conversation as one of its members sees it.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Conversation {
    pub id: ConversationId,
    pub shape: Shape,
    pub name: Option<String>,
    pub role: Role,
    pub created_at: Timestamp,
    pub head: Seq,
    pub read: Seq,
    pub unread: usize,
    pub last_activity_at: Timestamp,
    pub last_message: Option<Message>,
    pub participant_count: usize,
    pub participants: Option<Vec<Participant>>,
}

#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Participant {
    pub user: UserId,
    pub username: String,
    pub display_name: String,
    pub role: Role,
    pub joined_at: Timestamp,
    pub read: Seq,
}

// History.

/// Where a page of messages lies.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum Window {
    Newest,
    Before(Seq),
    After(Seq),
}

/// Messages in their present state, ascending by seq.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Page {
    pub conversation: ConversationId,
    pub window: Window,
    pub limit: usize,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct PageReply {
    pub messages: Vec<Message>,
    /// More in the direction of the window (for the newest page: older ones).
    pub has_more: bool,
    pub head: Seq,
}

/// Every event after a position, as it was logged.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct EventsAfter {
    pub conversation: ConversationId,
    pub after: Seq,
    pub limit: usize,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Replay {
    /// Ascending; at most `limit`.
    pub events: Vec<Logged>,
    /// More than `limit` follow the position.
    pub more: bool,
    /// An event of this conversation is known at `after`, so the first of `events` chains to it.
    pub anchored: bool,
    /// Newest seq of the conversation when this was read.
    pub head: Seq,
}

/// Newest seq of each conversation, in the order asked; 0 for one without events.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Heads {
    pub conversations: Vec<ConversationId>,
}

/// Last seq of every partition's log, by partition.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct LogHeads;

/// The event with this id, if this conversation has it: how a late retry finds its first attempt.
#[derive(Debug, Clone, Copy, Serialize, Deserialize)]
pub struct FindEvent {
    pub conversation: ConversationId,
    pub event: EventId,
}

#[derive(Debug, Clone, Copy, Serialize, Deserialize)]
pub struct GetMessage {
    pub conversation: ConversationId,
    pub seq: Seq,
}

// Inbox.

/// Moves a read mark forward, never back and never past the head.
#[derive(Debug, Clone, Copy, Serialize, Deserialize)]
pub struct MarkRead {
    pub user: UserId,
    pub conversation: ConversationId,
    pub seq: Seq,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Mark {
    pub seq: Seq,
    pub unread: usize,
}

/// The user's conversations with something unread, newest activity first.
#[derive(Debug, Clone, Copy, Serialize, Deserialize)]
pub struct ListInbox {
    pub user: UserId,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct InboxItem {
    pub conversation: ConversationId,
    pub unread: usize,
    pub head: Seq,
    pub read: Seq,
    pub last_message: Option<Message>,
}

// Told to every edge, without a question.

/// A change an edge applies to its live sockets (stream `CONTROL`).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum Control {
    /// To the user of the subject.
    Membership(Membership),
    /// The session of the subject has ended.
    SessionEnded,
    /// To the user of the subject: a direct conversation is blocked by one side, or no longer by any.
    Blocked { conversation: ConversationId, blocked: bool, at: Timestamp },
}

/// The last value of a read mark (stream `READS`).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct ReadMark {
    pub conversation: ConversationId,
    pub user: UserId,
    pub seq: Seq,
    pub at: Timestamp,
}

/// Somebody types, or stops (core NATS, never stored).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Typing {
    pub user: UserId,
    pub on: bool,
}

/// A user came online or went offline (core NATS, never stored). A higher version is newer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct PresenceChange {
    pub user: UserId,
    pub online: bool,
    pub last_seen: Timestamp,
    pub version: u64,
}
