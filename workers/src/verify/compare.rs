//! Where a conversation's events in the log and in the store differ, and one digest of all of either.

use std::{collections::BTreeMap, fmt};

use natter_schemas::{
    codec,
    event::LogEntry,
    id::{ConversationId, Seq},
};
use natter_store::without_text;

use crate::{capped_list::CappedList, readable_rows::Rows};

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Difference {
    /// In the log, not in the store.
    Missing { conversation: ConversationId, seq: Seq },
    /// Another event, or other bytes.
    Other { conversation: ConversationId, seq: Seq },
    /// In the store is a row that cannot be read.
    Unreadable { conversation: ConversationId, seq: Seq },
    /// In the store, not in the log, although the log reaches back that far.
    OnlyInStore { conversation: ConversationId, seq: Seq },
    /// The conversation's newest event is `seq`; its readers get `head`.
    HeadBehind { conversation: ConversationId, seq: Seq, head: Seq },
}

impl Difference {
    pub const fn seq(&self) -> Seq {
        match self {
            Self::Missing { seq, .. }
            | Self::Other { seq, .. }
            | Self::Unreadable { seq, .. }
            | Self::OnlyInStore { seq, .. }
            | Self::HeadBehind { seq, .. } => *seq,
        }
    }

    pub const fn conversation(&self) -> ConversationId {
        match self {
            Self::Missing { conversation, .. }
            | Self::Other { conversation, .. }
            | Self::Unreadable { conversation, .. }
            | Self::OnlyInStore { conversation, .. }
            | Self::HeadBehind { conversation, .. } => *conversation,
        }
    }

    pub const fn name(&self) -> &'static str {
        match self {
            Self::Missing { .. } => "missing",
            Self::Other { .. } => "different",
            Self::Unreadable { .. } => "unreadable",
            Self::OnlyInStore { .. } => "only_in_store",
            Self::HeadBehind { .. } => "head_behind",
        }
    }
}

impl fmt::Display for Difference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Missing { .. } => f.write_str("missing in the store"),
            Self::Other { .. } => f.write_str("different in the store"),
            Self::Unreadable { .. } => f.write_str("unreadable in the store"),
            Self::OnlyInStore { .. } => f.write_str("only in the store"),
            Self::HeadBehind { head, .. } => write!(f, "newest event, but the store's head is {head}"),
        }
    }
}

/// Everything found so far, as two digests.
#[derive(Default)]
pub struct Digests {
    log: blake3::Hasher,
    store: blake3::Hasher,
    events: u64,
    /// Of the chunk at hand, by seq: the digests go in the log's order, not by conversation.
    chunk: BTreeMap<Seq, (Option<LogEntry>, Option<LogEntry>)>,
}

pub struct Digest {
    /// Of the log.
    pub events: u64,
    pub log: String,
    pub store: String,
}

impl Digests {
    /// The chunk is whole.
    pub fn settle(&mut self) {
        for (log, store) in std::mem::take(&mut self.chunk).into_values() {
            self.events += u64::from(log.is_some());
            for (hasher, logged) in [(&mut self.log, log), (&mut self.store, store)] {
                let Some(LogEntry { seq, event }) = logged else { continue };
                let bytes = codec::encode(&event);
                hasher.update(&seq.to_be_bytes()).update(event.id.as_bytes());
                hasher.update(&(bytes.len() as u64).to_be_bytes()).update(&bytes);
            }
        }
    }

    pub fn digest(&self) -> Digest {
        let hex = |hasher: &blake3::Hasher| hasher.finalize().to_hex().to_string();
        Digest { events: self.events, log: hex(&self.log), store: hex(&self.store) }
    }
}

/// Both sides of one conversation in one range.
pub fn conversation(
    conversation: ConversationId,
    log: Vec<LogEntry>,
    rows: Rows,
    found: &mut Digests,
    differences: &mut CappedList<Difference>,
) {
    let mut both: BTreeMap<Seq, (Option<LogEntry>, Option<LogEntry>)> = BTreeMap::new();
    for logged in log {
        let seq = logged.seq;
        both.entry(seq).or_default().0 = Some(logged);
    }
    for logged in rows.events {
        let seq = logged.seq;
        both.entry(seq).or_default().1 = Some(logged);
    }
    both.values_mut().for_each(take_as_equal);
    for seq in &rows.unreadable {
        differences.push(Difference::Unreadable { conversation, seq: *seq });
    }
    for (&seq, sides) in &both {
        match sides {
            (Some(log), Some(store)) if log != store => {
                differences.push(Difference::Other { conversation, seq });
            }
            (Some(_), None) if !rows.unreadable.contains(&seq) => {
                differences.push(Difference::Missing { conversation, seq });
            }
            (None, Some(_)) => differences.push(Difference::OnlyInStore { conversation, seq }),
            _ => {}
        }
    }
    // A seq is of one conversation; a row of another one at the same seq is a difference already.
    for (seq, (log, store)) in both {
        let checked = found.chunk.entry(seq).or_default();
        checked.0 = checked.0.take().or(log);
        checked.1 = checked.1.take().or(store);
    }
}

