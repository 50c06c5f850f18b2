//! Whose access token a call carries. Each call says it here; the side that answers verifies the token before any handler
//! runs, so that whoever has an edge's credentials of NATS and no token of a user learns nothing of one.

use super::{
    AddMembers, Blocks, ChangeEmail, EndSession, EraseUser, EraseUserByLogIn, EventsAfter, FindEvent,
    FindOlderEvents, FindSharingUsers, FindUser, FindUsers, FinishProviderLogIn, GetConversation,
    GetDataKeys, GetHead, GetKeysOfTexts, GetLogInOptions, GetMailOption, GetMembership, GetMessage,
    GetOwnKey, GetOwnUser, GetPage, GetProfileKeys, GetTarget, ListBlockedConversations, ListConversations,
    ListInbox, ListParticipants, ListReactors, ListSessions, LogHeads, LogIn, LogOut, MarkRead, Memberships,
    NewPassword, OpenConversation, ReadMarkHead, ReadMarksAfter, RefreshSession, RegisterUser, RemoveMember,
    Rename, RequestEmailChange, RequestPasswordReset, ResetPassword, RoomEventsAfter, RoomHeads, SearchUsers,
    SetBlock, SetRole, StartProviderLogIn, UpdateUser,
};
use crate::id::{ConversationId, UserId};

/// What has to prove a call.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Proof {
    /// Nothing: no one has logged in yet, it carries a secret of its own, or it is about no one.
    Nothing,
    /// A token of this user.
    User(UserId),
    /// A token of each of them.
    Users(Vec<UserId>),
    /// A token of some member of this conversation.
    MemberOf(ConversationId),
    /// A token of anyone.
    Anyone,
    /// That a worker asks: no edge does.
    Worker,
}

/// Of every call: without it there is no [`Call`](super::Call).
pub trait Proven {
    /// Whether workers ask this too, on subjects of their own where nothing but their right to them proves it.
    const BY_WORKERS: bool = false;

    /// What has to prove it.
    fn proof(&self) -> Proof;
}

macro_rules! proven {
    ($($call:ident $(, workers: $by_workers:literal)?;)* => |$this:ident| $proof:expr) => {$(
        impl Proven for $call {
            $(const BY_WORKERS: bool = $by_workers;)?

            fn proof(&self) -> Proof {
                let $this = self;
                $proof
            }
        }
    )*};
}

// A password, a refresh token, a link or an attempt in the call is the proof; or it is what anyone is shown.
proven! {
    RegisterUser; LogIn; RefreshSession; RequestPasswordReset; ResetPassword; ChangeEmail; FinishProviderLogIn;
    GetMailOption; GetLogInOptions; LogHeads; ReadMarkHead;
    => |_this| Proof::Nothing
}

proven! {
    LogOut; ListSessions; EndSession; GetOwnUser; UpdateUser; NewPassword; RequestEmailChange; EraseUser; EraseUserByLogIn;
    GetConversation; ListConversations; ListInbox; Rename; ListParticipants; GetMembership; FindSharingUsers; Blocks;
    Memberships; ListBlockedConversations;
    SetBlock, workers: true;
    GetOwnKey;
    GetPage; EventsAfter; GetHead; FindEvent; GetMessage; GetTarget; ListReactors; MarkRead;
    => |this| Proof::User(this.user)
}

proven! {
    AddMembers; SetRole;
    RemoveMember, workers: true;
    => |this| Proof::User(this.by)
}

// What any user is shown of another, how far conversations are, and what is published to every edge anyway: read marks.
proven! {
    FindUser; FindUsers; SearchUsers; RoomHeads; ReadMarksAfter;
    => |_this| Proof::Anyone
}

proven! {
    GetDataKeys, workers: true;
    GetProfileKeys, workers: true;
    => |_this| Proof::Worker
}

proven! { GetKeysOfTexts; => |this| Proof::User(this.reader) }

proven! { OpenConversation; => |this| Proof::User(this.creator) }

proven! { StartProviderLogIn; => |this| this.link.map_or(Proof::Nothing, Proof::User) }

proven! { RoomEventsAfter; => |this| Proof::MemberOf(this.part.conversation) }

proven! {
    FindOlderEvents;
    => |this| Proof::Users(this.events.iter().map(|event| event.user).collect())
}
