//! Guarantees 6 and 8: unread is what the positions make of it, and presence settles.

use std::{collections::BTreeMap, ops::Bound};

use super::{MOST_UNREAD, OFFLINE_WITHIN, ONLINE_WITHIN, Violation, known::Known};
use crate::log::{Line, Micros, Record};

pub fn judge(log: &[Line], known: &Known) -> Vec<Violation> {
    let mut sockets: BTreeMap<&str, (bool, Micros)> = BTreeMap::new();
    let mut violations = Vec::new();
    for line in log {
        match &line.record {
            Record::Unread { user, room, read, count } => {
                let truth = unread(known, user, room, *read);
                if *count != truth {
                    let (user, room) = (user.clone(), room.clone());
                    violations.push(Violation::UnreadWrong { user, room, shown: *count, truth });
                }
            }
            Record::Sockets { user, open } => {
                let before = sockets.get(user.as_str());
                if before.is_none_or(|(was, _)| was != open) {
                    sockets.insert(user, (*open, line.at));
                }
            }
            Record::Presence { user, asked, online } => {
                let Some((open, since)) = sockets.get(user.as_str()) else { continue };
                let (user, lasted) = (user.clone(), asked.saturating_sub(*since));
                if *online && !open && lasted > OFFLINE_WITHIN {
                    violations.push(Violation::StillOnline { user, offline_for: lasted });
                } else if !*online && *open && lasted > ONLINE_WITHIN {
                    violations.push(Violation::StillOffline { user, online_for: lasted });
                }
            }
            _ => {}
        }
    }
    violations
}

/// Messages of others after what was read, as far as they are not deleted.
fn unread(known: &Known, user: &str, room: &str, read: u64) -> u64 {
    let Some(messages) = known.messages.get(room) else { return 0 };
    let later = messages.range((Bound::Excluded(read), Bound::Unbounded));
    let counted =
        later.filter(|(seq, row)| row.sender != user && !known.deleted.contains(&(room, **seq))).count();
    u64::try_from(counted).unwrap_or(MOST_UNREAD).min(MOST_UNREAD)
}
