//! What services are called with over NATS request/reply: one type per call, postcard on the wire.
//!
//! An answer is `Result<Reply, RpcError>`: failures are codes of the one table, never text. Callers are edges,
//! which have already checked who asks; services check what that user may, reading included ([`Access`]), and that the user is there ([`Proven`]).

mod accounts; // users and their sessions
mod conversations; // conversations as their members see them
mod members; // members of groups, and blocks
mod history; // messages and events
mod inbox; // read marks, and what is above them
mod keys; // what content is sealed with
mod access; // for whom a call reads which conversations
mod proof; // whose access token a call carries
mod json_size; // how long answers become
mod broadcasts; // what is published to every edge, without a call

use serde::{Deserialize, Serialize, de::DeserializeOwned};

use crate::{
    code::Code,
    event::{LogEntry, Message},
    id::{Seq, UserId},
};

pub use access::{Access, Reads, UserRead};
pub use accounts::*;
pub use broadcasts::*;
pub use conversations::*;
pub use history::*;
pub use inbox::*;
pub use json_size::{JsonSize, fitting};
pub use keys::*;
pub use members::*;
pub use proof::{Proof, Proven};

/// The services; each is a NATS queue group of its own.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Service {
    /// Users and sessions.
    Accounts,
    /// Conversations, members, blocks.
    Conversations,
    /// Messages and events.
    History,
    /// Read marks.
    Inbox,
    /// Keys that content is sealed with.
    Keys,
}

impl Service {
    /// As in subjects.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Accounts => "accounts",
            Self::Conversations => "conversations",
            Self::History => "history",
            Self::Inbox => "inbox",
            Self::Keys => "keys",
        }
    }
}

/// A call: which service answers it, with what, for whom it reads which conversations, and what proves its user.
pub trait Call: Access + Proven + Serialize + DeserializeOwned + Send + Sync + 'static {
    /// What comes back if it succeeds.
    type Reply: Serialize + DeserializeOwned + Send + 'static;
    /// Who answers.
    const SERVICE: Service;
    /// One word, unique in its service.
    const NAME: &'static str;
    /// How long the caller waits; a service drops calls whose caller has stopped waiting.
    const DEADLINE: std::time::Duration = crate::limits::RPC;
    /// Whether it changes something. Then it is finished although its caller has stopped waiting; a call that only reads
    /// ends with its caller's patience.
    const CHANGES: bool = false;
}

/// A failed call: a code, and for `invalid` the field at fault, spelled as in JSON.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, thiserror::Error)]
#[error("{code}")]
pub struct RpcError {
    /// What failed.
    pub code: Code,
    /// Only for `invalid`.
    pub field: Option<String>,
}

impl RpcError {
    /// `invalid`, with the field at fault.
    pub fn invalid(field: &str) -> Self {
        Self { code: Code::Invalid, field: Some(field.to_owned()) }
    }
}

impl From<Code> for RpcError {
    fn from(code: Code) -> Self {
        Self { code, field: None }
    }
}

/// Something that is done with each kind of call, see [`each_call`].
pub trait SeeCall {
    /// With this one.
    fn call<C: Call>(&mut self);
}

macro_rules! calls {
    ($($service:ident { $($call:ident $([$changes:ident])? => $name:literal -> $reply:ty $(, $deadline:expr)?;)* })*) => {$($(
        impl Call for $call {
            type Reply = $reply;
            const SERVICE: Service = Service::$service;
            const NAME: &'static str = $name;
            $(const DEADLINE: std::time::Duration = $deadline;)?
            $(const CHANGES: bool = $changes;)?
        }
    )*)*

    /// Shows every call there is.
    pub fn each_call(see: &mut impl SeeCall) {
        $($(see.call::<$call>();)*)*
    }};
}

/// Marks the calls that change something.
const CHANGES: bool = true;

