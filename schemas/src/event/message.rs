//! A message in its present state: what the log's events make of it.

use serde::{Deserialize, Serialize};

use super::{Body, Event, Kind, Timestamp};
use crate::{
    emoji,
    id::{ConversationId, EventId, Seq, UserId},
    limits,
};

/// A message as it stands now: the posted event with every edit, deletion and reaction up to some moment.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Message {
    /// Its id.
    pub id: EventId,
    /// The conversation it belongs to.
    pub conversation: ConversationId,
    /// Position in the partition's log.
    pub seq: Seq,
    /// Who caused it.
    pub author: UserId,
    /// The sender's own id for it.
    pub client_id: Option<String>,
    /// `None` once deleted: the message keeps its place, not its content.
    pub body: Option<Body>,
    /// Seq of the message it answers.
    pub reply_to: Option<Seq>,
    /// When it was made.
    pub created_at: Timestamp,
    /// When its body was last replaced.
    pub edited_at: Option<Timestamp>,
    /// When its content was removed.
    pub deleted_at: Option<Timestamp>,
    /// Seq of the deletion, else of the newest edit applied, else of the message itself.
    pub version: Seq,
    /// The event whose body this is: what a sealed body is bound to.
    pub body_event: EventId,
    /// In the order in which each emoji was first used.
    pub reactions: Vec<Reaction>,
    /// What is stored of it cannot be read: a placeholder that keeps its place, without content.
    pub unreadable: bool,
}

/// Everyone who reacted with one emoji.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Reaction {
    /// In its canonical spelling; old logs have texts that are no emoji.
    pub emoji: String,
    /// Oldest first; as shown to a user at most [`limits::REACTORS`].
    pub users: Vec<UserId>,
    /// How many users reacted.
    pub count: usize,
    /// Whether the user to whom it is shown is one of them.
    pub me: bool,
}

impl Reaction {
    /// Of these users, as it is shown to none of them yet.
    pub fn of(emoji: &str, users: Vec<UserId>) -> Self {
        let emoji = emoji::canonical(emoji).unwrap_or(emoji).to_owned();
        Self { emoji, count: users.len(), users, me: false }
    }

    /// Whether this text names it, in whichever spelling.
    pub fn is(&self, text: &str) -> bool {
        self.emoji == emoji::canonical(text).unwrap_or(text)
    }

    fn set(&mut self, user: UserId, on: bool) {
        if !on {
            self.users.retain(|u| *u != user);
        } else if !self.users.contains(&user) {
            self.users.push(user);
        }
        self.count = self.users.len();
    }
}

impl Message {
    /// The message a `Posted` event begins; `None` for any other event.
    pub fn posted(seq: Seq, event: &Event) -> Option<Self> {
        let Kind::Posted { body, reply_to } = &event.kind else { return None };
        Some(Self {
            id: event.id,
            conversation: event.conversation,
            seq,
            author: event.author,
            client_id: event.client_id.clone(),
            body: Some(body.clone()),
            reply_to: *reply_to,
            created_at: event.at,
            edited_at: None,
            deleted_at: None,
            version: seq,
            body_event: event.id,
            reactions: Vec::new(),
            unreadable: false,
        })
    }

    /// A placeholder for a message whose stored event cannot be read: only its place, its id and perhaps its author
    /// are known.
    pub fn unreadable(conversation: ConversationId, seq: Seq, id: EventId, author: UserId) -> Self {
        Self {
            id,
            conversation,
            seq,
            author,
            client_id: None,
            body: None,
            reply_to: None,
            created_at: Timestamp::default(),
            edited_at: None,
            deleted_at: None,
            version: seq,
            body_event: id,
            reactions: Vec::new(),
            unreadable: true,
        }
    }

    /// What became of the message cannot be read: neither may what it was before be shown.
    #[must_use]
    pub fn without_content(self) -> Self {
        Self { body: None, unreadable: true, ..self }
    }

    /// Applies a later event of the same conversation. Events that do not target this message change nothing.
    /// Edits and deletions may come in any order, any number of times: the newest edit counts, and the first
    /// deletion is final. Reactions of one user must come in the order of the log; repeats are harmless.
    pub fn apply(&mut self, seq: Seq, event: &Event) {
        match (&event.kind, self.deleted_at) {
            (Kind::Edited { target, body }, None)
                if *target == self.seq && seq > self.version && !self.unreadable =>
            {
                self.body = Some(body.clone());
                self.body_event = event.id;
                self.edited_at = Some(event.at);
                self.version = seq;
            }
            (Kind::Deleted { target }, None) if *target == self.seq => self.delete(seq, event.at),
            (Kind::Deleted { target }, Some(_)) if *target == self.seq && seq < self.version => {
                self.delete(seq, event.at);
            }
            (Kind::Reacted { target, emoji, on }, None) if *target == self.seq => {
                self.react(event.author, emoji, *on);
            }
            _ => {}
        }
    }

    /// Leaves nothing that depends on which edits were applied before.
    fn delete(&mut self, seq: Seq, at: Timestamp) {
        self.body = None;
        self.body_event = self.id;
        self.edited_at = None;
        self.deleted_at = Some(at);
        self.version = seq;
        self.unreadable = false;
        self.reactions.clear();
    }

    fn react(&mut self, user: UserId, emoji: &str, on: bool) {
        let held = self.reactions.len();
        match self.reactions.iter_mut().find(|reaction| reaction.is(emoji)) {
            Some(reaction) => reaction.set(user, on),
            None if on && held < limits::REACTIONS_HELD => {
                self.reactions.push(Reaction::of(emoji, vec![user]));
            }
            None => {}
        }
        self.reactions.retain(|reaction| reaction.count > 0);
    }

    /// As one user is shown it: the first [`limits::REACTIONS`] reactions, each with its first users.
    #[must_use]
    pub fn shown_to(mut self, user: UserId) -> Self {
        self.reactions.truncate(limits::REACTIONS);
        self.known_to(user)
    }

    /// With all its reactions, each with its first users: whatever the user may do to it can be decided.
    #[must_use]
    pub fn known_to(mut self, user: UserId) -> Self {
        for reaction in &mut self.reactions {
            reaction.me = reaction.users.contains(&user);
            reaction.users.truncate(limits::REACTORS);
        }
        self
    }
}
