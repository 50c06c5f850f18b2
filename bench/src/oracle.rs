//! The oracle. It records what was sent, acked and delivered, later compares history, and reports every violation
//! of a guarantee.
//!
//! A room has one order. The first receiver of an event writes it into the room's log here; every other receiver is
//! compared with the log at its own position, so a delivery costs two comparisons and a receiver a few machine words.

use std::{collections::BTreeSet, collections::HashMap};

use natter_schemas::id::Seq;
use serde::Serialize;
use uuid::Uuid;

/// The number of a message within the run, from 0.
pub type Number = u32;

/// How much of a target's protocol can be checked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Guarantee {
    /// Every event carries its seq and the one before it: loss, doubles, disorder and gaps are seen.
    Chained,
    /// Events carry no seq: loss and doubles are seen, and disorder between two readers is counted.
    Counted,
}

/// What became of a message.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SendOutcome {
    Pending,
    /// May have been stored all the same, but it was not acknowledged.
    Rejected,
    Acked {
        seq: Seq,
        id: Option<Uuid>,
    },
}

/// A violated guarantee. `to` is a socket.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(tag = "violation", rename_all = "camelCase")]
pub enum Violation {
    NeverAnswered { number: Number },
    NeverShown { number: Number },
    NotDelivered { number: Number, to: u32 },
    ShownLess { to: u32, shown: usize, events: usize },
    DeliveredTwice { number: Number, to: u32, seq: Seq },
    NeverSent { number: Number, to: u32 },
    OutOfOrder { to: u32, seq: Seq, after: Seq },
    Gap { to: u32, position: Seq, prev: Seq, seq: Seq },
    DifferentEvent { to: u32, seq: Seq },
    OtherSeq { number: Number, acked: Seq, elsewhere: Seq },
    NotInHistory { number: Number },
    TwiceInHistory { number: Number },
    OnlyInHistory { seq: Seq },
    HistoryOutOfOrder { seq: Seq, after: Seq },
    OtherId { number: Number },
    Closed { socket: u32, why: String },
    NotTheProtocol { socket: u32, frame: String },
}

#[derive(Debug, Clone, Copy)]
pub struct Sent {
    pub room: u32,
    pub sender: u32,
    /// Microseconds from the generator's beginning.
    pub due: u64,
    pub outcome: SendOutcome,
    /// Sockets that have yet to be shown it.
    pub left: u32,
    /// Its place in the room's log here: a seq, or 1 and up where there are none.
    shown: Option<Seq>,
}

/// An event of a room, as a receiver was shown it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ReceivedEvent {
    pub seq: Seq,
    pub prev: Seq,
    /// `None`: an event that is no message of this run.
    pub number: Option<Number>,
}

#[derive(Debug, Clone, Copy)]
struct Event {
    seq: Seq,
    number: Option<Number>,
}

/// What one socket has been shown of one room.
#[derive(Debug)]
pub struct Receiver {
    pub socket: u32,
    pub room: u32,
    pub position: Seq,
    head: Seq,
    start: usize,
    /// Where in the log it is.
    at: usize,
    count: usize,
    /// Counted rooms only: positions that were skipped.
    missing: BTreeSet<usize>,
}

#[derive(Debug)]
pub struct Oracle {
    guarantee: Guarantee,
    rooms: Vec<Vec<Event>>,
    pub sends: Vec<Sent>,
    pub violations: Vec<Violation>,
    /// Counted rooms: how often one reader's order was not another's.
    pub reordered: u64,
}

impl Oracle {
    pub fn new(guarantee: Guarantee, rooms: usize) -> Self {
        let rooms = vec![Vec::new(); rooms];
        Self { guarantee, rooms, sends: Vec::new(), violations: Vec::new(), reordered: 0 }
    }

    /// A socket begins to listen; `head` is the room's newest seq.
    pub fn receiver(&self, socket: u32, room: u32, head: Seq) -> Receiver {
        let at = self.rooms[room as usize].len();
        Receiver { socket, room, position: head, head, start: at, at, count: 0, missing: BTreeSet::new() }
    }

    pub fn sent(&mut self, room: u32, sender: u32, due: u64, left: u32) -> Number {
        self.sends.push(Sent { room, sender, due, outcome: SendOutcome::Pending, left, shown: None });
        u32::try_from(self.sends.len() - 1).expect("a run has fewer than 2^32 messages")
    }

    /// The first answer counts; `None` for a message that was not sent or that has its answer.
    pub fn answered(&mut self, number: Number, outcome: SendOutcome) -> Option<&mut Sent> {
        let sent = self.sends.get_mut(number as usize)?;
        (sent.outcome == SendOutcome::Pending).then(|| {
            sent.outcome = outcome;
            sent
        })
    }

