//! Which guarantees of docs/protocol.md a log contradicts. Each rule reads the whole log for itself, so that a rule can
//! be read alone.

mod known; // what the log as a whole knows of every message
mod writes; // what was acked is kept, once
mod order; // one order for devices, history and Kafka
mod chains; // no gap that was not announced
mod states; // unread, presence
pub mod receipts; // how far others have read
mod access; // nothing after a removal, a block, a deletion

use serde::Serialize;

use crate::log::{Line, Record, Seq};
use known::Known;

/// How long after an answer what was on its way may still arrive (guarantee 7).
const ACCESS_ENDS: u64 = 2_000_000;
/// Guarantee 8: a dead client is offline within a minute, and one that is there is never offline longer than from one
/// heartbeat to the next.
const OFFLINE_WITHIN: u64 = 60_000_000;
const ONLINE_WITHIN: u64 = 25_000_000;
/// More than that is shown as that.
const MOST_UNREAD: u64 = 100;

/// A guarantee that was broken, and where.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(tag = "violation", rename_all = "camelCase", rename_all_fields = "camelCase")]
pub enum Violation {
    /// An ack, and a page asked for afterwards whose range it is in does not have it.
    Lost {
        room: String,
        client_id: String,
        seq: Seq,
    },
    /// An ack that no page covers: the log proves nothing about it.
    NeverRead {
        room: String,
        client_id: String,
        seq: Seq,
    },
    /// One message at several seqs.
    Doubled {
        room: String,
        client_id: String,
        seqs: Vec<Seq>,
    },
    /// One id for several events.
    IdTwice {
        id: String,
        seqs: Vec<Seq>,
    },
    /// It was refused and is there all the same.
    StoredThoughRefused {
        room: String,
        client_id: String,
        code: String,
    },
    /// Two acks of one message differ, or the ack and what is stored.
    OtherAck {
        client_id: String,
        acked: Seq,
        elsewhere: Seq,
    },
    /// No one sent it.
    NeverSent {
        room: String,
        client_id: String,
    },
    /// Two saw different events at one seq.
    OtherEvent {
        room: String,
        seq: Seq,
        ids: [String; 2],
        place: String,
    },
    /// Not above what came before it.
    OutOfOrder {
        place: String,
        room: String,
        seq: Seq,
        after: Seq,
    },
    /// The event follows another than the one the device has.
    Gap {
        device: String,
        room: String,
        position: Seq,
        prev: Seq,
        seq: Seq,
    },
    /// The event claims to follow `prev`, and a message that others were shown lies between.
    Skipped {
        device: String,
        room: String,
        skipped: Seq,
        seq: Seq,
    },
    /// A device was never shown an event of its chain, though it had the time.
    NotDelivered {
        device: String,
        room: String,
        position: Seq,
        head: Seq,
    },
    KafkaHole {
        partition: u32,
        after: Seq,
        seq: Seq,
    },
    NotInKafka {
        room: String,
        client_id: String,
        seq: Seq,
    },
    /// A device that was connected since before someone read up to `seq`.
    ReceiptNotShown {
        device: String,
        room: String,
        reader: String,
        shown: Seq,
        seq: Seq,
    },
    UnreadWrong {
        user: String,
        room: String,
        shown: u64,
        truth: u64,
    },
    StillOnline {
        user: String,
        offline_for: u64,
    },
    StillOffline {
        user: String,
        online_for: u64,
    },
    ShownAfterRemoval {
        user: String,
        room: String,
        seq: Seq,
    },
    SentThoughBlocked {
        user: String,
        room: String,
        client_id: String,
    },
    ShownThoughDeleted {
        place: String,
        room: String,
        seq: Seq,
    },
}

/// What a log proves.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Verdict {
    /// Messages that were tried.
    pub messages: usize,
    pub acked: usize,
    /// Events on sockets.
    pub live: usize,
    pub pages: usize,
    pub kafka: usize,
    /// `resume:gap`: announced, so no violation.
    pub announced_gaps: usize,
    pub violations: Vec<Violation>,
}

impl Verdict {
    pub fn holds(&self) -> bool {
        self.violations.is_empty()
    }

    /// How many violations are of these kinds.
    pub fn count(&self, is: impl Fn(&Violation) -> bool) -> usize {
        self.violations.iter().filter(|violation| is(violation)).count()
    }
}

/// Judges a log.
pub fn judge(log: &[Line]) -> Verdict {
    let known = Known::of(log);
    let mut violations = Vec::new();
    for rule in [writes::judge, order::judge, chains::judge, states::judge, receipts::judge, access::judge] {
        violations.extend(rule(log, &known));
    }
    let count = |is: fn(&Record) -> bool| log.iter().filter(|line| is(&line.record)).count();
    Verdict {
        messages: known.sends.len(),
        acked: known.sends.values().filter(|sent| !sent.acks.is_empty()).count(),
        live: count(|record| matches!(record, Record::Live { .. })),
        pages: count(|record| matches!(record, Record::Page { .. })),
        kafka: count(|record| matches!(record, Record::Kafka { .. })),
        announced_gaps: count(|record| matches!(record, Record::Gap { .. })),
        violations,
    }
}
