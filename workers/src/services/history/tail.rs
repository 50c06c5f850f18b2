//! A conversation's log from some position to its end, and what is known of it. Pure.

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use natter_nats::log::RawEvent;
use natter_runtime::unreadable::Unreadable;
use natter_schemas::{
    event::{Kind, LogEntry},
    id::Seq,
};

/// A tail that was read is not trusted for longer: an operator may have taken something out of the log.
pub(super) const CACHED_FOR: Duration = Duration::from_secs(10);
/// What an event occupies beside its payload, in bytes.
const ENTRY: usize = 256;

/// A conversation's log from some position to its end.
#[derive(Debug, Clone, Default)]
pub struct Tail {
    /// Ascending. Unreadable events (a newer node wrote them) are left out here, not in the positions.
    pub(super) events: Vec<Arc<LogEntry>>,
    pub first: Option<Seq>,
    /// Newest seq of the conversation, also if it lies before the range; `None`: the log has nothing of it.
    pub head: Option<Seq>,
}

impl Tail {
    pub fn iter(&self) -> impl DoubleEndedIterator<Item = &LogEntry> {
        self.events.iter().map(Arc::as_ref)
    }

    /// Nothing came before: the conversation began here.
    pub fn is_whole(&self) -> bool {
        self.events.first().is_some_and(|logged| {
            self.first == Some(logged.seq) && matches!(logged.event.kind, Kind::Created { .. })
        })
    }

    pub(super) fn of(raw: &[RawEvent], unreadable: &Unreadable) -> Self {
        raw.iter().map(|event| entry(event, unreadable)).collect()
    }
}

/// Some of a conversation's log.
pub struct Portion {
    pub events: Tail,
    /// The first position that was not read.
    pub next: Seq,
    /// Where the conversation ended when this was read; `None`: the log has nothing of it.
    pub newest: Option<Seq>,
}

impl Portion {
    /// Nothing came behind it.
    pub fn is_last(&self) -> bool {
        self.newest.is_none_or(|newest| newest < self.next)
    }
}

/// Of events that can all be read.
impl From<Vec<LogEntry>> for Tail {
    fn from(events: Vec<LogEntry>) -> Self {
        events.into_iter().map(|logged| (logged.seq, Some(Arc::new(logged)))).collect()
    }
}

impl FromIterator<Entry> for Tail {
    fn from_iter<I: IntoIterator<Item = Entry>>(entries: I) -> Self {
        let mut tail = Self::default();
        for (seq, readable) in entries {
            tail.first.get_or_insert(seq);
            tail.head = Some(seq);
            tail.events.extend(readable);
        }
        tail
    }
}

/// A position of the log; `None`: what is there cannot be read.
type Entry = (Seq, Option<Arc<LogEntry>>);

/// What was read of a conversation's log. Events never change, so the next reader asks only for what came since.
pub(super) struct CachedTail {
    /// Complete from here to its last entry.
    from: Seq,
    pub(super) entries: Vec<Entry>,
    /// Of all payloads that were read for it, in bytes.
    payload: usize,
    begun: Instant,
}

impl CachedTail {
    pub(super) fn nothing(from: Seq) -> Self {
        Self { from, entries: Vec::new(), payload: 0, begun: Instant::now() }
    }

    /// What is known from there on.
    pub(super) fn since(&self, from: Seq) -> Self {
        self.since_at(from, Instant::now())
    }

    fn since_at(&self, from: Seq, now: Instant) -> Self {
        if from < self.from || now - self.begun > CACHED_FOR {
            return Self::nothing(from);
        }
        let below = self.entries.partition_point(|(seq, _)| *seq < from);
        Self { from, entries: self.entries[below..].to_vec(), ..*self }
    }

    pub(super) fn learn(&mut self, raw: &[RawEvent], unreadable: &Unreadable) {
        self.entries.extend(raw.iter().map(|event| entry(event, unreadable)));
        self.payload += raw.iter().map(|event| event.payload.len()).sum::<usize>();
    }

    /// The first position that was not read.
    pub(super) fn next(&self) -> Seq {
        self.entries.last().map_or(self.from, |(seq, _)| seq + 1)
    }

    /// About what it occupies in the cache, in bytes.
    pub(super) fn weight(&self) -> u32 {
        u32::try_from(self.payload + ENTRY * self.entries.len()).unwrap_or(u32::MAX)
    }
}

fn entry(raw: &RawEvent, unreadable: &Unreadable) -> Entry {
    let readable = raw.decode().map(Arc::new);
    let readable =
        readable.inspect_err(|error| unreadable.report(&format!("seq {} of the log", raw.seq), error));
    (raw.seq, readable.ok())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn known(from: Seq, seqs: &[Seq]) -> CachedTail {
        CachedTail { entries: seqs.iter().map(|seq| (*seq, None)).collect(), ..CachedTail::nothing(from) }
    }

    fn asks(known: &CachedTail) -> (Vec<Seq>, Seq) {
        (known.entries.iter().map(|(seq, _)| *seq).collect(), known.next())
    }

    #[test]
    fn what_is_known_is_not_asked_for_again() {
        let known = known(5, &[6, 8, 9]);
        assert_eq!(asks(&known.since(5)), (vec![6, 8, 9], 10));
        assert_eq!(asks(&known.since(7)), (vec![8, 9], 10));
        assert_eq!(asks(&known.since(10)), (vec![], 10));
        assert_eq!(asks(&known.since(20)), (vec![], 20));
    }

    #[test]
    fn what_lies_below_the_known_or_was_known_for_too_long_is_read_anew() {
        let known = known(5, &[6, 8]);
        assert_eq!(asks(&known.since(4)), (vec![], 4));
        let still = known.begun + CACHED_FOR;
        assert_eq!(asks(&known.since_at(5, still)), (vec![6, 8], 9));
        assert_eq!(asks(&known.since_at(5, still + Duration::from_millis(1))), (vec![], 5));
    }

    #[test]
    fn a_tail_weighs_what_was_read_for_it() {
        let mut known = CachedTail::nothing(1);
        known.learn(&[RawEvent { seq: 1, payload: vec![0; 9_000].into() }], &Unreadable::new("event"));
        assert!(known.weight() > 9_000);
        let more = known.since(1);
        assert!(more.weight() > 9_000, "a longer tail grows out of it");
    }
}
