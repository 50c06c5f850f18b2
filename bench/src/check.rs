//! The oracle. It is told what was sent, acked and delivered, and later what history holds, and names every
//! broken promise.

use std::{collections::HashMap, fmt};

use schemas::id::{EventId, Seq};
use serde::Serialize;

/// A message as the bench knows it: which socket sent it, and that socket's how many-eth.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize)]
pub struct Name {
    pub socket: u32,
    pub number: u32,
}

impl fmt::Display for Name {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "message {} of socket {}", self.number, self.socket)
    }
}

/// What became of a send.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fate {
    Waiting,
    /// Refused with a code: may have been stored all the same, but nobody was promised anything.
    Refused,
    Acked {
        seq: Seq,
        id: EventId,
    },
}

/// A broken promise.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(tag = "fault", rename_all = "camelCase")]
pub enum Fault {
    NeverAnswered { name: Name },
    NotDelivered { name: Name, to: u32, seq: Seq },
    DeliveredTwice { name: Name, to: u32, seq: Seq },
    OutOfOrder { to: u32, seq: Seq, after: Seq },
    Gap { to: u32, held: Seq, prev: Seq, seq: Seq },
    OtherSeq { name: Name, acked: Seq, elsewhere: Seq },
    NotInHistory { name: Name, seq: Seq },
    TwiceInHistory { name: Name, seq: Seq },
    OnlyInHistory { seq: Seq },
    HistoryOutOfOrder { seq: Seq, after: Seq },
    OtherId { name: Name, acked: EventId, history: EventId },
    Closed { socket: u32, why: String },
    NotTheProtocol { socket: u32, frame: String },
}

/// What one socket has been shown of its room.
#[derive(Debug)]
pub struct Witness {
    socket: u32,
    position: Seq,
    seen: HashMap<Name, Seq>,
    pub faults: Vec<Fault>,
}

impl Witness {
    /// `position`: head of the room when the socket began to listen.
    pub fn new(socket: u32, position: Seq) -> Self {
        Self { socket, position, seen: HashMap::new(), faults: Vec::new() }
    }

    /// An event of the room; `name` when it is a message of this run.
    pub fn event(&mut self, seq: Seq, prev: Seq, name: Option<Name>) {
        let to = self.socket;
        if let Some(name) = name
            && self.seen.insert(name, seq).is_some()
        {
            self.faults.push(Fault::DeliveredTwice { name, to, seq });
            return;
        }
        if seq <= self.position {
            self.faults.push(Fault::OutOfOrder { to, seq, after: self.position });
            return;
        }
        if prev != self.position {
            self.faults.push(Fault::Gap { to, held: self.position, prev, seq });
        }
        self.position = seq;
    }
}

/// Both sides of a room after the last delivery: every acked message was seen by both, under its seq, and
/// nothing was shown that was not acked or at least tried.
pub fn room(fates: &HashMap<Name, Fate>, witnesses: [&Witness; 2]) -> Vec<Fault> {
    let mut faults = Vec::new();
    for (&name, fate) in fates {
        match *fate {
            Fate::Waiting => faults.push(Fault::NeverAnswered { name }),
            Fate::Refused => {}
            Fate::Acked { seq, .. } => {
                faults.extend(witnesses.iter().filter_map(|witness| match witness.seen.get(&name) {
                    None => Some(Fault::NotDelivered { name, to: witness.socket, seq }),
                    Some(&at) if at != seq => Some(Fault::OtherSeq { name, acked: seq, elsewhere: at }),
                    Some(_) => None,
                }));
            }
        }
    }
    faults
}

/// One row of history.
#[derive(Debug, Clone, Copy)]
pub struct Row {
    pub seq: Seq,
    pub id: EventId,
    pub name: Option<Name>,
}

/// History, read after the run from where the room began: what was acked and nothing else, once, in order.
pub fn history(fates: &HashMap<Name, Fate>, rows: &[Row]) -> Vec<Fault> {
    let mut faults = Vec::new();
    let mut held: HashMap<Name, Row> = HashMap::new();
    for pair in rows.windows(2) {
        if let [before, after] = pair
            && after.seq <= before.seq
        {
            faults.push(Fault::HistoryOutOfOrder { seq: after.seq, after: before.seq });
        }
    }
    for row in rows {
        match row.name.filter(|name| fates.contains_key(name)) {
            None => faults.push(Fault::OnlyInHistory { seq: row.seq }),
            Some(name) if held.insert(name, *row).is_some() => {
                faults.push(Fault::TwiceInHistory { name, seq: row.seq });
            }
            Some(_) => {}
        }
    }
    for (&name, fate) in fates {
        let Fate::Acked { seq, id } = *fate else { continue };
        match held.get(&name) {
            None => faults.push(Fault::NotInHistory { name, seq }),
            Some(row) if row.seq != seq => {
                faults.push(Fault::OtherSeq { name, acked: seq, elsewhere: row.seq });
            }
            Some(row) if row.id != id => faults.push(Fault::OtherId { name, acked: id, history: row.id }),
            Some(_) => {}
        }
    }
    faults
}

#[cfg(test)]
#[path = "check_tests.rs"]
mod tests;
