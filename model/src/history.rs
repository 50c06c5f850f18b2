//! A persister, and what readers find: rows at or below the floor, the log above it.

use crate::{Log, Message, Seq};

#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct Persister {
    /// Readers rely on the store up to here.
    pub floor: Seq,
    /// The store has the rows up to here.
    pub stored: Seq,
}

impl Persister {
    pub fn read(&self, log: &Log, seq: Seq) -> Option<Message> {
        if seq > self.floor {
            return log.at(seq);
        }
        let has_row = seq <= self.stored;
        log.events.get(usize::from(seq).checked_sub(1)?).copied().filter(|_| has_row)
    }

    pub fn find(&self, log: &Log, message: Message) -> Option<Seq> {
        (1..=log.head()).find(|seq| self.read(log, *seq) == Some(message))
    }
}
