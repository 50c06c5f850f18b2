//! Guarantee 6, on devices that are connected all the time: how far someone has read is shown to everyone in the room, and to the
//! reader's other devices.

use std::collections::BTreeMap;

use super::{Violation, known::Known};
use crate::log::{Line, Micros, Record, Seq};

/// A device in a room.
type Place<'a> = (&'a str, &'a str);

#[derive(Default)]
struct Shown<'a> {
    users: BTreeMap<&'a str, &'a str>,
    /// Since when it is certain that what is sent into the room reaches this connection of the device.
    connected: BTreeMap<Place<'a>, Micros>,
    /// By whom, up to where.
    receipts: BTreeMap<(Place<'a>, &'a str), Seq>,
    /// By reader and room, when it was asked for and up to where.
    reads: BTreeMap<(&'a str, &'a str), Vec<(Micros, Seq)>>,
}

pub fn judge(log: &[Line], _: &Known) -> Vec<Violation> {
    let settled = log.iter().position(|line| line.record == Record::Settled);
    settled.and_then(|end| log.get(..end)).map(missing).unwrap_or_default()
}

/// What would be found if everything were over now.
pub fn missing(log: &[Line]) -> Vec<Violation> {
    let mut shown = Shown::default();
    for line in log {
        shown.take(line);
    }
    shown.missing()
}

impl<'a> Shown<'a> {
    fn take(&mut self, Line { at, record }: &'a Line) {
        match record {
            Record::Follow { user, device, .. } => drop(self.users.insert(device, user)),
            Record::Resume { device } => self.connected.retain(|(connected, _), _| connected != device),
            Record::Removed { user, room } => {
                let users = &self.users;
                self.connected
                    .retain(|(device, of), _| users.get(device) != Some(&user.as_str()) || of != room);
            }
            Record::Live { device, room, .. } => {
                self.connected.entry((device, room)).or_insert(*at);
            }
            Record::Receipt { device, room, reader, seq } => {
                let newest = self.receipts.entry(((device, room), reader)).or_default();
                *newest = (*newest).max(*seq);
            }
            Record::Read { user, room, asked, seq } => {
                self.reads.entry((user, room)).or_default().push((*asked, *seq));
            }
            _ => {}
        }
    }

    fn missing(&self) -> Vec<Violation> {
        let mut violations = Vec::new();
        for ((device, room), since) in &self.connected {
            for ((reader, _), reads) in self.reads.iter().filter(|((_, of), _)| of == room) {
                let asked_since = reads.iter().filter(|(asked, _)| asked > since);
                let Some(seq) = asked_since.map(|(_, seq)| *seq).max() else { continue };
                let shown = self.receipts.get(&((*device, *room), *reader)).copied().unwrap_or(0);
                if shown < seq {
                    let (device, room, reader) =
                        ((*device).to_owned(), (*room).to_owned(), (*reader).to_owned());
                    violations.push(Violation::ReceiptNotShown { device, room, reader, shown, seq });
                }
            }
        }
        violations
    }
}
