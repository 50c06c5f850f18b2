//! The log: events in their order, and the ids it recognizes.

use std::collections::BTreeSet;

use crate::{Message, Seq};

/// An attempt of an edge that is on its way to the log.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Attempt {
    pub message: Message,
    /// The edge waits for the answer; not after it, or its connection, was lost.
    pub awaited: bool,
}

#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct Log {
    /// Everything that was ever stored in the conversation, by seq.
    pub events: Vec<Message>,
    /// How much was stored in the partition, elsewhere included: seqs of a partition rise by one.
    pub partition_head: Seq,
    /// Seqs up to here have left the log; the store has them.
    pub gone: Seq,
    /// Ids within the duplicate window.
    pub window: BTreeSet<Message>,
    pub attempts: BTreeSet<Attempt>,
}

impl Log {
    pub fn head(&self) -> Seq {
        Seq::try_from(self.events.len()).unwrap_or(Seq::MAX)
    }

    pub fn at(&self, seq: Seq) -> Option<Message> {
        let present = seq > self.gone;
        self.events.get(usize::from(seq).checked_sub(1)?).copied().filter(|_| present)
    }

    /// Stored, unless the window has it. Returns the seq if it is a new event.
    pub fn store(&mut self, message: Message) -> Option<Seq> {
        if !self.window.insert(message) {
            return None;
        }
        self.events.push(message);
        self.partition_head += 1;
        Some(self.head())
    }
}
