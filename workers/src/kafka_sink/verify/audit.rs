//! The records of one partition, one after the other. Pure.

use std::{collections::HashSet, fmt};

use natter_nats::log::Extent;
use natter_schemas::{cloudevent::Record, id::Seq};

use crate::{capped_list::CappedList, kafka_sink::reader::KafkaRecord};

#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Fault {
    /// Kafka does not have these, and has what comes after them.
    Hole { from: Seq, to: Seq },
    /// The log has these, and Kafka ends before them.
    Behind { from: Seq, to: Seq },
    /// A seq that was there already, or a higher one.
    Repeat { seq: Seq, offset: i64 },
    /// The record is not what the log's event becomes; in what it differs.
    Changed { seq: Seq, offset: i64, what: String },
    /// Kafka has an event that the log never had.
    Beyond { seq: Seq, offset: i64 },
    /// A record of an epoch that was over.
    Stale { offset: i64 },
    /// No mirror wrote this.
    Foreign { offset: i64 },
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Hole { from, to } if from == to => write!(f, "seq {from} is missing"),
            Self::Hole { from, to } => write!(f, "seqs {from} to {to} are missing"),
            Self::Behind { from, to } if from == to => write!(f, "seq {from} is not there yet"),
            Self::Behind { from, to } => write!(f, "seqs {from} to {to} are not there yet"),
            Self::Repeat { seq, offset } => write!(f, "offset {offset} repeats seq {seq}"),
            Self::Changed { seq, offset, what } => {
                write!(f, "offset {offset}, seq {seq}: the {what} is not what the log's event makes")
            }
            Self::Beyond { seq, offset } => {
                write!(f, "offset {offset} has seq {seq}, which the log never had")
            }
            Self::Stale { offset } => write!(f, "offset {offset} is of an epoch that was over"),
            Self::Foreign { offset } => write!(f, "offset {offset} was not written by a mirror"),
        }
    }
}

pub struct Audit {
    epoch: String,
    log: Extent,
    /// The epoch of the last record, and its highest seq.
    at: Option<(String, Seq)>,
    over: HashSet<String>,
    /// Kafka has forgotten records before the first one.
    expired: bool,
    /// First and last seq of this epoch.
    range: Option<(Seq, Seq)>,
    records: u64,
    faults: CappedList<Fault>,
}

impl Audit {
    pub fn new(epoch: &str, log: Extent, shown: usize) -> Self {
        Self {
            epoch: epoch.to_owned(),
            log,
            at: None,
            over: HashSet::new(),
            expired: false,
            range: None,
            records: 0,
            faults: CappedList::of(shown),
        }
    }

    /// The first offset that Kafka still has.
    pub const fn begin(&mut self, first: i64) {
        self.expired = first > 0;
    }

    /// Gives the seq back if it can be compared with the log.
    pub fn see(&mut self, found: &KafkaRecord) -> Option<Seq> {
        self.records += 1;
        let offset = found.offset;
        let Some((epoch, seq)) = found.position() else {
            self.faults.push(Fault::Foreign { offset });
            return None;
        };
        if self.over.contains(epoch) {
            self.faults.push(Fault::Stale { offset });
            return None;
        }
        let current = epoch == self.epoch;
        match &mut self.at {
            Some((at, last)) if at == epoch => {
                if seq <= *last {
                    self.faults.push(Fault::Repeat { seq, offset });
                    return None;
                }
                if seq > *last + 1 {
                    self.faults.push(Fault::Hole { from: *last + 1, to: seq - 1 });
                }
                *last = seq;
            }
            at => {
                let before = at.replace((epoch.to_owned(), seq));
                // With a record of another epoch before it, this is where the epoch began.
                let is_beginning = before.is_some() || !self.expired;
                self.over.extend(before.map(|(epoch, _)| epoch));
                if current && is_beginning && seq > self.log.first {
                    self.faults.push(Fault::Hole { from: self.log.first, to: seq - 1 });
                }
            }
        }
        if !current {
            return None;
        }
        self.range = Some((self.range.map_or(seq, |(first, _)| first), seq));
        // Events posted while this runs lie above the log's end of the start.
        Some(seq)
    }

    pub fn changed(&mut self, seq: Seq, offset: i64, what: String) {
        self.faults.push(Fault::Changed { seq, offset, what });
    }

    pub fn beyond(&mut self, seq: Seq, offset: i64) {
        self.faults.push(Fault::Beyond { seq, offset });
    }

    pub fn reached(&self, seq: Seq) -> bool {
        self.log.last < self.log.first || self.range.is_some_and(|(_, last)| last >= seq)
    }

    /// `floor`: what the log knows Kafka to have had.
    pub fn end(mut self, floor: Seq) -> (u64, Option<(Seq, Seq)>, bool, CappedList<Fault>) {
        let last = match self.range {
            Some((_, last)) => last,
            // Everything has been forgotten since.
            None if self.expired => floor,
            None => self.log.first - 1,
        };
        if last < self.log.last {
            let from = self.log.first.max(last + 1);
            self.faults.push(Fault::Behind { from, to: self.log.last });
        }
        (self.records, self.range, self.expired, self.faults)
    }
}

