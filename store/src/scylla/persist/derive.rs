//! What an event changes: a pure list of rows, each with the timestamp that says which of two events wins.

use std::collections::BTreeSet;

use natter_schemas::{
    event::{Event, Kind, LogEntry, Member, Role, Timestamp},
    id::{ConversationId, Seq, UserId},
};

use super::{
    Shapes,
    plan::{Home, Plan},
};
use crate::scylla::{
    columns::{NOBODY, bucket, first, int, newest, of_role, of_shape, raw, time},
    statements::Statements,
};

/// Whose place an event changes, and which event it is.
#[derive(Clone, Copy)]
struct Change {
    conversation: ConversationId,
    user: UserId,
    seq: Seq,
}

pub fn derive(s: &Statements, rows: &mut Plan, logged: &LogEntry, shapes: &Shapes) {
    let LogEntry { seq, event } = logged;
    let (conversation, seq) = (event.conversation, *seq);
    store(s, rows, logged);
    let change = |user| Change { conversation, user, seq };
    match &event.kind {
        Kind::Posted { .. } => {}
        Kind::Edited { target, .. } | Kind::Deleted { target } | Kind::Reacted { target, .. } => {
            // What came before the message was not about it.
            if *target < seq {
                retouch(s, rows, logged, *target);
            }
        }
        Kind::MemberAdded { user, role } => {
            join(s, rows, change(*user), *role, event.at);
            if let Some((shape, created)) = shapes.get(&conversation) {
                let row =
                    (first(*created), of_shape(*shape), raw(user.as_bytes()), raw(conversation.as_bytes()));
                rows.add(Home::Person(*user), &s.be_in_shape, row);
            }
        }
        Kind::MemberRemoved { user } => be_present(s, rows, change(*user), NOBODY),
        Kind::RoleChanged { user, role } => give_role(s, rows, change(*user), *role),
        Kind::Renamed { name } => rename(s, rows, conversation, name, seq),
        Kind::Created { name, members, .. } => {
            create(s, rows, seq, event);
            if let Some(name) = name {
                rename(s, rows, conversation, name, seq);
            }
            // One Created may name a person twice: the first stays.
            let mut named = BTreeSet::new();
            for Member { user, role } in members {
                if named.insert(*user) {
                    join(s, rows, change(*user), *role, event.at);
                }
            }
        }
    }
}

/// The event itself, and where it is.
fn store(s: &Statements, rows: &mut Plan, LogEntry { seq, event }: &LogEntry) {
    let (room, id) = (raw(event.conversation.as_bytes()), raw(event.id.as_bytes()));
    let home = Home::Bucket(event.conversation, bucket(*seq));
    let data = natter_schemas::codec::encode(event);
    let bytes = data.len();
    if matches!(event.kind, Kind::Posted { .. }) {
        let author = raw(event.author.as_bytes());
        let row = (room, bucket(*seq), int(*seq), id, author, data, newest(*seq));
        rows.add_sized(home, &s.post, row, bytes);
    } else {
        let row = (room, bucket(*seq), int(*seq), id, data, newest(*seq));
        rows.add_sized(home, &s.change, row, bytes);
    }
    let place = (room, id, int(*seq), first(*seq));
    rows.add(Home::Event(event.conversation, event.id), &s.place_event, place);
}

/// The message's row, in the bucket of its own seq.
fn retouch(s: &Statements, rows: &mut Plan, LogEntry { seq, event }: &LogEntry, target: Seq) {
    let room = raw(event.conversation.as_bytes());
    let home = Home::Bucket(event.conversation, bucket(target));
    let at = (room, bucket(target), int(target));
    let data = natter_schemas::codec::encode(event);
    let bytes = data.len();
    match &event.kind {
        // Of edits the newest counts, of deletions the first.
        Kind::Edited { .. } => {
            let row = (newest(*seq), data, int(*seq), at.0, at.1, at.2);
            rows.add_sized(home, &s.edit, row, bytes);
        }
        Kind::Deleted { .. } => {
            let row = (first(*seq), data, int(*seq), at.0, at.1, at.2);
            rows.add_sized(home, &s.delete, row, bytes);
        }
        Kind::Reacted { emoji, on, .. } => {
            let author = raw(event.author.as_bytes());
            let row = (room, at.2, int(*seq), author, emoji.clone(), *on, newest(*seq));
            rows.add_sized(Home::Message(event.conversation, target), &s.react, row, emoji.len());
            rows.add(home, &s.mark_reacted, at);
        }
        _ => {}
    }
}

fn create(s: &Statements, rows: &mut Plan, seq: Seq, event: &Event) {
    let Kind::Created { shape, members, .. } = &event.kind else { return };
    let (conversation, room) = (event.conversation, raw(event.conversation.as_bytes()));
    let shape = of_shape(*shape);
    let row = (first(seq), shape, int(seq), time(event.at), room);
    rows.add(Home::Conversation(conversation), &s.create, row);
    for Member { user, .. } in members {
        let row = (first(seq), shape, raw(user.as_bytes()), room);
        rows.add(Home::Person(*user), &s.be_in_shape, row);
    }
}

fn rename(s: &Statements, rows: &mut Plan, conversation: ConversationId, name: &str, seq: Seq) {
    let row = (newest(seq), name.to_owned(), raw(conversation.as_bytes()));
    rows.add_sized(Home::Conversation(conversation), &s.rename, row, name.len());
}

fn join(s: &Statements, rows: &mut Plan, change: Change, role: Role, at: Timestamp) {
    let Change { conversation, user, seq } = change;
    be_present(s, rows, change, of_role(role));
    let row = (newest(seq), int(seq), time(at), raw(conversation.as_bytes()), raw(user.as_bytes()));
    rows.add(Home::Conversation(conversation), &s.join, row);
}

fn be_present(s: &Statements, rows: &mut Plan, Change { conversation, user, seq }: Change, role: i8) {
    let (room, person) = (raw(conversation.as_bytes()), raw(user.as_bytes()));
    let (at, seq) = (newest(seq), int(seq));
    rows.add(Home::Conversation(conversation), &s.be_present, (at, seq, role, room, person));
    rows.add(Home::Person(user), &s.be_in, (at, seq, role, person, room));
}

fn give_role(s: &Statements, rows: &mut Plan, Change { conversation, user, seq }: Change, role: Role) {
    let (room, person) = (raw(conversation.as_bytes()), raw(user.as_bytes()));
    let (at, seq, role) = (newest(seq), int(seq), of_role(role));
    rows.add(Home::Conversation(conversation), &s.give_role, (at, seq, role, room, person));
    rows.add(Home::Person(user), &s.be_in_as, (at, seq, role, person, room));
}
