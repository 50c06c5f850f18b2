//! For whom a call reads which conversations. Each call says it here; the side that answers asks before any handler runs,
//! so that an edge that forgets to check its user does not give out another's conversation.

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

/// One user reads one conversation.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct UserRead {
    /// Must be a member.
    pub user: UserId,
    /// Which.
    pub conversation: ConversationId,
}

/// What a call reads of the conversations that it names.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Reads {
    /// It names none: its answer is about users, or about the user's own conversations.
    Nothing,
    /// Its handler decides on the members it has read anyway, and answers `not_found` to anyone else.
    DecidedByHandler,
    /// Each user must be a member; checked before the handler runs.
    ForUsers(Vec<UserRead>),
    /// What an edge reads for a room, of whose sockets it has checked every one. No user is shown the answer as it is.
    ForRooms,
}

impl Reads {
    fn one(user: UserId, conversation: ConversationId) -> Self {
        Self::ForUsers(vec![UserRead { user, conversation }])
    }
}

/// Of every call: without it there is no [`Call`](super::Call).
pub trait Access {
    /// Which conversations it reads, and for whom.
    fn reads(&self) -> Reads;
}

macro_rules! access {
    ($($call:ident)* => $reads:expr) => {$(
        impl Access for $call {
            fn reads(&self) -> Reads {
                $reads
            }
        }
    )*};
}

access! {
    RegisterUser LogIn RefreshSession LogOut ListSessions EndSession GetOwnUser FindUser FindUsers SearchUsers UpdateUser NewPassword
    EraseUser EraseUserByLogIn
    RequestPasswordReset ResetPassword RequestEmailChange ChangeEmail GetMailOption GetLogInOptions StartProviderLogIn FinishProviderLogIn
    OpenConversation ListConversations ListInbox Memberships GetMembership FindSharingUsers SetBlock Blocks
    ListBlockedConversations LogHeads ReadMarkHead ReadMarksAfter GetDataKeys GetOwnKey GetProfileKeys
    => Reads::Nothing
}

access! {
    GetConversation ListParticipants Rename AddMembers RemoveMember SetRole MarkRead GetKeysOfTexts
    => Reads::DecidedByHandler
}

access! { RoomHeads RoomEventsAfter => Reads::ForRooms }

macro_rules! access_of_user {
    ($($call:ident)*) => {$(
        impl Access for $call {
            fn reads(&self) -> Reads {
                Reads::one(self.user, self.conversation)
            }
        }
    )*};
}

access_of_user! { GetHead GetMessage GetTarget ListReactors FindEvent }

impl Access for GetPage {
    fn reads(&self) -> Reads {
        Reads::one(self.user, self.page.conversation)
    }
}

impl Access for EventsAfter {
    fn reads(&self) -> Reads {
        Reads::one(self.user, self.part.conversation)
    }
}

impl Access for FindOlderEvents {
    fn reads(&self) -> Reads {
        let read = |event: &FindEvent| UserRead { user: event.user, conversation: event.conversation };
        Reads::ForUsers(self.events.iter().map(read).collect())
    }
}