    /// Whether this socket is shown it for the first time.
    pub fn shown(&mut self, receiver: &mut Receiver, shown: ReceivedEvent) -> bool {
        if let Some(number) = shown.number
            && self.sends.get(number as usize).is_none_or(|sent| sent.room != receiver.room)
        {
            self.violations.push(Violation::NeverSent { number, to: receiver.socket });
            return false;
        }
        match self.guarantee {
            Guarantee::Chained => self.chained(receiver, shown),
            Guarantee::Counted => shown.number.is_some_and(|number| self.counted(receiver, number)),
        }
    }

    /// Moves this receiver to `head` without the events before it. Returns how many messages it will therefore
    /// never be shown.
    pub fn skip_to(&mut self, receiver: &mut Receiver, head: Seq) -> u64 {
        let log = &self.rooms[receiver.room as usize];
        let (from, to) = (receiver.position, head);
        let skipped = log.iter().filter(|event| event.seq > from && event.seq <= to);
        let mut skipped_count = 0;
        for number in skipped.filter_map(|event| event.number) {
            let left = &mut self.sends[number as usize].left;
            skipped_count += u64::from(*left > 0);
            *left = left.saturating_sub(1);
        }
        (receiver.position, receiver.head, receiver.count) = (head, head, 0);
        receiver.at = log.partition_point(|event| event.seq <= head);
        skipped_count
    }

    fn chained(&mut self, receiver: &mut Receiver, shown: ReceivedEvent) -> bool {
        let ReceivedEvent { seq, prev, number } = shown;
        let log = &mut self.rooms[receiver.room as usize];
        if seq > receiver.position && prev == receiver.position {
            let as_known = log.get(receiver.at).map(|event| event.seq == seq && event.number == number);
            let place = number.and_then(|number| self.sends[number as usize].shown);
            if as_known == Some(true) || (as_known.is_none() && place.is_none()) {
                if as_known.is_none() {
                    log.push(Event { seq, number });
                    number.inspect(|number| self.sends[*number as usize].shown = Some(seq));
                }
                receiver.advance(receiver.at, seq);
                return true;
            }
        }
        self.unexpected(receiver, shown)
    }

    /// Not the next event of the chain, or not what other receivers were shown.
    fn unexpected(
        &mut self,
        receiver: &mut Receiver,
        ReceivedEvent { seq, prev, number }: ReceivedEvent,
    ) -> bool {
        let to = receiver.socket;
        if let Some(number) = number {
            let place = &mut self.sends[number as usize].shown;
            if place.is_some_and(|at| at != seq || seq <= receiver.position) {
                self.violations.push(Violation::DeliveredTwice { number, to, seq });
                return false;
            }
            *place = Some(seq);
        }
        if seq <= receiver.position {
            self.violations.push(Violation::OutOfOrder { to, seq, after: receiver.position });
            return false;
        }
        let log = &mut self.rooms[receiver.room as usize];
        let at = log.partition_point(|event| event.seq < seq);
        let next = log.partition_point(|event| event.seq <= receiver.position);
        if prev != receiver.position || at > next {
            self.violations.push(Violation::Gap { to, position: receiver.position, prev, seq });
        }
        match log.get(at) {
            Some(event) if event.seq == seq && event.number != number => {
                self.violations.push(Violation::DifferentEvent { to, seq });
            }
            Some(event) if event.seq == seq => {}
            _ => log.insert(at, Event { seq, number }),
        }
        receiver.advance(at, seq);
        true
    }

    fn counted(&mut self, receiver: &mut Receiver, number: Number) -> bool {
        let log = &mut self.rooms[receiver.room as usize];
        let place = &mut self.sends[number as usize].shown;
        let at = match *place {
            Some(seq) => usize::try_from(seq).unwrap_or(usize::MAX) - 1,
            None => {
                log.push(Event { seq: 0, number: Some(number) });
                *place = Seq::try_from(log.len()).ok();
                log.len() - 1
            }
        };
        if at < receiver.at && !receiver.missing.remove(&at) {
            self.violations.push(Violation::DeliveredTwice { number, to: receiver.socket, seq: 0 });
            return false;
        }
        if at != receiver.at {
            self.reordered += 1;
            receiver.missing.extend(receiver.at..at);
        }
        receiver.count += 1;
        receiver.at = receiver.at.max(at + 1);
        true
    }

