//! What an event changes: a pure list of rows, each with the write timestamp that decides which of two events wins.

use std::collections::BTreeSet;

use natter_schemas::{
    event::{Event, Kind, LogEntry, Member, Role, Timestamp},
    id::{ConversationId, Seq, UserId},
};

use super::{
    Shapes,
    plan::{PartitionKey, WritePlan},
};
use crate::scylla::{
    columns::{ABSENT, bucket, first, int, newest, of_role, of_shape, raw, time},
    statements::Statements,
};

/// Which membership an event changes, and the event's seq.
#[derive(Clone, Copy)]
struct MembershipUpdate {
    conversation: ConversationId,
    user: UserId,
    seq: Seq,
}

pub fn derive(s: &Statements, rows: &mut WritePlan, logged: &LogEntry, shapes: &Shapes) {
    let LogEntry { seq, event } = logged;
    let (conversation, seq) = (event.conversation, *seq);
    store(s, rows, logged);
    let change = |user| MembershipUpdate { conversation, user, seq };
    match &event.kind {
        Kind::Posted { .. } => {}
        Kind::Edited { target, .. } | Kind::Deleted { target } | Kind::Reacted { target, .. } => {
            // A change logged before the message cannot be about it.
            if *target < seq {
                retouch(s, rows, logged, *target);
            }
        }
        Kind::MemberAdded { user, role } => {
            join(s, rows, change(*user), *role, event.at);
            if let Some((shape, created)) = shapes.get(&conversation) {
                let row =
                    (first(*created), of_shape(*shape), raw(user.as_bytes()), raw(conversation.as_bytes()));
                rows.add(PartitionKey::User(*user), &s.set_membership_shape, row);
            }
        }
        Kind::MemberRemoved { user } => set_presence(s, rows, change(*user), ABSENT),
        Kind::RoleChanged { user, role } => set_role(s, rows, change(*user), *role),
        Kind::Renamed { name } => rename(s, rows, conversation, name, seq),
        Kind::Created { name, members, .. } => {
            create(s, rows, seq, event);
            if let Some(name) = name {
                rename(s, rows, conversation, name, seq);
            }
            // One `Created` may name a user twice: the first wins.
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
fn store(s: &Statements, rows: &mut WritePlan, LogEntry { seq, event }: &LogEntry) {
    let (conversation_id, id) = (raw(event.conversation.as_bytes()), raw(event.id.as_bytes()));
    let key = PartitionKey::Bucket(event.conversation, bucket(*seq));
    let data = natter_schemas::codec::encode(event);
    let bytes = data.len();
    if matches!(event.kind, Kind::Posted { .. }) {
        let author = raw(event.author.as_bytes());
        let row = (conversation_id, bucket(*seq), int(*seq), id, author, data, newest(*seq));
        rows.add_sized(key, &s.post, row, bytes);
    } else {
        let row = (conversation_id, bucket(*seq), int(*seq), id, data, newest(*seq));
        rows.add_sized(key, &s.change, row, bytes);
    }
    let place = (conversation_id, id, int(*seq), first(*seq));
    rows.add(PartitionKey::Event(event.conversation, event.id), &s.index_event, place);
}

/// The message's row, in the bucket of its own seq.
fn retouch(s: &Statements, rows: &mut WritePlan, LogEntry { seq, event }: &LogEntry, target: Seq) {
    let conversation_id = raw(event.conversation.as_bytes());
    let key = PartitionKey::Bucket(event.conversation, bucket(target));
    let at = (conversation_id, bucket(target), int(target));
    let data = natter_schemas::codec::encode(event);
    let bytes = data.len();
    match &event.kind {
        // Of edits the newest counts, of deletions the first.
        Kind::Edited { .. } => {
            let row = (newest(*seq), data, int(*seq), at.0, at.1, at.2);
            rows.add_sized(key, &s.edit, row, bytes);
        }
        Kind::Deleted { .. } => {
            let row = (first(*seq), data, int(*seq), at.0, at.1, at.2);
            rows.add_sized(key, &s.delete, row, bytes);
        }
        Kind::Reacted { emoji, on, .. } => {
            let author = raw(event.author.as_bytes());
            let row = (conversation_id, at.2, int(*seq), author, emoji.clone(), *on, newest(*seq));
            rows.add_sized(PartitionKey::Message(event.conversation, target), &s.react, row, emoji.len());
            rows.add(key, &s.mark_reacted, at);
        }
        _ => {}
    }
}

fn create(s: &Statements, rows: &mut WritePlan, seq: Seq, event: &Event) {
    let Kind::Created { shape, members, .. } = &event.kind else { return };
    let (conversation, conversation_id) = (event.conversation, raw(event.conversation.as_bytes()));
    let shape = of_shape(*shape);
    let row = (first(seq), shape, int(seq), time(event.at), conversation_id);
    rows.add(PartitionKey::Conversation(conversation), &s.create, row);
    for Member { user, .. } in members {
        let row = (first(seq), shape, raw(user.as_bytes()), conversation_id);
        rows.add(PartitionKey::User(*user), &s.set_membership_shape, row);
    }
}

fn rename(s: &Statements, rows: &mut WritePlan, conversation: ConversationId, name: &str, seq: Seq) {
    let row = (newest(seq), name.to_owned(), raw(conversation.as_bytes()));
    rows.add_sized(PartitionKey::Conversation(conversation), &s.rename, row, name.len());
}

fn join(s: &Statements, rows: &mut WritePlan, change: MembershipUpdate, role: Role, at: Timestamp) {
    let MembershipUpdate { conversation, user, seq } = change;
    set_presence(s, rows, change, of_role(role));
    let row = (newest(seq), int(seq), time(at), raw(conversation.as_bytes()), raw(user.as_bytes()));
    rows.add(PartitionKey::Conversation(conversation), &s.join, row);
}

fn set_presence(
    s: &Statements,
    rows: &mut WritePlan,
    MembershipUpdate { conversation, user, seq }: MembershipUpdate,
    role: i8,
) {
    let (conversation_id, user_id) = (raw(conversation.as_bytes()), raw(user.as_bytes()));
    let (at, seq) = (newest(seq), int(seq));
    rows.add(
        PartitionKey::Conversation(conversation),
        &s.set_presence,
        (at, seq, role, conversation_id, user_id),
    );
    rows.add(PartitionKey::User(user), &s.set_membership_presence, (at, seq, role, user_id, conversation_id));
}

fn set_role(
    s: &Statements,
    rows: &mut WritePlan,
    MembershipUpdate { conversation, user, seq }: MembershipUpdate,
    role: Role,
) {
    let (conversation_id, user_id) = (raw(conversation.as_bytes()), raw(user.as_bytes()));
    let (at, seq, role) = (newest(seq), int(seq), of_role(role));
    rows.add(
        PartitionKey::Conversation(conversation),
        &s.set_role,
        (at, seq, role, conversation_id, user_id),
    );
    rows.add(PartitionKey::User(user), &s.set_membership_role, (at, seq, role, user_id, conversation_id));
}
