//! What has arrived here of a partition, or of the stream of read marks. Its seqs rise by one, so a missing one was lost in
//! transit, in whichever room. Pure: a comparison with what is stored is asked for, not made.

use natter_schemas::id::Seq;

#[derive(Default)]
pub struct Arrivals {
    /// Everything up to here has reached its room, live or by a comparison.
    complete: Seq,
    /// The first and the last of the newest events without one missing between them, if something is missing before.
    after_gap: Option<(Seq, Seq)>,
    /// A comparison is being made: one at a time.
    comparing: bool,
}

/// Every room must be compared with its head, or the marks of a range be read: after what is at `up_to` was stored.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[must_use]
pub struct Comparison {
    /// 0 at first: nothing is known to be missing.
    pub after: Seq,
    pub up_to: Seq,
}

impl Arrivals {
    /// Whether it has reached its room. One that comes then was overtaken, or is of a log that was rolled back.
    pub const fn is_old(&self, seq: Seq) -> bool {
        seq <= self.complete
    }

    /// A live event.
    pub fn receive(&mut self, seq: Seq) -> Option<Comparison> {
        if self.is_old(seq) {
            return None;
        }
        match &mut self.after_gap {
            None if seq == self.complete + 1 => {
                self.complete = seq;
                return None;
            }
            Some((_, last)) if seq <= *last + 1 => {
                *last = seq.max(*last);
                return None;
            }
            after_gap => *after_gap = Some((seq, seq)),
        }
        // What was stored before this edge began is left to the watch.
        if self.complete > 0 { self.compare(seq) } else { None }
    }

    /// The log has ended at `head` or above for some time, by which its events arrive on a healthy connection; it ends at
    /// `now`. Also begins again a comparison that failed.
    pub fn head(&mut self, head: Seq, now: Seq) -> Option<Comparison> {
        let behind = self.complete < head || self.after_gap.is_some();
        let arrived = self.after_gap.map_or(0, |(_, last)| last);
        if behind { self.compare(now.max(arrived)) } else { None }
    }

    /// How a comparison ended; what was lost meanwhile needs another.
    pub fn compared(&mut self, made: Option<Comparison>) -> Option<Comparison> {
        self.comparing = false;
        self.complete = self.complete.max(made?.up_to);
        let (first, last) = self.after_gap?;
        if first <= self.complete + 1 {
            self.complete = self.complete.max(last);
            self.after_gap = None;
            return None;
        }
        self.compare(last)
    }

    fn compare(&mut self, up_to: Seq) -> Option<Comparison> {
        let began = std::mem::replace(&mut self.comparing, true);
        (!began).then_some(Comparison { after: self.complete, up_to })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn complete(seq: Seq) -> Arrivals {
        Arrivals { complete: seq, ..Arrivals::default() }
    }

    #[expect(clippy::unnecessary_wraps, reason = "as what it is compared with")]
    fn missing(after: Seq, up_to: Seq) -> Option<Comparison> {
        Some(Comparison { after, up_to })
    }

    #[test]
    fn events_in_a_row_need_no_comparison() {
        let mut arrivals = complete(4);
        assert_eq!([5, 6, 7, 6].map(|seq| arrivals.receive(seq)), [None; 4]);
        assert_eq!(arrivals.head(7, 9), None);
    }

    #[test]
    fn what_has_reached_its_room_is_old_and_what_may_be_missing_is_not() {
        let mut arrivals = complete(4);
        assert_eq!(arrivals.receive(6), missing(4, 6));
        assert_eq!([4, 5, 6].map(|seq| arrivals.is_old(seq)), [true, false, false]);
    }

    #[test]
    fn a_missing_event_is_looked_for_when_the_next_one_arrives() {
        let mut arrivals = complete(4);
        assert_eq!(arrivals.receive(6), missing(4, 6));
        assert_eq!(arrivals.receive(7), None, "it chains to the one before");
        assert_eq!(arrivals.compared(missing(4, 6)), None);
        assert_eq!(arrivals.receive(8), None);
        assert_eq!(arrivals.head(8, 8), None);
    }

    #[test]
    fn a_comparison_that_failed_is_made_again_by_the_watch() {
        let mut arrivals = complete(4);
        assert_eq!(arrivals.receive(6), missing(4, 6));
        assert_eq!(arrivals.compared(None), None);
        assert_eq!(arrivals.receive(7), None, "not for each event while there is no answer");
        assert_eq!(arrivals.head(0, 0), missing(4, 7), "heads of a moment ago may be lower");
        assert_eq!(arrivals.compared(missing(4, 7)), None);
        assert_eq!(arrivals.head(7, 7), None);
    }

    #[test]
    fn what_is_lost_during_a_comparison_needs_another() {
        let mut arrivals = complete(4);
        assert_eq!(arrivals.receive(6), missing(4, 6));
        assert_eq!(arrivals.receive(9), None, "one at a time");
        assert_eq!(arrivals.compared(missing(4, 6)), missing(6, 9));
        assert_eq!(arrivals.compared(missing(6, 9)), None);
        assert_eq!(arrivals.receive(10), None);
    }

    #[test]
    fn the_last_event_of_a_partition_is_missed_by_its_head() {
        let mut arrivals = complete(4);
        assert_eq!(arrivals.head(4, 5), None, "it may be in transit");
        assert_eq!(arrivals.head(5, 6), missing(4, 6));
        assert_eq!(arrivals.head(6, 7), None);
        assert_eq!(arrivals.compared(missing(4, 6)), None);
        assert_eq!(arrivals.head(6, 6), None);
    }

    #[test]
    fn rooms_are_compared_once_when_an_edge_begins() {
        let mut arrivals = Arrivals::default();
        assert_eq!(arrivals.receive(90), None);
        assert_eq!(arrivals.head(0, 91), missing(0, 91));
        assert_eq!(arrivals.compared(missing(0, 91)), None);
        assert_eq!(arrivals.head(91, 91), None);
    }
}