    /// After the last delivery: every acked message was delivered to every receiver, under its seq.
    pub fn finish<'a>(&mut self, receivers: impl Iterator<Item = &'a Receiver>) {
        for (number, sent) in (0..).zip(&self.sends) {
            match (sent.outcome, sent.shown) {
                (SendOutcome::Pending, _) => self.violations.push(Violation::NeverAnswered { number }),
                (SendOutcome::Acked { .. }, None) if sent.left > 0 => {
                    self.violations.push(Violation::NeverShown { number });
                }
                (SendOutcome::Acked { seq, .. }, Some(elsewhere))
                    if self.guarantee == Guarantee::Chained && seq != elsewhere =>
                {
                    self.violations.push(Violation::OtherSeq { number, acked: seq, elsewhere });
                }
                _ => {}
            }
        }
        for receiver in receivers {
            self.unseen(receiver);
        }
    }

    pub fn has_seen_all(&self, receiver: &Receiver) -> bool {
        let acked = |sent: &Sent| match sent.outcome {
            SendOutcome::Acked { seq, .. } if sent.room == receiver.room => Some(seq),
            _ => None,
        };
        self.sends.iter().filter_map(acked).all(|seq| seq <= receiver.position)
    }

    fn unseen(&mut self, receiver: &Receiver) {
        let log = &self.rooms[receiver.room as usize];
        let to = receiver.socket;
        // Others may have been shown what lies between, so positions are looked up again.
        let place = |seq: Seq| log.partition_point(|event| event.seq <= seq);
        let (start, at) = match self.guarantee {
            Guarantee::Chained => (place(receiver.head), place(receiver.position)),
            Guarantee::Counted => (receiver.start, receiver.at),
        };
        let missing = receiver.missing.iter().copied();
        let unseen: Vec<Number> = missing.chain(at..log.len()).filter_map(|at| log.get(at)?.number).collect();
        let events = log.len() - start;
        if unseen.is_empty() && receiver.count != events {
            self.violations.push(Violation::ShownLess { to, shown: receiver.count, events });
        }
        self.violations.extend(unseen.into_iter().map(|number| Violation::NotDelivered { number, to }));
    }

    /// History of a room, read after the run from where it began: what was acked and nothing else, once, in
    /// order.
    pub fn history(&self, room: u32, rows: &[HistoryRow]) -> Vec<Violation> {
        let (mut violations, mut by_number) = (Vec::new(), HashMap::new());
        for pair in rows.windows(2) {
            if let [HistoryRow { seq: Some(after), .. }, HistoryRow { seq: Some(seq), .. }] = *pair
                && seq <= after
            {
                violations.push(Violation::HistoryOutOfOrder { seq, after });
            }
        }
        let ours = |number: &Number| self.sends.get(*number as usize).is_some_and(|sent| sent.room == room);
        for row in rows {
            match row.number.filter(ours) {
                None => violations.push(Violation::OnlyInHistory { seq: row.seq.unwrap_or(0) }),
                Some(number) if by_number.insert(number, *row).is_some() => {
                    violations.push(Violation::TwiceInHistory { number });
                }
                Some(_) => {}
            }
        }
        for (number, sent) in (0..).zip(&self.sends).filter(|(_, sent)| sent.room == room) {
            let SendOutcome::Acked { seq, id } = sent.outcome else { continue };
            match by_number.get(&number) {
                None => violations.push(Violation::NotInHistory { number }),
                Some(HistoryRow { seq: Some(at), .. }) if *at != seq => {
                    violations.push(Violation::OtherSeq { number, acked: seq, elsewhere: *at });
                }
                Some(row) if id.is_some_and(|id| id != row.id) => {
                    violations.push(Violation::OtherId { number });
                }
                Some(_) => {}
            }
        }
        violations
    }
}

impl Receiver {
    fn advance(&mut self, at: usize, seq: Seq) {
        self.at = at + 1;
        self.position = seq;
        self.count += 1;
    }
}

/// One row of history.
#[derive(Debug, Clone, Copy)]
pub struct HistoryRow {
    /// `None` where messages carry no seq.
    pub seq: Option<Seq>,
    pub id: Uuid,
    pub number: Option<Number>,
}

/// A message's number, padded to the size wanted.
pub fn content(number: Number, bytes: usize) -> String {
    let mut text = format!("n{number} ");
    let rest = bytes.saturating_sub(text.len());
    text.extend(std::iter::repeat_n("x", rest));
    text
}

pub fn number_in(content: &str) -> Option<Number> {
    content.strip_prefix('n')?.split(' ').next()?.parse().ok()
}

#[cfg(test)]
#[path = "oracle_tests.rs"]
mod tests;
