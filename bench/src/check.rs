//! The oracle. It is told what was sent, answered and shown, and later what history holds, and names every
//! broken promise.
//!
//! A room has one order. Whoever is shown an event first writes it into the room's log here; everybody else is
//! compared with the log at one place, so a delivery costs two comparisons and a witness is a few words long.

use std::{collections::BTreeSet, collections::HashMap};

use natter_schemas::id::Seq;
use serde::Serialize;
use uuid::Uuid;

/// A message as the bench knows it: the how many-eth of the run.
pub type Number = u32;

/// How far a protocol lets itself be checked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Promise {
    /// Every event tells its place and the place before it: loss, doubles, disorder and gaps are seen.
    Chained,
    /// Events have no place: loss and doubles are seen, and disorder between two readers is counted.
    Counted,
}

/// What became of a message.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fate {
    Waiting,
    /// May have been stored all the same, but nobody was promised anything.
    Refused,
    Acked {
        seq: Seq,
        id: Option<Uuid>,
    },
}

/// A broken promise. `to` is a socket.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(tag = "fault", rename_all = "camelCase")]
pub enum Fault {
    NeverAnswered { number: Number },
    NeverShown { number: Number },
    NotDelivered { number: Number, to: u32 },
    ShownLess { to: u32, shown: usize, events: usize },
    DeliveredTwice { number: Number, to: u32, seq: Seq },
    NobodySent { number: Number, to: u32 },
    OutOfOrder { to: u32, seq: Seq, after: Seq },
    Gap { to: u32, held: Seq, prev: Seq, seq: Seq },
    OtherThere { to: u32, seq: Seq },
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
    pub fate: Fate,
    /// Sockets that have yet to be shown it.
    pub left: u32,
    /// Its place in the room's log here: a seq, or 1 and up where there are none.
    shown: Option<Seq>,
}

/// A stretch of the room, as it was shown.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Shown {
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
pub struct Witness {
    pub socket: u32,
    pub room: u32,
    pub position: Seq,
    head: Seq,
    start: usize,
    /// Where in the log it is.
    at: usize,
    count: usize,
    /// Counted rooms only: places that were passed over.
    missing: BTreeSet<usize>,
}

#[derive(Debug)]
pub struct Oracle {
    promise: Promise,
    rooms: Vec<Vec<Event>>,
    pub sends: Vec<Sent>,
    pub faults: Vec<Fault>,
    /// Counted rooms: how often one reader's order was not another's.
    pub reordered: u64,
}

impl Oracle {
    pub fn new(promise: Promise, rooms: usize) -> Self {
        let rooms = vec![Vec::new(); rooms];
        Self { promise, rooms, sends: Vec::new(), faults: Vec::new(), reordered: 0 }
    }

    /// A socket begins to listen; `head` is the room's newest seq.
    pub fn witness(&self, socket: u32, room: u32, head: Seq) -> Witness {
        let at = self.rooms[room as usize].len();
        Witness { socket, room, position: head, head, start: at, at, count: 0, missing: BTreeSet::new() }
    }

    pub fn sent(&mut self, room: u32, sender: u32, due: u64, left: u32) -> Number {
        self.sends.push(Sent { room, sender, due, fate: Fate::Waiting, left, shown: None });
        u32::try_from(self.sends.len() - 1).expect("a run has fewer than 2^32 messages")
    }

    /// The first answer counts; `None` for a message that nobody sent or that has its answer.
    pub fn answered(&mut self, number: Number, fate: Fate) -> Option<&mut Sent> {
        let sent = self.sends.get_mut(number as usize)?;
        (sent.fate == Fate::Waiting).then(|| {
            sent.fate = fate;
            sent
        })
    }

