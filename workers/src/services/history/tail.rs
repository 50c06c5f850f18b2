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

use super::older_events::OlderEvents;

/// A tail that was read is not trusted for longer: an operator may have taken something out of the log. One that is
/// too long to be held whole takes seconds to read again.
pub(super) const CACHED_FOR: Duration = Duration::from_secs(10);
pub(super) const CACHED_LONG_FOR: Duration = Duration::from_mins(1);
/// What an event occupies beside its payload, in bytes.
const ENTRY: usize = 256;
/// Events of a tail held whole, and bytes of their payloads. A healthy persister leaves some seconds' worth; this many
/// mean that it has stood still for long. Of the older half only [`OlderEvents`] are held then.
const HELD_EVENTS: usize = 10_000;
const HELD_BYTES: usize = 16 * 1024 * 1024;

/// A conversation's log from some position to its end.
#[derive(Debug, Clone, Default)]
pub struct Tail {
    /// Ascending. Unreadable events (a newer node wrote them) are left out here, not in the positions.
    pub(super) events: Vec<Arc<LogEntry>>,
    /// From here on every event is there; of those before only [`OlderEvents`].
    pub(super) complete_from: Seq,
    pub first: Option<Seq>,
    /// Newest seq of the conversation, also if it lies before the range; `None`: the log has nothing of it.
    pub head: Option<Seq>,
}

impl Tail {
    /// Everything but edits and reactions, and the text of messages, is certain to be there.
    pub fn iter(&self) -> impl DoubleEndedIterator<Item = &LogEntry> {
        self.events.iter().map(Arc::as_ref)
    }

    /// The part in which every event is there.
    pub(super) fn complete(&self) -> impl Iterator<Item = &LogEntry> {
        let from = self.events.partition_point(|logged| logged.seq < self.complete_from);
        self.events[from..].iter().map(Arc::as_ref)
    }

    /// Too long to be held whole.
    pub(super) fn is_cut(&self) -> bool {
        self.complete_from > 0
    }

