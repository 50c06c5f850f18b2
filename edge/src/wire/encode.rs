//! An event becomes one frame, the same bytes for every socket, and a message becomes its JSON view.

use natter_schemas::{
    event::{Body, Event, Kind, LogEntry, Message, Reaction, Timestamp},
    frame::{EventPosition, MemberChange, ServerFrame},
    id::Seq,
    limits,
    rest::{ConversationView, MessageView, ParticipantView, ReactionView, UserView},
    rpc::{Conversation, Participant, User},
};

use super::frame::Frame;

/// The frame of an event that follows `prev` in its conversation. `deleted_at`: the message whose content it has is
/// deleted by now, and keeps its place without it.
pub fn event(entry: &LogEntry, prev: Seq, deleted_at: Option<Timestamp>) -> Frame {
    Frame::text(&frame(entry, prev, deleted_at))
}

fn frame(LogEntry { seq, event }: &LogEntry, prev: Seq, deleted_at: Option<Timestamp>) -> ServerFrame {
    let position = EventPosition { conversation_id: event.conversation, seq: *seq, prev_seq: prev };
    let (user_id, at) = (event.author, event.at);
    match &event.kind {
        Kind::Posted { body, reply_to } => {
            let message = posted(*seq, event, body, *reply_to);
            let content = message.content.filter(|_| deleted_at.is_none());
            ServerFrame::MessageNew { position, message: MessageView { content, deleted_at, ..message } }
        }
        Kind::Edited { target, body } => {
            let content = text(body).filter(|_| deleted_at.is_none());
            ServerFrame::MessageEdited { position, target: *target, content, at, user_id }
        }
        Kind::Deleted { target } => ServerFrame::MessageDeleted { position, target: *target, at, user_id },
        Kind::Reacted { target, emoji, on } => {
            let emoji = emoji.clone();
            ServerFrame::ReactionChanged { position, target: *target, emoji, on: *on, at, user_id }
        }
        Kind::MemberAdded { user, role } => member(position, event, MemberChange::Added, *user, Some(*role)),
        Kind::MemberRemoved { user } => member(position, event, MemberChange::Removed, *user, None),
        Kind::RoleChanged { user, role } => {
            member(position, event, MemberChange::RoleChanged, *user, Some(*role))
        }
        Kind::Renamed { name } => {
            ServerFrame::ConversationUpdated { position, name: Some(name.clone()), by: user_id, at }
        }
        Kind::Created { name, .. } => {
            ServerFrame::ConversationUpdated { position, name: name.clone(), by: user_id, at }
        }
    }
}

fn member(
    position: EventPosition,
    event: &Event,
    change: MemberChange,
    user_id: natter_schemas::id::UserId,
    role: Option<natter_schemas::event::Role>,
) -> ServerFrame {
    ServerFrame::MemberChanged { position, change, user_id, role, by: event.author, at: event.at }
}

fn posted(seq: Seq, event: &Event, body: &Body, reply_to: Option<Seq>) -> MessageView {
    MessageView {
        id: event.id,
        conversation_id: event.conversation,
        seq,
        sender_id: event.author,
        client_id: event.client_id.clone(),
        content: text(body),
        unreadable: matches!(body, Body::Sealed { .. }),
        reply_to,
        created_at: event.at,
        edited_at: None,
        deleted_at: None,
        reactions: Vec::new(),
    }
}

/// A body's text; `None` for one that is still sealed: there was no key for it.
fn text(body: &Body) -> Option<String> {
    match body {
        Body::Plain(text) => Some(text.clone()),
        Body::Sealed { .. } => {
            metrics::counter!("natter_unopened_bodies_total").increment(1);
            None
        }
    }
}

pub fn message(message: Message) -> MessageView {
    let is_sealed = matches!(message.body, Some(Body::Sealed { .. }));
    MessageView {
        id: message.id,
        conversation_id: message.conversation,
        seq: message.seq,
        sender_id: message.author,
        client_id: message.client_id,
        content: message.body.as_ref().and_then(text),
        reply_to: message.reply_to,
        created_at: message.created_at,
        edited_at: message.edited_at,
        deleted_at: message.deleted_at,
        reactions: message.reactions.into_iter().take(limits::REACTIONS).map(reaction).collect(),
        unreadable: message.unreadable || is_sealed,
    }
}

fn reaction(reaction: Reaction) -> ReactionView {
    let Reaction { emoji, users, count, me } = reaction;
    ReactionView { emoji, count, me, user_ids: users }
}

pub fn conversation(c: Conversation) -> ConversationView {
    ConversationView {
        id: c.id,
        shape: c.shape,
        name: c.name,
        role: c.role,
        created_at: c.created_at,
        head_seq: c.head,
        read_seq: c.read,
        unread_count: c.unread,
        last_activity_at: c.last_activity_at,
        last_message: c.last_message.map(message),
        participant_count: c.participant_count,
        participants: c.participants.map(|all| all.into_iter().map(participant).collect()),
    }
}

pub fn participant(p: Participant) -> ParticipantView {
    ParticipantView {
        erased: p.username.is_empty(),
        user_id: p.user,
        username: p.username,
        display_name: p.display_name,
        role: p.role,
        joined_at: p.joined_at,
        read_seq: p.read,
    }
}

/// A profile as others see it.
pub fn user(user: User) -> UserView {
    UserView { email: None, ..own_user(user) }
}

