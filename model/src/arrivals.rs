//! What an edge knows of a partition: whether something of it, in whichever conversation, did not arrive.

use crate::{Delivery, Planted, Seq};

#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct Arrivals {
    /// Everything up to here has reached its room, live or by a comparison.
    pub complete: Seq,
    /// The first and the last of the newest events without one missing between them, if something is missing before.
    pub after_gap: Option<(Seq, Seq)>,
    /// The rooms are being compared with their heads, after which everything up to here is complete.
    pub comparing: Option<Seq>,
}

impl Arrivals {
    /// A live event.
    pub fn receive(&mut self, seq: Seq) {
        match &mut self.after_gap {
            _ if seq <= self.complete => {}
            None if seq == self.complete + 1 => self.complete = seq,
            Some((_, last)) if seq <= *last + 1 => *last = seq.max(*last),
            after_gap => {
                *after_gap = Some((seq, seq));
                self.comparing = self.comparing.or(Some(seq));
            }
        }
    }

    /// The log ends above what arrived here, or a comparison failed. One that the watch makes may fail without a trace: it makes
    /// another.
    pub fn is_behind(&self, head: Seq) -> bool {
        self.complete < head || self.after_gap.is_some()
    }

    /// The rooms were compared, up to `head` by the watch; what was lost meanwhile needs another comparison.
    pub fn compared(&mut self, head: Seq) {
        let up_to = self.comparing.take().unwrap_or(head);
        self.complete = self.complete.max(up_to);
        if let Some((first, last)) = self.after_gap {
            if first <= self.complete + 1 {
                self.complete = self.complete.max(last);
                self.after_gap = None;
            } else {
                self.comparing = Some(last);
            }
        }
    }

    /// There was no answer: the watch begins another.
    pub fn comparison_failed(&mut self, model: &Delivery) {
        self.comparing = None;
        if model.is(Planted::FailedComparisonCounts)
            && let Some((_, last)) = self.after_gap.take()
        {
            self.complete = last;
        }
    }
}
