//! The only code that turns a command into an event that may be published. Pure: what it decides on is handed in.

use natter_schemas::{
    code::Code,
    emoji,
    event::{Body, Event, Kind, Message, Role, Shape, Timestamp},
    id::{ConversationId, EventId, Seq, UserId},
    limits,
};

use crate::{api_error::ApiError, membership::Access};

/// A command of a user; already of the right form and size.
#[derive(Debug, Clone)]
pub struct CommandRequest {
    pub author: UserId,
    pub conversation: ConversationId,
    /// Empty for REST.
    pub device: String,
    pub client_id: Option<String>,
    pub command: Command,
    pub traceparent: Option<String>,
}

#[derive(Debug, Clone)]
pub enum Command {
    Post { content: String, reply_to: Option<Seq> },
    Edit { target: Seq, content: String },
    Delete { target: Seq },
    React { target: Seq, emoji: String, on: bool },
}

impl Command {
    /// A reaction under the emoji's one name. What an old log has under another text can still be withdrawn.
    pub fn react(target: Seq, emoji: String, on: bool) -> Result<Self, ApiError> {
        match emoji::canonical(&emoji) {
            Some(emoji) => Ok(Self::React { target, emoji: emoji.to_owned(), on }),
            None if !on && emoji.len() <= limits::EMOJI => Ok(Self::React { target, emoji, on }),
            None => Err(ApiError::invalid("emoji", "must be one emoji")),
        }
    }

    /// Whether the message is already what the command would make it: then nothing is written.
    pub fn changes_nothing(&self, message: &Message) -> bool {
        let Self::React { emoji, on, .. } = self else { return false };
        match message.reactions.iter().find(|reaction| reaction.is(emoji)) {
            Some(reaction) => reaction.me == *on,
            None => !on,
        }
    }

    /// The message that a new one answers.
    pub fn reply_to(&self) -> Option<Seq> {
        match self {
            Self::Post { reply_to, .. } => *reply_to,
            Self::Edit { .. } | Self::Delete { .. } | Self::React { .. } => None,
        }
    }

    /// The message that it changes.
    pub fn changes(&self) -> Option<Seq> {
        match self {
            Self::Post { .. } => None,
            Self::Edit { target, .. } | Self::Delete { target } | Self::React { target, .. } => Some(*target),
        }
    }
}

/// An event that may be published. Only [`admit`] makes one.
#[derive(Debug, Clone)]
pub struct Admitted(Event);

impl Admitted {
    pub fn into_event(self) -> Event {
        self.0
    }
}

/// What becomes of a command that is allowed.
#[derive(Debug, Clone)]
pub enum Decision {
    Publish(Admitted),
    /// The event at this seq did it: a message is deleted once, however often that is asked for.
    Done(Seq),
    /// It is so already: nothing is to be stored.
    Unchanged,
}

/// Decides on a command. `target` is the message that it answers or changes, if it was found.
pub fn admit(
    request: CommandRequest,
    id: EventId,
    at: Timestamp,
    access: Access,
    target: Option<&Message>,
) -> Result<Decision, ApiError> {
    let membership = access.membership;
    let Some(role) = membership.role.filter(|_| membership.conversation == request.conversation) else {
        return Err(Code::NotFound.into());
    };
    if access.blocked && !matches!(request.command, Command::Delete { .. }) {
        return Err(ApiError::new(Code::Forbidden, "one of you has blocked the other"));
    }
    let unchanged = target.is_some_and(|message| request.command.changes_nothing(message));
    let kind = match request.command {
        Command::Post { content, reply_to } => {
            if reply_to.is_some() && target.is_none() {
                return Err(ApiError::invalid("replyTo", "is not a message of this conversation"));
            }
            Kind::Posted { body: Body::Plain(content), reply_to }
        }
        Command::Edit { target: seq, content } => {
            let message = present(target)?;
            if message.author != request.author {
                return Err(ApiError::new(Code::Forbidden, "only its author edits a message"));
            }
            Kind::Edited { target: seq, body: Body::Plain(content) }
        }
        Command::Delete { target: seq } => {
            let message = found(target)?;
            if message.author != request.author && !moderates(role, membership.shape) {
                return Err(ApiError::new(
                    Code::Forbidden,
                    "only its author, an admin or the owner deletes it",
                ));
            }
            if message.deleted_at.is_some() {
                return Ok(Decision::Done(message.version));
            }
            Kind::Deleted { target: seq }
        }
        Command::React { target: seq, emoji, on } => {
            let message = present(target)?;
            if unchanged {
                return Ok(Decision::Unchanged);
            }
            if on {
                check_reactions(message, &emoji)?;
            }
            Kind::Reacted { target: seq, emoji, on }
        }
    };
    Ok(Decision::Publish(Admitted(Event {
        id,
        conversation: request.conversation,
        author: request.author,
        device: request.device,
        client_id: request.client_id,
        at,
        kind,
        traceparent: request.traceparent,
    })))
}

