//! The older part of a tail that is too long to be held whole: what counts of it beside the content of messages. Pure.

use std::{
    collections::{HashMap, VecDeque},
    sync::Arc,
};

use natter_schemas::{
    event::{Body, Event, Kind, LogEntry},
    id::{Seq, UserId},
    limits,
};

/// Events of each kind that are held: 3 × 10,000 × 300 B are 9 MB.
const HELD: usize = 10_000;

/// Changes of members and names, posts without their text, and deletions: the newest of each, ascending. Of authors
/// whose posts are all older, the newest one. Edits and reactions only matter to pages, which are read from the log.
#[derive(Debug, Clone, Default)]
pub struct OlderEvents {
    changes: VecDeque<Arc<LogEntry>>,
    posts: VecDeque<Arc<LogEntry>>,
    deletions: VecDeque<Arc<LogEntry>>,
    last_posts: HashMap<UserId, Arc<LogEntry>>,
}

impl OlderEvents {
    /// Of an event later than those before.
    pub fn add(&mut self, logged: &Arc<LogEntry>) {
        match logged.event.kind {
            Kind::Posted { reply_to, .. } => {
                let post = Arc::new(without_text(logged, reply_to));
                if let Some(dropped) = push(&mut self.posts, post) {
                    self.note_author(dropped);
                }
            }
            Kind::Deleted { .. } => drop(push(&mut self.deletions, Arc::clone(logged))),
            Kind::Edited { .. } | Kind::Reacted { .. } => {}
            Kind::MemberAdded { .. }
            | Kind::MemberRemoved { .. }
            | Kind::RoleChanged { .. }
            | Kind::Renamed { .. }
            | Kind::Created { .. } => drop(push(&mut self.changes, Arc::clone(logged))),
        }
    }

    /// Ascending.
    pub fn events(&self) -> Vec<Arc<LogEntry>> {
        let lists = self.changes.iter().chain(&self.posts).chain(&self.deletions);
        let mut all: Vec<_> = lists.chain(self.last_posts.values()).cloned().collect();
        all.sort_unstable_by_key(|logged| logged.seq);
        all
    }

    pub fn drop_below(&mut self, from: Seq) {
        for list in [&mut self.changes, &mut self.posts, &mut self.deletions] {
            let below = list.partition_point(|logged| logged.seq < from);
            list.drain(..below);
        }
        self.last_posts.retain(|_, logged| logged.seq >= from);
    }

    pub fn len(&self) -> usize {
        self.changes.len() + self.posts.len() + self.deletions.len() + self.last_posts.len()
    }

    /// As many authors as a group has members.
    fn note_author(&mut self, post: Arc<LogEntry>) {
        let author = post.event.author;
        if self.last_posts.len() < limits::PARTICIPANTS || self.last_posts.contains_key(&author) {
            self.last_posts.insert(author, post);
        }
    }
}

/// Returns what fell out at the front.
fn push(list: &mut VecDeque<Arc<LogEntry>>, logged: Arc<LogEntry>) -> Option<Arc<LogEntry>> {
    list.push_back(logged);
    if list.len() > HELD { list.pop_front() } else { None }
}

fn without_text(logged: &LogEntry, reply_to: Option<Seq>) -> LogEntry {
    let Event { id, conversation, author, at, .. } = logged.event;
    let kind = Kind::Posted { body: Body::Plain(String::new()), reply_to };
    let (device, client_id, traceparent) = (String::new(), None, None);
    let event = Event { id, conversation, author, device, client_id, at, kind, traceparent };
    LogEntry { seq: logged.seq, event }
}

#[cfg(test)]
mod tests {
    use natter_schemas::{
        event::{Role, Timestamp},
        id::{ConversationId, EventId},
    };

    use super::*;

    fn logged(seq: Seq, author: UserId, kind: Kind) -> Arc<LogEntry> {
        let (id, conversation) = (EventId::fresh(), ConversationId::from_bytes([1; 16]));
        let (device, client_id, traceparent) = (String::new(), None, None);
        let at = Timestamp(0);
        let event = Event { id, conversation, author, device, client_id, at, kind, traceparent };
        Arc::new(LogEntry { seq, event })
    }

    fn post() -> Kind {
        Kind::Posted { body: Body::Plain("x".repeat(1_000)), reply_to: None }
    }

    #[test]
    fn the_newest_of_each_kind_and_of_each_author_are_kept() {
        let (early, busy) = (UserId::fresh(), UserId::fresh());
        let mut older = OlderEvents::default();
        older.add(&logged(1, early, post()));
        older.add(&logged(2, early, post()));
        older.add(&logged(3, early, Kind::MemberAdded { user: busy, role: Role::Member }));
        older.add(&logged(4, early, Kind::Deleted { target: 1 }));
        older.add(&logged(5, early, Kind::Edited { target: 2, body: Body::Plain("y".to_owned()) }));
        let first = 6;
        for n in 0..HELD as Seq {
            older.add(&logged(first + n, busy, post()));
        }
        let events = older.events();
        let seqs: Vec<Seq> = events.iter().map(|logged| logged.seq).collect();
        assert_eq!(seqs[..4], [2, 3, 4, 6], "the oldest post of one whose later one is kept is not");
        assert_eq!(seqs.len(), HELD + 3);
        assert!(
            matches!(&events[3].event.kind, Kind::Posted { body: Body::Plain(text), .. } if text.is_empty())
        );
        older.drop_below(first + 10);
        assert_eq!((older.len(), older.events()[0].seq), (HELD - 10, first + 10));
    }
}