    /// Whether this socket is shown it for the first time.
    pub fn shown(&mut self, witness: &mut Witness, shown: Shown) -> bool {
        if let Some(number) = shown.number
            && self.sends.get(number as usize).is_none_or(|sent| sent.room != witness.room)
        {
            self.faults.push(Fault::NobodySent { number, to: witness.socket });
            return false;
        }
        match self.promise {
            Promise::Chained => self.chained(witness, shown),
            Promise::Counted => shown.number.is_some_and(|number| self.counted(witness, number)),
        }
    }

    /// A room is at `head` for this witness, who was not shown what came before. Returns how many messages it
    /// will not be shown any more.
    pub fn begin_anew(&mut self, witness: &mut Witness, head: Seq) -> u64 {
        let log = &self.rooms[witness.room as usize];
        let (from, to) = (witness.position, head);
        let skipped = log.iter().filter(|event| event.seq > from && event.seq <= to);
        let mut forgone = 0;
        for number in skipped.filter_map(|event| event.number) {
            let left = &mut self.sends[number as usize].left;
            forgone += u64::from(*left > 0);
            *left = left.saturating_sub(1);
        }
        (witness.position, witness.head, witness.count) = (head, head, 0);
        witness.at = log.partition_point(|event| event.seq <= head);
        forgone
    }

    fn chained(&mut self, witness: &mut Witness, shown: Shown) -> bool {
        let Shown { seq, prev, number } = shown;
        let log = &mut self.rooms[witness.room as usize];
        if seq > witness.position && prev == witness.position {
            let as_known = log.get(witness.at).map(|event| event.seq == seq && event.number == number);
            let place = number.and_then(|number| self.sends[number as usize].shown);
            if as_known == Some(true) || (as_known.is_none() && place.is_none()) {
                if as_known.is_none() {
                    log.push(Event { seq, number });
                    number.inspect(|number| self.sends[*number as usize].shown = Some(seq));
                }
                witness.advance(witness.at, seq);
                return true;
            }
        }
        self.strange(witness, shown)
    }

    /// Not what was to come next, or not what others were shown.
    fn strange(&mut self, witness: &mut Witness, Shown { seq, prev, number }: Shown) -> bool {
        let to = witness.socket;
        if let Some(number) = number {
            let place = &mut self.sends[number as usize].shown;
            if place.is_some_and(|at| at != seq || seq <= witness.position) {
                self.faults.push(Fault::DeliveredTwice { number, to, seq });
                return false;
            }
            *place = Some(seq);
        }
        if seq <= witness.position {
            self.faults.push(Fault::OutOfOrder { to, seq, after: witness.position });
            return false;
        }
        let log = &mut self.rooms[witness.room as usize];
        let at = log.partition_point(|event| event.seq < seq);
        let next = log.partition_point(|event| event.seq <= witness.position);
        if prev != witness.position || at > next {
            self.faults.push(Fault::Gap { to, held: witness.position, prev, seq });
        }
        match log.get(at) {
            Some(event) if event.seq == seq && event.number != number => {
                self.faults.push(Fault::OtherThere { to, seq });
            }
            Some(event) if event.seq == seq => {}
            _ => log.insert(at, Event { seq, number }),
        }
        witness.advance(at, seq);
        true
    }

    fn counted(&mut self, witness: &mut Witness, number: Number) -> bool {
        let log = &mut self.rooms[witness.room as usize];
        let place = &mut self.sends[number as usize].shown;
        let at = match *place {
            Some(seq) => usize::try_from(seq).unwrap_or(usize::MAX) - 1,
            None => {
                log.push(Event { seq: 0, number: Some(number) });
                *place = Seq::try_from(log.len()).ok();
                log.len() - 1
            }
        };
        if at < witness.at && !witness.missing.remove(&at) {
            self.faults.push(Fault::DeliveredTwice { number, to: witness.socket, seq: 0 });
            return false;
        }
        if at != witness.at {
            self.reordered += 1;
            witness.missing.extend(witness.at..at);
        }
        witness.count += 1;
        witness.at = witness.at.max(at + 1);
        true
    }