/// A text of an erased user is empty in the store; the log has it until it forgets the event.
fn take_as_equal((log, store): &mut (Option<LogEntry>, Option<LogEntry>)) {
    if let (Some(log), Some(store)) = (log, store)
        && without_text(&log.event).is_some_and(|emptied| emptied == store.event)
    {
        store.clone_from(log);
    }
}

#[cfg(test)]
mod tests {
    use natter_schemas::{
        event::{Body, Event, Kind, Timestamp},
        id::{EventId, UserId},
    };

    use super::*;

    fn run(c: ConversationId, seqs: &[Seq]) -> Vec<LogEntry> {
        let event = |seq: &Seq| Event {
            id: EventId::from_bytes([u8::try_from(*seq).unwrap(); 16]),
            conversation: c,
            author: UserId::from_bytes([7; 16]),
            device: String::new(),
            client_id: None,
            at: Timestamp(1),
            kind: Kind::Renamed { name: "name".to_owned() },
            traceparent: None,
        };
        seqs.iter().map(|seq| LogEntry { seq: *seq, event: event(seq) }).collect()
    }

    fn compared(c: ConversationId, log: Vec<LogEntry>, rows: Rows) -> (bool, Vec<Difference>) {
        let (mut found, mut differences) = (Digests::default(), CappedList::of(10));
        conversation(c, log, rows, &mut found, &mut differences);
        found.settle();
        let Digest { log, store, .. } = found.digest();
        (log == store, differences.first)
    }

    #[test]
    fn equal_runs_have_equal_digests() {
        let c = ConversationId::fresh();
        let rows = Rows { events: run(c, &[1, 3]), unreadable: Vec::new() };
        assert_eq!(compared(c, run(c, &[1, 3]), rows), (true, Vec::new()));
    }

    #[test]
    fn a_text_that_was_emptied_is_no_difference() {
        let c = ConversationId::fresh();
        let (mut log, other) = (run(c, &[1, 3]), run(c, &[1, 3]));
        let text = |text: &str| Kind::Posted { body: Body::Plain(text.to_owned()), reply_to: None };
        log[1].event.kind = text("hi");
        for (emptied, equal) in [("", true), ("ho", false)] {
            let mut events = other.clone();
            events[1].event.kind = text(emptied);
            let (same, differences) = compared(c, log.clone(), Rows { events, unreadable: Vec::new() });
            assert_eq!((same, differences.is_empty()), (equal, equal), "{emptied}");
        }
    }

    #[test]
    fn every_kind_of_difference_is_named_with_its_seq() {
        let conversation = ConversationId::fresh();
        let mut events = run(conversation, &[2, 3, 5]);
        events[1].event.kind = Kind::Renamed { name: "another".to_owned() };
        let rows = Rows { events, unreadable: vec![4] };
        let (equal, differences) = compared(conversation, run(conversation, &[1, 2, 3, 4]), rows);
        assert!(!equal);
        let expected = [
            Difference::Unreadable { conversation, seq: 4 },
            Difference::Missing { conversation, seq: 1 },
            Difference::Other { conversation, seq: 3 },
            Difference::OnlyInStore { conversation, seq: 5 },
        ];
        assert_eq!(differences, expected);
    }

    #[test]
    fn the_digest_goes_by_seq_and_not_by_conversation() {
        let (a, b) = (ConversationId::fresh(), ConversationId::fresh());
        let digest = |rooms: [ConversationId; 2]| {
            let mut found = Digests::default();
            for c in rooms {
                let seqs: &[Seq] = if c == a { &[1, 3] } else { &[2, 4] };
                conversation(c, run(c, seqs), Rows::default(), &mut found, &mut CappedList::of(1));
            }
            found.settle();
            found.digest().log
        };
        assert_eq!(digest([a, b]), digest([b, a]));
    }
}
