//! Conversations as their members see them.

use serde::{Deserialize, Serialize};

use crate::{
    event::{Message, Role, Shape, Timestamp},
    id::{ConversationId, Seq, UserId},
};

/// A new conversation, or for two people the one they have.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct OpenConversation {
    /// Becomes owner of a group.
    pub creator: UserId,
    /// Whether it is of two people or a group.
    pub shape: Shape,
    /// Of a group; a direct conversation has none.
    pub name: Option<String>,
    /// The other members.
    pub participants: Vec<UserId>,
    /// The creator's `Idempotency-Key`: names one group for ever. Two people need none.
    pub key: Option<String>,
    /// W3C Trace Context of the request, for the events it causes.
    pub traceparent: Option<String>,
}

/// The answer to [`OpenConversation`].
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct OpenedConversation {
    /// The conversation it belongs to.
    pub conversation: Conversation,
    /// The creator's.
    pub membership: Membership,
    /// Whether it was there before.
    pub existed: bool,
}

/// The place of the last item of a page in a list of people, and who it is: `None` of it is the beginning.
pub type PersonCursor = (usize, UserId);

/// A page of the people in a conversation, by time of joining.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct ListParticipants {
    /// Whom it is about; for calls of a user, the caller.
    pub user: UserId,
    /// The conversation it belongs to.
    pub conversation: ConversationId,
    /// Where to go on; `None`: from the first.
    pub after: Option<PersonCursor>,
    /// At most so many.
    pub limit: usize,
}

/// The answer to [`ListParticipants`].
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct ParticipantPage {
    /// As many as fit.
    pub items: Vec<Participant>,
    /// Where the next page begins; `None`: this was the last.
    pub next: Option<PersonCursor>,
}

/// With the first [`limits::PARTICIPANTS_SHOWN`](crate::limits::PARTICIPANTS_SHOWN) participants.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct GetConversation {
    /// Whom it is about; for calls of a user, the caller.
    pub user: UserId,
    /// The conversation it belongs to.
    pub conversation: ConversationId,
}

/// Newest activity first.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct ListConversations {
    /// Whom it is about; for calls of a user, the caller.
    pub user: UserId,
    /// At most so many.
    pub limit: usize,
    /// Where to go on; `None`: from the top.
    pub after: Option<ListCursor>,
}

/// The last item of the page before.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct ListCursor {
    /// When it last moved to the top of lists.
    pub last_activity_at: Timestamp,
    /// The conversation it belongs to.
    pub conversation: ConversationId,
}

/// One page.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct ConversationList {
    /// In the order of the page.
    pub items: Vec<Conversation>,
    /// Where the next page begins; `None`: this was the last.
    pub next: Option<ListCursor>,
}

/// Gives a group another name.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Rename {
    /// Whom it is about; for calls of a user, the caller.
    pub user: UserId,
    /// The conversation it belongs to.
    pub conversation: ConversationId,
    /// Of a group; a direct conversation has none.
    pub name: String,
    /// W3C Trace Context of the request, for the events it causes.
    pub traceparent: Option<String>,
}

/// The conversations the user is in, by id: at most
/// [`limits::MEMBERSHIPS_PER_CALL`](crate::limits::MEMBERSHIPS_PER_CALL) of them.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Memberships {
    /// Whom it is about; for calls of a user, the caller.
    pub user: UserId,
    /// Those behind this one; `None`: from the first.
    pub after: Option<ConversationId>,
}

/// The answer to [`Memberships`].
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct MembershipPage {
    /// Ascending by the conversation's id.
    pub items: Vec<Membership>,
    /// More follow the last one.
    pub has_more: bool,
}

/// The membership of one user in one conversation, if there is or was one.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct GetMembership {
    /// Whom it is about; for calls of a user, the caller.
    pub user: UserId,
    /// The conversation it belongs to.
    pub conversation: ConversationId,
}

/// A user's place in a conversation.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Membership {
    /// The conversation it belongs to.
    pub conversation: ConversationId,
    /// Whether it is of two people or a group.
    pub shape: Shape,
    /// `None`: no longer a member.
    pub role: Option<Role>,
    /// Seq of the event that made it so; a higher one wins.
    pub version: Seq,
}

/// A conversation as one of its members sees it.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Conversation {
    /// Its id.
    pub id: ConversationId,
    /// Whether it is of two people or a group.
    pub shape: Shape,
    /// Of a group; a direct conversation has none.
    pub name: Option<String>,
    /// What the member may do.
    pub role: Role,
    /// When it was made.
    pub created_at: Timestamp,
    /// Newest seq of the conversation; 0 without events.
    pub head: Seq,
    /// The seq up to which the member has read.
    pub read: Seq,
    /// Others' messages above the read mark, counted to [`limits::UNREAD`](crate::limits::UNREAD).
    pub unread: usize,
    /// When it last moved to the top of lists.
    pub last_activity_at: Timestamp,
    /// The newest message in its present state.
    pub last_message: Option<Message>,
    /// Members at this moment.
    pub participant_count: usize,
    /// The other members.
    pub participants: Option<Vec<Participant>>,
}

/// A member, as other members see them.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Participant {
    /// Whom it is about; for calls of a user, the caller.
    pub user: UserId,
    /// Unique in the deployment.
    pub username: String,
    /// As others see the user.
    pub display_name: String,
    /// What the member may do.
    pub role: Role,
    /// When the member was added last.
    pub joined_at: Timestamp,
    /// The seq up to which the member has read.
    pub read: Seq,
}