    /// Nothing came before: the conversation began here.
    pub fn is_whole(&self) -> bool {
        !self.is_cut()
            && self.events.first().is_some_and(|logged| {
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
        let entry = |logged: LogEntry| Entry { seq: logged.seq, bytes: 0, event: Some(Arc::new(logged)) };
        events.into_iter().map(entry).collect()
    }
}

impl FromIterator<Entry> for Tail {
    fn from_iter<I: IntoIterator<Item = Entry>>(entries: I) -> Self {
        let mut tail = Self::default();
        for Entry { seq, event, .. } in entries {
            tail.first.get_or_insert(seq);
            tail.head = Some(seq);
            tail.events.extend(event);
        }
        tail
    }
}

/// A position of the log.
#[derive(Debug, Clone)]
pub(super) struct Entry {
    seq: Seq,
    /// Of its payload.
    bytes: usize,
    /// `None`: what is there cannot be read.
    event: Option<Arc<LogEntry>>,
}

/// What was read of a conversation's log. Events never change, so the next reader asks only for what came since.
pub(super) struct CachedTail {
    /// Known from here to its last entry.
    from: Seq,
    older: OlderEvents,
    /// Where `entries` begin, if something came before them.
    complete_from: Seq,
    entries: Vec<Entry>,
    /// Of all payloads of `entries`, in bytes.
    payload: usize,
    begun: Instant,
}

impl CachedTail {
    pub(super) fn nothing(from: Seq) -> Self {
        Self {
            from,
            older: OlderEvents::default(),
            complete_from: 0,
            entries: Vec::new(),
            payload: 0,
            begun: Instant::now(),
        }
    }

    /// What is known from there on.
    pub(super) fn since(&self, from: Seq) -> Self {
        self.since_at(from, Instant::now())
    }

    fn since_at(&self, from: Seq, now: Instant) -> Self {
        let trusted = if self.complete_from > 0 { CACHED_LONG_FOR } else { CACHED_FOR };
        if from < self.from || now - self.begun > trusted {
            return Self::nothing(from);
        }
        let below = self.entries.partition_point(|entry| entry.seq < from);
        let mut older = self.older.clone();
        older.drop_below(from);
        let complete_from = if from < self.complete_from { self.complete_from } else { 0 };
        let entries = self.entries[below..].to_vec();
        let payload = entries.iter().map(|entry| entry.bytes).sum();
        Self { from, older, complete_from, entries, payload, begun: self.begun }
    }

    pub(super) fn learn(&mut self, raw: &[RawEvent], unreadable: &Unreadable) {
        self.entries.extend(raw.iter().map(|event| entry(event, unreadable)));
        self.payload += raw.iter().map(|event| event.payload.len()).sum::<usize>();
        if self.entries.len() > HELD_EVENTS || self.payload > HELD_BYTES {
            self.cut();
        }
    }

    /// Of the older half only what counts beside pages is held on.
    fn cut(&mut self) {
        let count = self.entries.len() / 2;
        for Entry { event, .. } in self.entries.drain(..count) {
            if let Some(logged) = event {
                self.older.add(&logged);
            }
        }
        self.payload = self.entries.iter().map(|entry| entry.bytes).sum();
        self.complete_from = self.entries.first().map_or(self.complete_from, |entry| entry.seq);
    }

    pub(super) fn tail(&self) -> Tail {
        let whole: Tail = self.entries.iter().cloned().collect();
        if self.complete_from == 0 {
            return whole;
        }
        let events = [self.older.events(), whole.events].concat();
        Tail { events, complete_from: self.complete_from, first: None, head: whole.head }
    }

    /// The first position that was not read.
    pub(super) fn next(&self) -> Seq {
        self.entries.last().map_or(self.from, |entry| entry.seq + 1)
    }

    pub(super) fn len(&self) -> usize {
        self.entries.len() + self.older.len()
    }

    /// About what it occupies in the cache, in bytes.
    pub(super) fn weight(&self) -> u32 {
        u32::try_from(self.payload + ENTRY * self.len()).unwrap_or(u32::MAX)
    }
}

fn entry(raw: &RawEvent, unreadable: &Unreadable) -> Entry {
    let readable = raw.decode().map(Arc::new);
    let readable =
        readable.inspect_err(|error| unreadable.report(&format!("seq {} of the log", raw.seq), error));
    Entry { seq: raw.seq, bytes: raw.payload.len(), event: readable.ok() }
}

#[cfg(test)]
mod tests {
    use natter_schemas::{
        codec,
        event::{Body, Event, Timestamp},
        id::{ConversationId, EventId, UserId},
    };

    use super::*;

    fn known(from: Seq, seqs: &[Seq]) -> CachedTail {
        let entry = |seq: &Seq| Entry { seq: *seq, bytes: 0, event: None };
        CachedTail { entries: seqs.iter().map(entry).collect(), ..CachedTail::nothing(from) }
    }

    fn asks(known: &CachedTail) -> (Vec<Seq>, Seq) {
        (known.entries.iter().map(|entry| entry.seq).collect(), known.next())
    }

    fn post(seq: Seq, text: &str) -> RawEvent {
        let event = Event {
            id: EventId::fresh(),
            conversation: ConversationId::from_bytes([1; 16]),
            author: UserId::from_bytes([2; 16]),
            device: String::new(),
            client_id: None,
            at: Timestamp(0),
            kind: Kind::Posted { body: Body::Plain(text.to_owned()), reply_to: None },
            traceparent: None,
        };
        RawEvent::new(seq, codec::encode(&event).into())
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
        known.learn(&[RawEvent::new(1, vec![0; 9_000].into())], &Unreadable::new("event"));
        assert!(known.weight() > 9_000);
        let more = known.since(1);
        assert!(more.weight() > 9_000, "a longer tail grows out of it");
    }

    #[test]
    fn a_tail_of_any_length_occupies_no_more_than_its_bound() {
        let (unreadable, text) = (Unreadable::new("event"), "x".repeat(8_000));
        let (mut long, mut heavy) = (CachedTail::nothing(1), CachedTail::nothing(1));
        let count: Seq = 3 * HELD_EVENTS as Seq;
        for seq in 1..=count {
            long.learn(&[post(seq, "short")], &unreadable);
            heavy.learn(&[post(seq, if seq % 4 == 0 { &text } else { "short" })], &unreadable);
        }
        for known in [long, heavy] {
            assert!(known.entries.len() <= HELD_EVENTS && known.payload <= HELD_BYTES);
            let tail = known.tail();
            let complete: Vec<Seq> = tail.complete().map(|logged| logged.seq).collect();
            assert!(tail.is_cut() && complete.len() > 500);
            assert_eq!(complete, (tail.complete_from..=count).collect::<Vec<_>>());
            assert!(tail.events.len() >= HELD_EVENTS, "of the older ones the positions are still known");
            assert!(tail.events.is_sorted_by_key(|logged| logged.seq));
            // The floor moves into what is known whole.
            assert!(!known.since(tail.complete_from).tail().is_cut());
        }
    }
}