fn found(message: Option<&Message>) -> Result<&Message, ApiError> {
    message.ok_or_else(|| ApiError::new(Code::NotFound, "no such message"))
}

/// A message that is there and not deleted.
fn present(message: Option<&Message>) -> Result<&Message, ApiError> {
    let message = found(message)?;
    if message.deleted_at.is_some() {
        return Err(ApiError::new(Code::Conflict, "the message is deleted"));
    }
    Ok(message)
}

/// `message` is as its reactor knows it. Reactions that are set at the same moment may together pass the bounds by as
/// many as there are; the first of the log are shown.
fn check_reactions(message: &Message, emoji: &str) -> Result<(), ApiError> {
    let is_new = !message.reactions.iter().any(|reaction| reaction.is(emoji));
    if is_new && message.reactions.len() >= limits::REACTIONS {
        let rule = format!("a message has at most {} different reactions", limits::REACTIONS);
        return Err(ApiError::new(Code::Conflict, rule));
    }
    let own = message.reactions.iter().filter(|reaction| reaction.me && !reaction.is(emoji)).count();
    if own >= limits::REACTIONS_OF_USER {
        let rule = format!("a user has at most {} reactions to one message", limits::REACTIONS_OF_USER);
        return Err(ApiError::new(Code::Conflict, rule));
    }
    Ok(())
}

/// In a direct conversation neither user may moderate the other.
fn moderates(role: Role, shape: Shape) -> bool {
    shape == Shape::Group && role >= Role::Admin
}

#[cfg(test)]
mod tests {
    use natter_schemas::rpc::Membership;

    use super::*;

    fn request(author: UserId, conversation: ConversationId, command: Command) -> CommandRequest {
        CommandRequest {
            author,
            conversation,
            device: String::new(),
            client_id: None,
            command,
            traceparent: None,
        }
    }

    fn member(conversation: ConversationId, shape: Shape, role: Option<Role>) -> Access {
        Access { membership: Membership { conversation, shape, role, version: 1 }, blocked: false }
    }

    fn message(author: UserId, conversation: ConversationId) -> Message {
        let command = Command::Post { content: "x".to_owned(), reply_to: None };
        let membership = member(conversation, Shape::Group, Some(Role::Member));
        let request = request(author, conversation, command);
        let Ok(Decision::Publish(admitted)) =
            admit(request, EventId::fresh(), Timestamp(1), membership, None)
        else {
            panic!("a member posts")
        };
        Message::posted(7, &admitted.into_event()).expect("a post")
    }

    fn decide(command: Command, own: bool, membership: Option<Role>, shape: Shape) -> Result<(), Code> {
        let (me, other, room) = (UserId::fresh(), UserId::fresh(), ConversationId::fresh());
        let message = message(if own { me } else { other }, room);
        admit(
            request(me, room, command),
            EventId::fresh(),
            Timestamp(2),
            member(room, shape, membership),
            Some(&message),
        )
        .map(|_| ())
        .map_err(|error| error.code)
    }

    #[test]
    fn the_rules_of_editing_and_deleting() {
        let edit = || Command::Edit { target: 7, content: "y".to_owned() };
        let delete = || Command::Delete { target: 7 };
        let (member, admin, owner) = (Some(Role::Member), Some(Role::Admin), Some(Role::Owner));
        assert_eq!(decide(edit(), true, member, Shape::Group), Ok(()));
        assert_eq!(decide(edit(), false, owner, Shape::Group), Err(Code::Forbidden));
        assert_eq!(decide(delete(), true, member, Shape::Group), Ok(()));
        assert_eq!(decide(delete(), false, member, Shape::Group), Err(Code::Forbidden));
        assert_eq!(decide(delete(), false, admin, Shape::Group), Ok(()));
        assert_eq!(decide(delete(), false, owner, Shape::Direct), Err(Code::Forbidden));
    }

