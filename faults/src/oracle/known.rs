//! What the log as a whole knows: every message that was tried, every event that anyone was shown.

use std::collections::{BTreeMap, BTreeSet};

use crate::log::{Line, Micros, Record, Row, Seq};

/// A message that was tried.
#[derive(Debug, Default)]
pub struct Sent {
    pub room: String,
    pub user: String,
    /// When the first attempt began.
    pub first: Micros,
    pub acks: Vec<Ack>,
    /// Codes of errors.
    pub refusals: BTreeSet<String>,
    /// Attempts, and how many of them have an answer.
    pub attempts: usize,
    pub answers: usize,
}

#[derive(Debug)]
pub struct Ack {
    pub at: Micros,
    pub seq: Seq,
    pub id: String,
}

/// Where a row was seen.
#[derive(Debug, Clone, Copy)]
pub enum Place<'a> {
    Live { device: &'a str },
    Page { user: &'a str },
    Kafka { partition: u32 },
}

impl std::fmt::Display for Place<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Live { device } => write!(f, "device {device}"),
            Self::Page { user } => write!(f, "history of {user}"),
            Self::Kafka { partition } => write!(f, "Kafka partition {partition}"),
        }
    }
}

#[derive(Debug, Default)]
pub struct Known<'a> {
    pub sends: BTreeMap<&'a str, Sent>,
    /// Every message that anyone was shown, by room and seq, and its client id.
    pub messages: BTreeMap<&'a str, BTreeMap<Seq, &'a Row>>,
    /// Messages that were deleted in the end.
    pub deleted: BTreeSet<(&'a str, Seq)>,
    pub has_kafka: bool,
}

impl<'a> Known<'a> {
    pub fn of(log: &'a [Line]) -> Self {
        let mut known = Self::default();
        for line in log {
            known.take(line);
        }
        known
    }

    fn take(&mut self, Line { at, record }: &'a Line) {
        match record {
            Record::Send { user, room, client_id, .. } => {
                let sent = self.sends.entry(client_id).or_insert_with(|| Sent {
                    room: room.clone(),
                    user: user.clone(),
                    first: *at,
                    ..Sent::default()
                });
                sent.attempts += 1;
            }
            Record::Ack { client_id, seq, id, .. } => {
                let sent = self.sends.entry(client_id).or_default();
                sent.answers += 1;
                sent.acks.push(Ack { at: *at, seq: *seq, id: id.clone() });
            }
            Record::Refusal { client_id, code } => {
                let sent = self.sends.entry(client_id).or_default();
                sent.answers += 1;
                sent.refusals.insert(code.clone());
            }
            Record::Deleted { room, seq } => {
                self.deleted.insert((room, *seq));
            }
            Record::Kafka { .. } => self.has_kafka = true,
            _ => {}
        }
        for (room, _, row) in rows(record) {
            if row.is_message() {
                self.messages.entry(room).or_default().entry(row.seq).or_insert(row);
            }
        }
    }
}

/// The events that a record shows: their room, where, what.
pub fn rows(record: &Record) -> Vec<(&str, Place<'_>, &Row)> {
    match record {
        Record::Live { device, room, row, .. } => vec![(room, Place::Live { device }, row)],
        Record::Kafka { partition, room, row, .. } => {
            vec![(room, Place::Kafka { partition: *partition }, row)]
        }
        Record::Page { user, room, rows, .. } => {
            rows.iter().map(|row| (room.as_str(), Place::Page { user }, row)).collect()
        }
        _ => Vec::new(),
    }
}