    /// After the last delivery: every acked message was shown to everybody, under its seq.
    pub fn finish<'a>(&mut self, witnesses: impl Iterator<Item = &'a Witness>) {
        for (number, sent) in (0..).zip(&self.sends) {
            match (sent.fate, sent.shown) {
                (Fate::Waiting, _) => self.faults.push(Fault::NeverAnswered { number }),
                (Fate::Acked { .. }, None) if sent.left > 0 => self.faults.push(Fault::NeverShown { number }),
                (Fate::Acked { seq, .. }, Some(elsewhere))
                    if self.promise == Promise::Chained && seq != elsewhere =>
                {
                    self.faults.push(Fault::OtherSeq { number, acked: seq, elsewhere });
                }
                _ => {}
            }
        }
        for witness in witnesses {
            self.unseen(witness);
        }
    }

    pub fn has_seen_all(&self, witness: &Witness) -> bool {
        let acked = |sent: &Sent| match sent.fate {
            Fate::Acked { seq, .. } if sent.room == witness.room => Some(seq),
            _ => None,
        };
        self.sends.iter().filter_map(acked).all(|seq| seq <= witness.position)
    }

    fn unseen(&mut self, witness: &Witness) {
        let log = &self.rooms[witness.room as usize];
        let to = witness.socket;
        // Others may have been shown what lies between, so places are looked up anew.
        let place = |seq: Seq| log.partition_point(|event| event.seq <= seq);
        let (start, at) = match self.promise {
            Promise::Chained => (place(witness.head), place(witness.position)),
            Promise::Counted => (witness.start, witness.at),
        };
        let missing = witness.missing.iter().copied();
        let unseen: Vec<Number> = missing.chain(at..log.len()).filter_map(|at| log.get(at)?.number).collect();
        let events = log.len() - start;
        if unseen.is_empty() && witness.count != events {
            self.faults.push(Fault::ShownLess { to, shown: witness.count, events });
        }
        self.faults.extend(unseen.into_iter().map(|number| Fault::NotDelivered { number, to }));
    }

    /// History of a room, read after the run from where it began: what was acked and nothing else, once, in
    /// order.
    pub fn history(&self, room: u32, rows: &[Row]) -> Vec<Fault> {
        let (mut faults, mut held) = (Vec::new(), HashMap::new());
        for pair in rows.windows(2) {
            if let [Row { seq: Some(after), .. }, Row { seq: Some(seq), .. }] = *pair
                && seq <= after
            {
                faults.push(Fault::HistoryOutOfOrder { seq, after });
            }
        }
        let ours = |number: &Number| self.sends.get(*number as usize).is_some_and(|sent| sent.room == room);
        for row in rows {
            match row.number.filter(ours) {
                None => faults.push(Fault::OnlyInHistory { seq: row.seq.unwrap_or(0) }),
                Some(number) if held.insert(number, *row).is_some() => {
                    faults.push(Fault::TwiceInHistory { number });
                }
                Some(_) => {}
            }
        }
        for (number, sent) in (0..).zip(&self.sends).filter(|(_, sent)| sent.room == room) {
            let Fate::Acked { seq, id } = sent.fate else { continue };
            match held.get(&number) {
                None => faults.push(Fault::NotInHistory { number }),
                Some(Row { seq: Some(at), .. }) if *at != seq => {
                    faults.push(Fault::OtherSeq { number, acked: seq, elsewhere: *at });
                }
                Some(row) if id.is_some_and(|id| id != row.id) => faults.push(Fault::OtherId { number }),
                Some(_) => {}
            }
        }
        faults
    }
}

impl Witness {
    fn advance(&mut self, at: usize, seq: Seq) {
        self.at = at + 1;
        self.position = seq;
        self.count += 1;
    }
}

/// One row of history.
#[derive(Debug, Clone, Copy)]
pub struct Row {
    /// `None` where messages have no place.
    pub seq: Option<Seq>,
    pub id: Uuid,
    pub number: Option<Number>,
}

/// A message's name, filled up to the size asked for.
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
#[path = "check_tests.rs"]
mod tests;