/// One's own profile.
pub fn own_user(user: User) -> UserView {
    UserView {
        erased: user.is_erased(),
        id: user.id,
        username: user.username,
        display_name: user.display_name,
        email: Some(user.email).filter(|email| !email.is_empty()),
        created_at: user.created_at,
    }
}

#[cfg(test)]
mod tests {
    use natter_schemas::{
        event::{Role, Shape},
        id::{ConversationId, EventId, UserId},
        rpc::JsonSize,
    };
    use proptest::prelude::*;
    use serde::Serialize;

    use super::*;

    /// Plain, escaped, of several bytes: up to so many bytes.
    fn text(most: usize) -> impl Strategy<Value = String> {
        let pieces = vec!["a", "\"", "\\", "\u{1}", "\n", "é", "漢", "👍"];
        let piece = (prop::sample::select(pieces), 1..=most);
        piece.prop_map(move |(piece, bytes)| piece.repeat((bytes / piece.len()).max(1)))
    }

    fn reactions() -> impl Strategy<Value = Vec<Reaction>> {
        let reaction = |(emoji, users): (String, usize)| {
            let users: Vec<UserId> = (0..users).map(|_| UserId::fresh()).collect();
            Reaction { emoji, count: usize::MAX, users, me: false }
        };
        let one = (text(limits::EMOJI), 0..=limits::REACTORS).prop_map(reaction);
        prop::collection::vec(one, 0..=limits::REACTIONS)
    }

    fn messages() -> impl Strategy<Value = Message> {
        let content = prop::option::of(text(limits::CONTENT).prop_map(Body::Plain));
        let client_id = prop::option::of(Just("c".repeat(limits::CLIENT_ID)));
        (content, client_id, reactions()).prop_map(|(body, client_id, reactions)| Message {
            id: EventId::fresh(),
            conversation: ConversationId::fresh(),
            seq: Seq::MAX,
            author: UserId::fresh(),
            client_id,
            body,
            reply_to: Some(Seq::MAX),
            created_at: Timestamp(1_795_219_200_123),
            edited_at: Some(Timestamp(1_795_219_200_123)),
            deleted_at: Some(Timestamp(1_795_219_200_123)),
            version: Seq::MAX,
            body_event: EventId::fresh(),
            reactions,
            unreadable: true,
        })
    }

    /// Names have no control characters.
    fn name() -> impl Strategy<Value = String> {
        let pieces = vec!["a", "\"", "\\", "é", "漢", "👍"];
        (prop::sample::select(pieces), limits::NAME).prop_map(|(piece, characters)| piece.repeat(characters))
    }

    fn participants() -> impl Strategy<Value = Participant> {
        let username = limits::USERNAME.prop_map(|length| "u".repeat(length));
        (username, name()).prop_map(|(username, display_name)| Participant {
            user: UserId::fresh(),
            username,
            display_name,
            role: Role::Member,
            joined_at: Timestamp(1_795_219_200_123),
            read: Seq::MAX,
        })
    }

    fn conversations() -> impl Strategy<Value = Conversation> {
        let name = prop::option::of(name());
        let participants = prop::option::of(prop::collection::vec(participants(), 0..5));
        (name, prop::option::of(messages()), participants).prop_map(|(name, last_message, participants)| {
            Conversation {
                id: ConversationId::fresh(),
                shape: Shape::Direct,
                name,
                role: Role::Member,
                created_at: Timestamp(1_795_219_200_123),
                head: Seq::MAX,
                read: Seq::MAX,
                unread: limits::UNREAD,
                last_activity_at: Timestamp(1_795_219_200_123),
                last_message,
                participant_count: limits::PARTICIPANTS,
                participants,
            }
        })
    }

    fn length(view: impl Serialize) -> usize {
        serde_json::to_vec(&view).expect("string keys only").len()
    }

    proptest! {
        #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

        #[test]
        fn no_answer_is_longer_than_services_took_it_for(
            posted in messages(), person in participants(), listed in conversations(),
        ) {
            prop_assert!(length(message(posted.clone())) <= posted.json_size());
            if let Some(Body::Plain(text)) = &posted.body {
                // As services have it that cannot open it.
                let (key_version, nonce, ciphertext) = (1, [0; 12], vec![0; text.len() + 81]);
                let sealed = Body::Sealed { key_version, nonce, ciphertext };
                let sealed = Message { body: Some(sealed), ..posted.clone() };
                prop_assert!(length(message(posted.clone())) <= sealed.json_size());
                prop_assert!(sealed.json_size() <= limits::ANSWER / 8);
            }
            prop_assert!(length(participant(person.clone())) <= person.json_size());
            prop_assert!(length(conversation(listed.clone())) <= listed.json_size());
            let profile = User {
                id: person.user,
                username: person.username,
                email: "e".repeat(limits::EMAIL),
                display_name: person.display_name,
                created_at: person.joined_at,
            };
            prop_assert!(length(own_user(profile.clone())) <= profile.json_size());
            // The biggest item alone still fits one answer.
            prop_assert!(posted.json_size() <= limits::ANSWER / 8);
        }

        #[test]
        fn what_has_no_pages_fits_one_answer(person in participants()) {
            let size = person.json_size();
            prop_assert!(size * limits::PARTICIPANTS_SHOWN <= limits::ANSWER);
            prop_assert!(size * limits::PARTICIPANTS_IN_FRAME <= limits::OUT_QUEUE / 2);
            prop_assert!((size + limits::EMAIL) * *limits::PAGE.end() <= limits::ANSWER);
        }
    }
}
