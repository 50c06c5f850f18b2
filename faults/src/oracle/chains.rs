//! Guarantee 3: every event on a socket follows the one before it, over reconnects too, or a gap is announced; and in
//! the end every device has everything.

use std::{collections::BTreeMap, ops::Bound};

use super::{
    Violation,
    known::{Known, Place},
};
use crate::log::{Line, Record, Seq};

pub fn judge(log: &[Line], known: &Known) -> Vec<Violation> {
    let mut positions: BTreeMap<(&str, &str), Seq> = BTreeMap::new();
    let mut users: BTreeMap<&str, &str> = BTreeMap::new();
    let mut violations = Vec::new();
    for line in log {
        match &line.record {
            Record::Follow { user, device, room, position } => {
                positions.insert((device, room), *position);
                users.insert(device, user);
            }
            Record::Gap { device, room, head } => {
                positions.insert((device, room), *head);
            }
            // Where someone was removed the chain ends; it begins again with the next `follow`.
            Record::Removed { user, room } => {
                positions.retain(|(device, of), _| users.get(device) != Some(&user.as_str()) || of != room);
            }
            Record::Live { device, room, prev, row } => {
                let Some(position) = positions.get_mut(&(device.as_str(), room.as_str())) else { continue };
                violations.extend(follows(device, room, *position, *prev, row.seq));
                violations.extend(skipped(known, device, room, *prev, row.seq));
                *position = row.seq.max(*position);
            }
            Record::Settled => violations.extend(caught_up(&positions, known)),
            _ => {}
        }
    }
    violations
}

fn follows(device: &str, room: &str, position: Seq, prev: Seq, seq: Seq) -> Option<Violation> {
    let (device, room) = (device.to_owned(), room.to_owned());
    if seq <= position {
        let place = Place::Live { device: &device }.to_string();
        return Some(Violation::OutOfOrder { place, room, seq, after: position });
    }
    (prev != position).then_some(Violation::Gap { device, room, position, prev, seq })
}

fn skipped(known: &Known, device: &str, room: &str, prev: Seq, seq: Seq) -> Option<Violation> {
    // What does not rise is another violation, and no range.
    let between = (prev < seq).then_some((Bound::Excluded(prev), Bound::Excluded(seq)))?;
    let (skipped, _) = known.messages.get(room)?.range(between).next()?;
    let (device, room) = (device.to_owned(), room.to_owned());
    Some(Violation::Skipped { device, room, skipped: *skipped, seq })
}

fn caught_up(positions: &BTreeMap<(&str, &str), Seq>, known: &Known) -> Vec<Violation> {
    let newest = |room: &str| {
        let shown = known.messages.get(room).and_then(|messages| messages.last_key_value());
        shown.map_or(0, |(seq, _)| *seq)
    };
    let behind = positions.iter().filter(|((_, room), position)| newest(room) > **position);
    behind
        .map(|((device, room), position)| Violation::NotDelivered {
            device: (*device).to_owned(),
            room: (*room).to_owned(),
            position: *position,
            head: newest(room),
        })
        .collect()
}
