//! Guarantee 7 and what is deleted: nothing is shown after a removal, nothing comes through a block, and deleted content
//! is never shown again.

use std::collections::{BTreeMap, BTreeSet};

use super::{
    ACCESS_ENDS, Violation,
    known::{Known, Place},
};
use crate::log::{Line, Micros, Record, Row, Seq};

#[derive(Default)]
struct Access<'a> {
    /// Whose device it is.
    users: BTreeMap<&'a str, &'a str>,
    /// Since when someone is out of a room.
    removed: BTreeMap<(&'a str, &'a str), Micros>,
    /// Since when someone may not send into a room, and every such time that is over.
    blocked: BTreeMap<(&'a str, &'a str), Vec<(Micros, Micros)>>,
    deleted: BTreeMap<(&'a str, Seq), Micros>,
    /// When a device last asked for what it missed: what comes then was sent later.
    resumed: BTreeMap<&'a str, Micros>,
    violations: Vec<Violation>,
}

pub fn judge(log: &[Line], known: &Known) -> Vec<Violation> {
    let mut access = Access::default();
    for line in log {
        access.take(line);
    }
    let blocked = access.through_blocks(known);
    access.violations.extend(blocked);
    access.violations
}

impl<'a> Access<'a> {
    fn take(&mut self, Line { at, record }: &'a Line) {
        match record {
            Record::Follow { user, device, .. } => {
                self.users.insert(device, user);
            }
            Record::Resume { device } => {
                self.resumed.insert(device, *at);
            }
            Record::Removed { user, room } => {
                self.removed.insert((user, room), *at);
            }
            Record::Added { user, room } => {
                self.removed.remove(&(user.as_str(), room.as_str()));
            }
            Record::Blocked { user, room } => {
                self.blocked.entry((user, room)).or_default().push((*at, Micros::MAX));
            }
            Record::Unblocked { user, room } => {
                if let Some((_, until)) = self.blocked.entry((user, room)).or_default().last_mut() {
                    *until = *at;
                }
            }
            Record::Deleted { room, seq } => {
                self.deleted.entry((room, *seq)).or_insert(*at);
            }
            Record::Live { device, room, row, .. } => self.live(*at, device, room, row),
            Record::Page { user, room, asked, rows, .. } => self.page(*asked, user, room, rows),
            _ => {}
        }
    }

    fn live(&mut self, at: Micros, device: &'a str, room: &'a str, row: &Row) {
        let user = self.users.get(device).copied().unwrap_or(device);
        self.shown_to(at, user, room, row.seq);
        let asked = self.resumed.get(device).copied().unwrap_or(0);
        self.shown(asked, &Place::Live { device }, room, row);
    }

    fn page(&mut self, asked: Micros, user: &'a str, room: &'a str, rows: &[Row]) {
        for row in rows {
            self.shown_to(asked, user, room, row.seq);
            self.shown(asked, &Place::Page { user }, room, row);
        }
    }

    fn shown_to(&mut self, at: Micros, user: &str, room: &str, seq: Seq) {
        if self.removed.get(&(user, room)).is_some_and(|since| at > since.saturating_add(ACCESS_ENDS)) {
            let (user, room) = (user.to_owned(), room.to_owned());
            self.violations.push(Violation::ShownAfterRemoval { user, room, seq });
        }
    }

    fn shown(&mut self, asked: Micros, place: &Place, room: &str, row: &Row) {
        if row.content && self.deleted.get(&(room, row.seq)).is_some_and(|since| asked > *since) {
            let (place, room) = (place.to_string(), room.to_owned());
            self.violations.push(Violation::ShownThoughDeleted { place, room, seq: row.seq });
        }
    }

    /// A message whose first attempt began and that was acked while its sender was blocked.
    fn through_blocks(&self, known: &Known) -> Vec<Violation> {
        let mut found = BTreeSet::new();
        for (client_id, sent) in &known.sends {
            let times = self.blocked.get(&(sent.user.as_str(), sent.room.as_str()));
            let began = |(since, until): &(Micros, Micros)| {
                sent.first > since.saturating_add(ACCESS_ENDS) && sent.acks.iter().any(|ack| ack.at < *until)
            };
            if times.is_some_and(|times| times.iter().any(began)) {
                found.insert((sent.user.clone(), sent.room.clone(), (*client_id).to_owned()));
            }
        }
        let violation = |(user, room, client_id)| Violation::SentThoughBlocked { user, room, client_id };
        found.into_iter().map(violation).collect()
    }
}
