//! Events the store refuses. One that it refuses again and again while it takes others is poison: without being
//! parked it would hold the floor of its partition for ever, and the log would forget it in the end. A store
//! that takes nothing is broken itself, and nothing is parked for that.

use std::collections::HashMap;

use natter_schemas::id::Seq;

/// With the loop's pauses about three seconds, when nothing else comes.
const TIMES: u32 = 5;

#[derive(Default)]
pub struct Rejections {
    /// By event: how often, and how many others had been taken when it began. At most as many as the server
    /// delivers without an ack.
    events: HashMap<Seq, (u32, u64)>,
    taken: u64,
}

impl Rejections {
    pub fn refused(&mut self, seq: Seq) {
        self.events.entry(seq).or_insert((0, self.taken)).0 += 1;
    }

    pub fn taken(&mut self, seq: Seq) {
        self.taken += 1;
        self.forget(seq);
    }

    pub fn forget(&mut self, seq: Seq) {
        self.events.remove(&seq);
    }

    pub fn is_poison(&self, seq: Seq) -> bool {
        self.events.get(&seq).is_some_and(|(times, taken)| *times >= TIMES && self.taken > *taken)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_event_refused_five_times_is_poison_once_another_is_taken() {
        let mut rejections = Rejections::default();
        rejections.taken(1);
        for _ in 0..TIMES {
            assert!(!rejections.is_poison(2));
            rejections.refused(2);
        }
        assert!(!rejections.is_poison(2), "perhaps the store takes nothing");
        rejections.taken(3);
        assert!(rejections.is_poison(2));
    }

    #[test]
    fn a_store_that_takes_nothing_makes_no_event_poison() {
        let mut rejections = Rejections::default();
        for seq in 1..=3 {
            for _ in 0..100 {
                rejections.refused(seq);
            }
        }
        assert!((1..=3).all(|seq| !rejections.is_poison(seq)));
    }

    #[test]
    fn an_event_taken_in_the_end_begins_again() {
        let mut rejections = Rejections::default();
        for _ in 1..TIMES {
            rejections.refused(2);
        }
        rejections.taken(2);
        rejections.refused(2);
        rejections.taken(3);
        assert!(!rejections.is_poison(2));
    }
}
