//! The one place where a draft becomes publishable. Pure: what it decides on is handed in.

use natter_schemas::{
    code::Code,
    event::{Body, Event, Kind, Message, Role, Shape, Timestamp},
    id::{ConversationId, EventId, Seq, UserId},
};

use crate::{api_error::ApiError, membership::Place};

/// What somebody wants to say; already of the right form and size.
#[derive(Debug, Clone)]
pub struct Draft {
    pub author: UserId,
    pub conversation: ConversationId,
    /// Empty for REST.
    pub device: String,
    pub client_id: Option<String>,
    pub wish: Wish,
    pub traceparent: Option<String>,
}

#[derive(Debug, Clone)]
pub enum Wish {
    Post { content: String, reply_to: Option<Seq> },
    Edit { target: Seq, content: String },
    Delete { target: Seq },
    React { target: Seq, emoji: String, on: bool },
}

impl Wish {
    /// The message it is about, which must be there.
    pub fn target(&self) -> Option<Seq> {
        match self {
            Self::Post { reply_to, .. } => *reply_to,
            Self::Edit { target, .. } | Self::Delete { target } | Self::React { target, .. } => Some(*target),
        }
    }
}

/// A draft that may be published. Only [`admit`] makes one.
#[derive(Debug, Clone)]
pub struct Admitted(Event);

impl Admitted {
    pub fn event(&self) -> &Event {
        &self.0
    }
}

/// Decides on a draft. `target` is the message of [`Wish::target`], if it was found.
pub fn admit(
    draft: Draft,
    id: EventId,
    at: Timestamp,
    place: Place,
    target: Option<&Message>,
) -> Result<Admitted, ApiError> {
    let membership = place.membership;
    let Some(role) = membership.role.filter(|_| membership.conversation == draft.conversation) else {
        return Err(Code::NotFound.into());
    };
    if place.blocked && !matches!(draft.wish, Wish::Delete { .. }) {
        return Err(ApiError::new(Code::Forbidden, "one of you has blocked the other"));
    }
    let kind = match draft.wish {
        Wish::Post { content, reply_to } => {
            if reply_to.is_some() && target.is_none() {
                return Err(ApiError::invalid("replyTo", "is not a message of this conversation"));
            }
            Kind::Posted { body: Body::Plain(content), reply_to }
        }
        Wish::Edit { target: seq, content } => {
            let message = present(target)?;
            if message.author != draft.author {
                return Err(ApiError::new(Code::Forbidden, "only its author edits a message"));
            }
            Kind::Edited { target: seq, body: Body::Plain(content) }
        }
        Wish::Delete { target: seq } => {
            let message = present(target)?;
            if message.author != draft.author && !moderates(role, membership.shape) {
                return Err(ApiError::new(
                    Code::Forbidden,
                    "only its author, an admin or the owner deletes it",
                ));
            }
            Kind::Deleted { target: seq }
        }
        Wish::React { target: seq, emoji, on } => {
            present(target)?;
            Kind::Reacted { target: seq, emoji, on }
        }
    };
    Ok(Admitted(Event {
        id,
        conversation: draft.conversation,
        author: draft.author,
        device: draft.device,
        client_id: draft.client_id,
        at,
        kind,
        traceparent: draft.traceparent,
    }))
}

/// A message that is there and not deleted.
fn present(message: Option<&Message>) -> Result<&Message, ApiError> {
    let message = message.ok_or_else(|| ApiError::new(Code::NotFound, "no such message"))?;
    if message.deleted_at.is_some() {
        return Err(ApiError::new(Code::Conflict, "the message is deleted"));
    }
    Ok(message)
}

/// Between two people nobody is above the other.
fn moderates(role: Role, shape: Shape) -> bool {
    shape == Shape::Group && role >= Role::Admin
}

#[cfg(test)]
mod tests {
    use natter_schemas::rpc::Membership;

    use super::*;

    fn draft(author: UserId, conversation: ConversationId, wish: Wish) -> Draft {
        Draft { author, conversation, device: String::new(), client_id: None, wish, traceparent: None }
    }

    fn member(conversation: ConversationId, shape: Shape, role: Option<Role>) -> Place {
        Place { membership: Membership { conversation, shape, role, version: 1 }, blocked: false }
    }

    fn message(author: UserId, conversation: ConversationId) -> Message {
        let wish = Wish::Post { content: "x".to_owned(), reply_to: None };
        let membership = member(conversation, Shape::Group, Some(Role::Member));
        let draft = draft(author, conversation, wish);
        let admitted =
            admit(draft, EventId::fresh(), Timestamp(1), membership, None).expect("a member posts");
        Message::posted(7, admitted.event()).expect("a post")
    }

    fn decide(wish: Wish, own: bool, membership: Option<Role>, shape: Shape) -> Result<(), Code> {
        let (me, other, room) = (UserId::fresh(), UserId::fresh(), ConversationId::fresh());
        let message = message(if own { me } else { other }, room);
        admit(
            draft(me, room, wish),
            EventId::fresh(),
            Timestamp(2),
            member(room, shape, membership),
            Some(&message),
        )
        .map(|_| ())
        .map_err(|refusal| refusal.code)
    }

    #[test]
    fn the_rules_of_editing_and_deleting() {
        let edit = || Wish::Edit { target: 7, content: "y".to_owned() };
        let delete = || Wish::Delete { target: 7 };
        let (member, admin, owner) = (Some(Role::Member), Some(Role::Admin), Some(Role::Owner));
        assert_eq!(decide(edit(), true, member, Shape::Group), Ok(()));
        assert_eq!(decide(edit(), false, owner, Shape::Group), Err(Code::Forbidden));
        assert_eq!(decide(delete(), true, member, Shape::Group), Ok(()));
        assert_eq!(decide(delete(), false, member, Shape::Group), Err(Code::Forbidden));
        assert_eq!(decide(delete(), false, admin, Shape::Group), Ok(()));
        assert_eq!(decide(delete(), false, owner, Shape::Direct), Err(Code::Forbidden));
    }

    #[test]
    fn nobody_publishes_where_they_are_not() {
        let post = Wish::Post { content: "x".to_owned(), reply_to: None };
        assert_eq!(decide(post.clone(), true, None, Shape::Group), Err(Code::NotFound));
        let elsewhere = member(ConversationId::fresh(), Shape::Group, Some(Role::Owner));
        let draft = draft(UserId::fresh(), ConversationId::fresh(), post);
        let refused =
            admit(draft, EventId::fresh(), Timestamp(1), elsewhere, None).expect_err("another room");
        assert_eq!(refused.code, Code::NotFound);
    }

    #[test]
    fn nobody_writes_past_a_block_but_may_still_take_back() {
        let (me, room) = (UserId::fresh(), ConversationId::fresh());
        let place = Place { blocked: true, ..member(room, Shape::Direct, Some(Role::Member)) };
        let message = message(me, room);
        let decide = |wish| {
            admit(draft(me, room, wish), EventId::fresh(), Timestamp(1), place, Some(&message))
                .map(|_| ())
                .map_err(|refusal| refusal.code)
        };
        let post = Wish::Post { content: "x".to_owned(), reply_to: None };
        assert_eq!(decide(post), Err(Code::Forbidden));
        let react = Wish::React { target: 7, emoji: "👍".to_owned(), on: true };
        assert_eq!(decide(react), Err(Code::Forbidden));
        assert_eq!(decide(Wish::Delete { target: 7 }), Ok(()));
    }
}
