//! Pure: rows of the store and events of the log become messages in their present state.

use std::collections::BTreeMap;

use natter_schemas::{
    event::{Kind, LogEntry, Message},
    id::Seq,
    rpc::Window,
};

use super::tail::Tail;

/// Rows with everything in the tail applied to them, and the messages posted in it; ascending. Rows may
/// reflect some of the events already.
pub fn present(rows: Vec<Message>, tail: &Tail) -> Vec<Message> {
    let mut messages: BTreeMap<Seq, Message> = rows.into_iter().map(|row| (row.seq, row)).collect();
    for logged in tail.iter() {
        if let Some(posted) = Message::posted(logged.seq, &logged.event) {
            messages.entry(logged.seq).or_insert(posted);
        } else if let Some(message) = target(&logged.event.kind).and_then(|seq| messages.get_mut(&seq)) {
            message.apply(logged.seq, &logged.event);
        }
    }
    messages.into_values().collect()
}

/// The message an event changes.
fn target(kind: &Kind) -> Option<Seq> {
    match kind {
        Kind::Edited { target, .. } | Kind::Deleted { target } | Kind::Reacted { target, .. } => {
            Some(*target)
        }
        Kind::Posted { .. }
        | Kind::MemberAdded { .. }
        | Kind::MemberRemoved { .. }
        | Kind::RoleChanged { .. }
        | Kind::Renamed { .. }
        | Kind::Created { .. } => None,
    }
}

/// The message at `seq`, posted in the tail.
pub fn one(seq: Seq, tail: &Tail) -> Option<Message> {
    present(Vec::new(), tail).into_iter().find(|message| message.seq == seq)
}

pub const fn inside(window: Window, seq: Seq) -> bool {
    match window {
        Window::Newest => true,
        Window::Before(edge) => seq < edge,
        Window::After(edge) => seq > edge,
    }
}

/// The `limit` messages nearest to the window's edge, and whether there are more.
pub fn cut(mut messages: Vec<Message>, window: Window, limit: usize) -> (Vec<Message>, bool) {
    messages.retain(|message| inside(window, message.seq));
    let surplus = messages.len().saturating_sub(limit);
    match window {
        Window::Newest | Window::Before(_) => drop(messages.drain(..surplus)),
        Window::After(_) => messages.truncate(limit),
    }
    (messages, surplus > 0)
}

/// How many messages of the window were posted in the tail.
pub fn posts(tail: &Tail, window: Window) -> usize {
    let posted =
        |logged: &&LogEntry| matches!(logged.event.kind, Kind::Posted { .. }) && inside(window, logged.seq);
    tail.iter().filter(posted).count()
}