/// In what a record differs from what it should be.
pub fn difference(found: &KafkaRecord, expected: &Record) -> Option<String> {
    if found.key.as_deref() != expected.key.as_ref().map(String::as_bytes) {
        return Some("key".to_owned());
    }
    if found.value.as_deref() != Some(&expected.value) {
        return Some("value".to_owned());
    }
    let mut named: Vec<&str> = expected.headers.iter().map(|(name, _)| *name).collect();
    named.extend(found.headers.iter().map(|(name, _)| name.as_str()));
    let values = |name: &str| {
        let found = found.headers.iter().filter(move |(header, _)| header == name);
        let expected = expected.headers.iter().filter(move |(header, _)| *header == name);
        let found: Vec<_> = found.map(|(_, value)| value.as_slice()).collect();
        let expected: Vec<_> = expected.map(|(_, value)| value.as_bytes()).collect();
        (found, expected)
    };
    named
        .into_iter()
        .find(|name| {
            let (found, expected) = values(name);
            found != expected
        })
        .map(|name| format!("header {name}"))
}

#[cfg(test)]
mod tests {
    use natter_schemas::{
        cloudevent::{self, Position},
        id::Partition,
    };

    use super::*;

    fn expected(epoch: &str, seq: Seq) -> Record {
        cloudevent::unreadable(Position { partition: Partition(0), seq, epoch }, None)
    }

    fn record(offset: i64, epoch: &str, seq: Seq) -> KafkaRecord {
        let Record { key, headers, value, .. } = expected(epoch, seq);
        let headers = headers.into_iter().map(|(name, value)| (name.to_owned(), value.into_bytes()));
        KafkaRecord {
            offset,
            key: key.map(String::into_bytes),
            headers: headers.collect(),
            value: Some(value),
        }
    }

    /// Records as (epoch, seq) from offset `first` on, against a log of seqs `log`.
    fn faults(first: i64, records: &[(&str, Seq)], log: (Seq, Seq), floor: Seq) -> Vec<Fault> {
        let mut audit = Audit::new("now", Extent { first: log.0, last: log.1 }, 100);
        audit.begin(first);
        for (offset, (epoch, seq)) in (first..).zip(records) {
            audit.see(&record(offset, epoch, *seq));
        }
        audit.end(floor).3.first
    }

    const fn now(seq: Seq) -> (&'static str, Seq) {
        ("now", seq)
    }

    #[test]
    fn a_whole_chain_has_no_faults() {
        assert_eq!(faults(0, &[now(1), now(2), now(3)], (1, 3), 3), []);
        assert_eq!(faults(0, &[now(1), now(2), now(3)], (3, 3), 3), [], "the log forgot its beginning");
        assert_eq!(faults(7, &[now(8), now(9)], (1, 9), 9), [], "kafka forgot its beginning");
        assert_eq!(faults(0, &[("old", 4), ("old", 5), now(3), now(4)], (3, 4), 4), [], "a new epoch");
        assert_eq!(faults(0, &[], (1, 0), 0), [], "the log is empty");
        assert_eq!(faults(9, &[], (1, 5), 5), [], "kafka forgot everything");
    }

    #[test]
    fn every_kind_of_fault_is_named() {
        use Fault::{Behind, Hole, Repeat, Stale};
        assert_eq!(faults(0, &[now(1), now(4)], (1, 4), 4), [Hole { from: 2, to: 3 }]);
        assert_eq!(faults(0, &[now(3)], (1, 3), 3), [Hole { from: 1, to: 2 }]);
        assert_eq!(
            faults(0, &[("old", 9), now(3)], (2, 3), 3),
            [Hole { from: 2, to: 2 }],
            "the beginning of a new epoch"
        );
        assert_eq!(faults(0, &[now(1), now(2), now(1), now(3)], (1, 3), 3), [Repeat { seq: 1, offset: 2 }]);
        assert_eq!(faults(0, &[now(1)], (1, 3), 1), [Behind { from: 2, to: 3 }]);
        assert_eq!(faults(0, &[], (4, 6), 0), [Behind { from: 4, to: 6 }]);
        assert_eq!(faults(9, &[], (1, 6), 5), [Behind { from: 6, to: 6 }]);
        assert_eq!(faults(0, &[("old", 1), now(1), ("old", 2)], (1, 1), 1), [Stale { offset: 2 }]);
    }

    #[test]
    fn what_no_mirror_wrote_is_named() {
        let mut audit = Audit::new("now", Extent { first: 1, last: 0 }, 100);
        audit.see(&KafkaRecord { headers: Vec::new(), ..record(0, "now", 1) });
        assert_eq!(audit.end(0).3.first, [Fault::Foreign { offset: 0 }]);
    }

    #[test]
    fn a_difference_is_named() {
        let good = record(0, "now", 1);
        assert_eq!(difference(&good, &expected("now", 1)), None);
        let value = KafkaRecord { value: Some(b"{}".to_vec()), ..good.clone() };
        assert_eq!(difference(&value, &expected("now", 1)).as_deref(), Some("value"));
        let key = KafkaRecord { key: Some(b"x".to_vec()), ..good.clone() };
        assert_eq!(difference(&key, &expected("now", 1)).as_deref(), Some("key"));
        let mut header = good.clone();
        header.headers[0].1 = b"2.0".to_vec();
        assert_eq!(difference(&header, &expected("now", 1)).as_deref(), Some("header ce_specversion"));
        let mut more = good;
        more.headers.push(("more".to_owned(), Vec::new()));
        assert_eq!(difference(&more, &expected("now", 1)).as_deref(), Some("header more"));
    }
}
