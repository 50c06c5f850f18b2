//! An event becomes one frame, the same bytes for every socket, and a message becomes its JSON view.

use natter_schemas::{
    event::{Body, Event, Kind, LogEntry, Message, Reaction},
    frame::{EventPosition, MemberChange, ServerFrame},
    id::Seq,
    rest::{ConversationView, MessageView, ParticipantView, ReactionView, UserView},
    rpc::{Conversation, Participant, User},
};

use super::frame::Frame;

/// The frame of an event that follows `prev` in its conversation.
pub fn event(entry: &LogEntry, prev: Seq) -> Frame {
    Frame::text(&frame(entry, prev))
}

fn frame(LogEntry { seq, event }: &LogEntry, prev: Seq) -> ServerFrame {
    let position = EventPosition { conversation_id: event.conversation, seq: *seq, prev_seq: prev };
    let (user_id, at) = (event.author, event.at);
    match &event.kind {
        Kind::Posted { body, reply_to } => {
            ServerFrame::MessageNew { position, message: posted(*seq, event, body, *reply_to) }
        }
        Kind::Edited { target, body } => {
            let content = text(body).unwrap_or_default();
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
        reply_to,
        created_at: event.at,
        edited_at: None,
        deleted_at: None,
        reactions: Vec::new(),
    }
}

/// A body's text; `None` for one sealed with a key this node does not have.
fn text(body: &Body) -> Option<String> {
    match body {
        Body::Plain(text) => Some(text.clone()),
        Body::Sealed { key_version, .. } => {
            metrics::counter!("natter_unopened_bodies_total").increment(1);
            tracing::error!(key_version, "sealed body without its key; sent without content");
            None
        }
    }
}

pub fn message(message: Message) -> MessageView {
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
        reactions: message.reactions.into_iter().map(reaction).collect(),
    }
}

fn reaction(reaction: Reaction) -> ReactionView {
    ReactionView { emoji: reaction.emoji, count: reaction.users.len(), user_ids: reaction.users }
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

fn participant(p: Participant) -> ParticipantView {
    ParticipantView {
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
        id: user.id,
        username: user.username,
        display_name: user.display_name,
        email: Some(user.email),
        created_at: user.created_at,
    }
}