    #[test]
    fn a_deleted_message_is_deleted_again_by_those_who_may() {
        let (author, room) = (UserId::fresh(), ConversationId::fresh());
        let posted = message(author, room);
        let deleted = Message { body: None, deleted_at: Some(Timestamp(2)), version: 9, ..posted };
        let decide = |user, command| {
            let access = member(room, Shape::Group, Some(Role::Member));
            admit(request(user, room, command), EventId::fresh(), Timestamp(3), access, Some(&deleted))
                .map_err(|error| error.code)
        };
        let delete = || Command::Delete { target: 7 };
        assert!(matches!(decide(author, delete()), Ok(Decision::Done(9))));
        assert!(matches!(decide(UserId::fresh(), delete()), Err(Code::Forbidden)));
        for command in [
            Command::Edit { target: 7, content: "y".to_owned() },
            Command::React { target: 7, emoji: "👍".to_owned(), on: true },
        ] {
            assert!(matches!(decide(author, command), Err(Code::Conflict)));
        }
    }

    #[test]
    fn only_members_publish() {
        let post = Command::Post { content: "x".to_owned(), reply_to: None };
        assert_eq!(decide(post.clone(), true, None, Shape::Group), Err(Code::NotFound));
        let elsewhere = member(ConversationId::fresh(), Shape::Group, Some(Role::Owner));
        let request = request(UserId::fresh(), ConversationId::fresh(), post);
        let error =
            admit(request, EventId::fresh(), Timestamp(1), elsewhere, None).expect_err("another room");
        assert_eq!(error.code, Code::NotFound);
    }

    #[test]
    fn a_message_has_twenty_reactions_and_ten_of_one_user() {
        let (me, room) = (UserId::fresh(), ConversationId::fresh());
        let access = member(room, Shape::Group, Some(Role::Member));
        let emoji: Vec<&str> =
            "👍 👎 🎉 🙈 🙉 🙊 👻 ✅ 🍏 🍎 🍐 🍊 🍋 🍌 🍉 🍇 🍓 🫐 🍈 🍒".split(' ').collect();
        let reacted = |mine: usize, all: usize| {
            let reaction = |n: usize| {
                let users = if n < mine { vec![me] } else { vec![UserId::fresh()] };
                natter_schemas::event::Reaction::of(emoji[n], users)
            };
            Message { reactions: (0..all).map(reaction).collect(), ..message(me, room) }.shown_to(me)
        };
        let decide = |message: &Message, emoji: &str| {
            let command = Command::react(7, emoji.to_owned(), true).map_err(|error| error.code)?;
            assert!(!command.changes_nothing(message), "{emoji}");
            let id = EventId::fresh();
            admit(request(me, room, command), id, Timestamp(1), access, Some(message))
                .map(|_| ())
                .map_err(|error| error.code)
        };
        assert_eq!(decide(&reacted(0, 19), emoji[19]), Ok(()));
        assert_eq!(decide(&reacted(0, 20), "🥝"), Err(Code::Conflict));
        assert_eq!(decide(&reacted(0, 20), emoji[3]), Ok(()), "one more of an emoji that is there");
        assert_eq!(decide(&reacted(9, 12), emoji[11]), Ok(()));
        assert_eq!(decide(&reacted(10, 12), emoji[11]), Err(Code::Conflict));
        assert_eq!(decide(&reacted(0, 0), "👍\u{301}"), Err(Code::Invalid));

        let heart = |text: &str, on| Command::react(7, text.to_owned(), on).expect("an emoji");
        let message = Message {
            reactions: vec![natter_schemas::event::Reaction::of("❤️", vec![me])],
            ..message(me, room)
        }
        .shown_to(me);
        assert!(heart("❤", true).changes_nothing(&message));
        assert!(!heart("❤", false).changes_nothing(&message));
        assert!(heart("👍", false).changes_nothing(&message));
        assert!(Command::react(7, "any old text".to_owned(), false).is_ok());
    }

    #[test]
    fn a_block_stops_everything_but_deleting() {
        let (me, room) = (UserId::fresh(), ConversationId::fresh());
        let access = Access { blocked: true, ..member(room, Shape::Direct, Some(Role::Member)) };
        let message = message(me, room);
        let decide = |command| {
            admit(request(me, room, command), EventId::fresh(), Timestamp(1), access, Some(&message))
                .map(|_| ())
                .map_err(|error| error.code)
        };
        let post = Command::Post { content: "x".to_owned(), reply_to: None };
        assert_eq!(decide(post), Err(Code::Forbidden));
        let react = Command::React { target: 7, emoji: "👍".to_owned(), on: true };
        assert_eq!(decide(react), Err(Code::Forbidden));
        assert_eq!(decide(Command::Delete { target: 7 }), Ok(()));
    }
}
