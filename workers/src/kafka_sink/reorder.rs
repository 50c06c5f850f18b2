//! What comes next, and what may be acked. Pure: deliveries and events read from the log go in, in any order and
//! any number of times; events come out in the order of the log, each once.

use std::{
    collections::{BTreeMap, VecDeque},
    ops::RangeInclusive,
};

use natter_schemas::id::Seq;

use crate::consume::Delivery;

/// `A` acks a delivery and with it all before it.
pub struct Reorderer<A> {
    next: Seq,
    /// Everything up to here is in Kafka.
    mirrored: Seq,
    delivered: BTreeMap<Seq, Delivery>,
    /// Read from the log, ascending.
    read: VecDeque<Delivery>,
    acks: BTreeMap<Seq, A>,
}

#[derive(Debug, PartialEq, Eq)]
pub enum Step {
    Write(Delivery),
    /// The log has to be read from here on.
    ReadLog(Seq),
    /// The log no longer has these, and Kafka does not have them yet.
    Lost(RangeInclusive<Seq>),
    Wait,
}

impl<A> Reorderer<A> {
    pub const fn new() -> Self {
        Self {
            next: 1,
            mirrored: 0,
            delivered: BTreeMap::new(),
            read: VecDeque::new(),
            acks: BTreeMap::new(),
        }
    }

    /// Everything before `next` is in Kafka. Gives back what acks the deliveries of it.
    pub fn begin(&mut self, next: Seq) -> Option<A> {
        self.next = next;
        self.confirm(next - 1)
    }

    /// Gives the ack back if the event is in Kafka already.
    pub fn deliver(&mut self, event: Delivery, ack: A) -> Option<A> {
        if event.seq <= self.mirrored {
            return Some(ack);
        }
        // The newest delivery of an event: the server knows that one best.
        self.acks.insert(event.seq, ack);
        if event.seq >= self.next {
            self.delivered.insert(event.seq, event);
        }
        None
    }

    /// What the log answered to [`Step::ReadLog`]: all it has from there on, or the first part of it.
    pub fn read(&mut self, events: Vec<Delivery>) {
        if let (true, Some((first, _))) = (events.is_empty(), self.delivered.first_key_value()) {
            // It ends before an event it delivered: it has forgotten that one too by now.
            self.read.extend(self.delivered.get(first).cloned());
        }
        self.read.extend(events);
    }

    pub fn step(&mut self) -> Step {
        while self.read.front().is_some_and(|event| event.seq < self.next) {
            self.read.pop_front();
        }
        self.delivered = self.delivered.split_off(&self.next);
        let event = match self.read.front() {
            Some(event) if event.seq == self.next => self.read.pop_front(),
            _ => self.delivered.remove(&self.next),
        };
        if let Some(event) = event {
            self.next += 1;
            return Step::Write(event);
        }
        match (self.read.front(), self.delivered.is_empty()) {
            (Some(event), _) => {
                let lost = self.next..=event.seq - 1;
                self.next = event.seq;
                Step::Lost(lost)
            }
            (None, false) => Step::ReadLog(self.next),
            (None, true) => Step::Wait,
        }
    }

    /// Everything up to `seq` is in Kafka. Gives back what acks the deliveries of it.
    pub fn confirm(&mut self, seq: Seq) -> Option<A> {
        self.mirrored = self.mirrored.max(seq);
        let later = self.acks.split_off(&(self.mirrored + 1));
        std::mem::replace(&mut self.acks, later).pop_last().map(|(_, ack)| ack)
    }

    /// What was delivered and is not acked.
    pub fn unacked(self) -> Vec<A> {
        self.acks.into_values().collect()
    }
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;
    use proptest::prelude::*;

    use super::*;

    fn event(seq: Seq) -> Delivery {
        Delivery { subject: String::new(), seq, payload: Bytes::new(), proof: None, origin: None }
    }

    fn events(seqs: impl IntoIterator<Item = Seq>) -> Vec<Delivery> {
        seqs.into_iter().map(event).collect()
    }

    fn reorderer(next: Seq) -> Reorderer<Seq> {
        let mut reorderer = Reorderer::new();
        reorderer.begin(next);
        reorderer
    }