calls! {
    Accounts {
        RegisterUser [CHANGES] => "register" -> OpenedSession, crate::limits::RPC_HASHING;
        LogIn [CHANGES] => "login" -> OpenedSession, crate::limits::RPC_HASHING;
        RefreshSession [CHANGES] => "renew" -> OpenedSession;
        LogOut [CHANGES] => "logout" -> ();
        ListSessions => "sessions" -> Vec<crate::id::SessionId>;
        EndSession [CHANGES] => "end-session" -> ();
        GetOwnUser => "own" -> User;
        FindUser => "user" -> User;
        FindUsers => "users" -> Vec<User>;
        SearchUsers => "search" -> Vec<User>;
        UpdateUser [CHANGES] => "update" -> User;
        NewPassword [CHANGES] => "password" -> (), crate::limits::RPC_HASHING;
        EraseUser [CHANGES] => "erase" -> (), crate::limits::RPC_HASHING;
        EraseUserByLogIn [CHANGES] => "erase-by-log-in" -> ();
        RequestPasswordReset [CHANGES] => "request-password-reset" -> ();
        ResetPassword [CHANGES] => "reset-password" -> (), crate::limits::RPC_HASHING;
        RequestEmailChange [CHANGES] => "request-email-change" -> (), crate::limits::RPC_HASHING;
        ChangeEmail [CHANGES] => "change-email" -> ();
        GetMailOption => "mail-option" -> bool;
        GetLogInOptions => "log-in-options" -> LogInOptions;
        StartProviderLogIn => "start-provider" -> StartedProviderLogIn, crate::limits::RPC_PROVIDER;
        FinishProviderLogIn [CHANGES] => "finish-provider" -> ProviderLogIn, crate::limits::RPC_PROVIDER;
    }
    Conversations {
        OpenConversation [CHANGES] => "open" -> OpenedConversation;
        GetConversation => "get" -> Conversation;
        ListConversations => "list" -> ConversationList;
        ListInbox => "inbox" -> Inbox;
        Rename [CHANGES] => "rename" -> LogEntry;
        ListParticipants => "participants" -> ParticipantPage;
        Memberships => "memberships" -> MembershipPage;
        GetMembership => "access" -> Option<Membership>;
        AddMembers [CHANGES] => "add-members" -> ();
        RemoveMember [CHANGES] => "remove-member" -> ();
        SetRole [CHANGES] => "set-role" -> ();
        FindSharingUsers => "sharing" -> Vec<UserId>;
        SetBlock [CHANGES] => "set-block" -> ();
        Blocks => "blocks" -> UserPage;
        ListBlockedConversations => "blocked" -> ConversationIdPage;
    }
    History {
        GetPage => "page" -> PageReply;
        EventsAfter => "events-after" -> Replay;
        GetHead => "head" -> Seq;
        RoomEventsAfter => "after" -> Replay;
        RoomHeads => "heads" -> Vec<Seq>;
        LogHeads => "log-heads" -> Vec<Seq>;
        FindEvent => "event" -> Option<LogEntry>;
        FindOlderEvents => "older-events" -> Vec<Option<LogEntry>>, crate::limits::RPC_BEFORE_SEND;
        GetMessage => "message" -> Option<Message>;
        GetTarget => "target" -> Target;
        ListReactors => "reactors" -> Reactors;
    }
    Inbox {
        MarkRead [CHANGES] => "read" -> ReadState;
        ReadMarkHead => "mark-head" -> Seq;
        ReadMarksAfter => "marks-after" -> ReadMarkPage;
    }
    Keys {
        GetDataKeys [CHANGES] => "data" -> Vec<Option<IssuedKey>>;
        GetOwnKey [CHANGES] => "own" -> Option<IssuedKey>;
        GetKeysOfTexts => "texts" -> Vec<TextKey>;
        GetProfileKeys [CHANGES] => "profile" -> Vec<Option<IssuedKey>>;
    }
}
