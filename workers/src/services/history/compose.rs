//! Pure: rows of the store and events of the log become messages in their present state.

use std::collections::BTreeMap;

use natter_schemas::{
    event::{Kind, LogEntry, Message},
    id::Seq,
    rpc::{Window, fitting},
};

use super::tail::Tail;

/// Rows with everything in the tail applied to them, and the messages posted in it; ascending. Rows may
/// reflect some of the events already. Of a tail that is cut, the part in which every event is there.
pub fn present(rows: Vec<Message>, tail: &Tail) -> Vec<Message> {
    let mut messages = by_seq(rows);
    for logged in tail.complete() {
        apply(&mut messages, logged);
    }
    messages.into_values().collect()
}

fn by_seq(rows: Vec<Message>) -> BTreeMap<Seq, Message> {
    rows.into_iter().map(|row| (row.seq, row)).collect()
}

fn apply(messages: &mut BTreeMap<Seq, Message>, logged: &LogEntry) {
    if let Some(posted) = Message::posted(logged.seq, &logged.event) {
        messages.entry(logged.seq).or_insert(posted);
    } else if let Some(message) = target(&logged.event.kind).and_then(|seq| messages.get_mut(&seq)) {
        message.apply(logged.seq, &logged.event);
    }
}

/// A page made of one event after another, however many: only messages that may still be on it are held.
pub struct PageBuilder {
    window: Window,
    limit: usize,
    messages: BTreeMap<Seq, Message>,
    first: Option<(Seq, bool)>,
}

impl PageBuilder {
    /// `rows`: what is known of the page without the events.
    pub fn new(window: Window, limit: usize, rows: Vec<Message>) -> Self {
        Self { window, limit, messages: by_seq(rows), first: None }
    }

    /// Of an event later than those before.
    pub fn add(&mut self, logged: &LogEntry) {
        self.first.get_or_insert((logged.seq, matches!(logged.event.kind, Kind::Created { .. })));
        if matches!(logged.event.kind, Kind::Posted { .. }) && !inside(self.window, logged.seq) {
            return;
        }
        apply(&mut self.messages, logged);
        // One more than the page has: whether there are more is part of the answer.
        while self.messages.len() > self.limit + 1 {
            match self.window {
                Window::Newest | Window::Before(_) => self.messages.pop_first(),
                Window::After(_) => self.messages.pop_last(),
            };
        }
    }

    /// Seq of the first event, and whether it opened the conversation.
    pub const fn first(&self) -> Option<(Seq, bool)> {
        self.first
    }

    pub fn messages(&self) -> usize {
        self.messages.len()
    }

    pub fn finish(self) -> (Vec<Message>, bool) {
        cut(self.messages.into_values().collect(), self.window, self.limit)
    }
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

/// Those of a page that fit one answer, nearest to the window's edge first; whether others did not.
pub fn fit(mut messages: Vec<Message>, window: Window) -> (Vec<Message>, bool) {
    let all = messages.len();
    match window {
        Window::Newest | Window::Before(_) => {
            let fitting = fitting(messages.iter().rev());
            messages.drain(..all - fitting);
        }
        Window::After(_) => messages.truncate(fitting(&messages)),
    }
    let cut = messages.len() < all;
    (messages, cut)
}

/// How many messages of the window were posted in the part of the tail in which every event is there.
pub fn posts(tail: &Tail, window: Window) -> usize {
    let posted =
        |logged: &&LogEntry| matches!(logged.event.kind, Kind::Posted { .. }) && inside(window, logged.seq);
    tail.complete().filter(posted).count()
}

#[cfg(test)]
mod tests {
    use natter_schemas::{
        event::Body,
        id::{ConversationId, EventId, UserId},
        limits,
        rpc::JsonSize,
    };
    use proptest::prelude::*;

    use super::*;

    fn message(seq: usize, bytes: usize) -> Message {
        let (seq, room) = (Seq::try_from(seq).unwrap(), ConversationId::from_bytes([1; 16]));
        let message = Message::unreadable(room, seq, EventId::fresh(), UserId::fresh());
        Message { body: Some(Body::Plain("\u{1}".repeat(bytes))), unreadable: false, ..message }
    }

    proptest! {
        #![proptest_config(ProptestConfig { cases: 100, failure_persistence: None, ..ProptestConfig::default() })]

        #[test]
        fn a_page_of_any_messages_is_cut_to_its_bound_at_its_far_end(
            lengths in prop::collection::vec(prop_oneof![0..200_usize, 4_000..=limits::CONTENT], 0..=100),
            up: bool,
        ) {
            let all: Vec<Message> = lengths.iter().enumerate().map(|(n, bytes)| message(n, *bytes)).collect();
            let window = if up { Window::After(0) } else { Window::Newest };
            let (page, cut) = fit(all.clone(), window);
            prop_assert!(page.iter().map(JsonSize::json_size).sum::<usize>() <= limits::ANSWER);
            prop_assert_eq!(cut, page.len() < all.len());
            prop_assert_eq!(page.is_empty(), all.is_empty());
            let expected = if up { &all[..page.len()] } else { &all[all.len() - page.len()..] };
            prop_assert_eq!(&page[..], expected);
        }
    }
}