    /// Steps until something is missing.
    fn handed(reorderer: &mut Reorderer<Seq>) -> (Vec<Seq>, Step) {
        let mut seqs = Vec::new();
        loop {
            match reorderer.step() {
                Step::Write(event) => seqs.push(event.seq),
                other => return (seqs, other),
            }
        }
    }

    #[test]
    fn deliveries_come_out_in_order_and_once() {
        let mut reorderer = reorderer(1);
        for seq in [2, 1, 3, 2] {
            assert_eq!(reorderer.deliver(event(seq), seq), None);
        }
        assert_eq!(handed(&mut reorderer), (vec![1, 2, 3], Step::Wait));
        assert_eq!(reorderer.deliver(event(2), 2), None, "handed over, but not in Kafka");
        assert_eq!(handed(&mut reorderer), (vec![], Step::Wait));
    }

    #[test]
    fn a_gap_is_read_from_the_log() {
        let mut reorderer = reorderer(1);
        reorderer.deliver(event(4), 4);
        assert_eq!(handed(&mut reorderer), (vec![], Step::ReadLog(1)));
        reorderer.read(events([1, 2]));
        assert_eq!(handed(&mut reorderer), (vec![1, 2], Step::ReadLog(3)));
        reorderer.read(events([3, 4, 5]));
        assert_eq!(handed(&mut reorderer), (vec![3, 4, 5], Step::Wait));
        assert_eq!(reorderer.deliver(event(5), 5), None);
        assert_eq!(handed(&mut reorderer), (vec![], Step::Wait));
    }

    #[test]
    fn what_the_log_no_longer_has_is_lost_and_said() {
        let mut reorderer = reorderer(3);
        reorderer.deliver(event(9), 9);
        assert_eq!(reorderer.step(), Step::ReadLog(3));
        reorderer.read(events([7, 8, 9]));
        assert_eq!(handed(&mut reorderer), (vec![], Step::Lost(3..=6)));
        assert_eq!(handed(&mut reorderer), (vec![7, 8, 9], Step::Wait));
        reorderer.deliver(event(12), 12);
        assert_eq!(reorderer.step(), Step::ReadLog(10));
        reorderer.read(Vec::new());
        assert_eq!(handed(&mut reorderer), (vec![], Step::Lost(10..=11)));
        assert_eq!(handed(&mut reorderer), (vec![12], Step::Wait));
    }

    #[test]
    fn an_ack_is_given_back_when_kafka_has_the_event_and_all_before_it() {
        let mut reorderer = reorderer(1);
        for seq in [1, 2, 5] {
            reorderer.deliver(event(seq), seq);
        }
        assert_eq!(reorderer.confirm(1), Some(1));
        assert_eq!(reorderer.confirm(1), None);
        assert_eq!(reorderer.confirm(4), Some(2));
        assert_eq!(reorderer.deliver(event(3), 3), Some(3), "a late repeat is acked at once");
        assert_eq!(reorderer.unacked(), [5]);
    }

    #[test]
    fn a_take_over_acks_what_the_one_before_had_mirrored() {
        let mut reorderer = Reorderer::new();
        for seq in [3, 4, 7] {
            reorderer.deliver(event(seq), seq);
        }
        assert_eq!(reorderer.begin(5), Some(4));
        assert_eq!(handed(&mut reorderer), (vec![], Step::ReadLog(5)));
    }

    proptest! {
        #[test]
        fn any_order_of_deliveries_and_reads_gives_the_log(
            deliveries in proptest::collection::vec(1..40_u64, 1..80),
            portion in 1..7_usize,
        ) {
            let mut reorderer = reorderer(1);
            let mut out = Vec::new();
            for seq in deliveries {
                reorderer.deliver(event(seq), seq);
                loop {
                    match reorderer.step() {
                        Step::Write(event) => out.push(event.seq),
                        Step::ReadLog(from) => reorderer.read(events((from..40).take(portion))),
                        Step::Wait => break,
                        Step::Lost(lost) => prop_assert!(false, "lost {lost:?}"),
                    }
                }
            }
            let highest = out.last().copied().unwrap_or(0);
            prop_assert_eq!(out, (1..=highest).collect::<Vec<_>>());
        }
    }
}
