//! Guarantee 2 and section 4: one order for all devices, history and Kafka, and Kafka without holes.

use std::collections::{BTreeMap, BTreeSet};

use super::{
    Violation,
    known::{Known, Place, rows},
};
use crate::log::{Line, Record, Seq};

pub fn judge(log: &[Line], known: &Known) -> Vec<Violation> {
    let mut violations = same_events(log);
    violations.extend(rising_pages(log));
    violations.extend(kafka(log));
    if known.has_kafka {
        violations.extend(in_kafka(log, known));
    }
    violations
}

/// Whoever was shown an event at a seq was shown the same one. What is no message has an id in Kafka alone.
fn same_events(log: &[Line]) -> Vec<Violation> {
    let mut events: BTreeMap<(&str, Seq), &str> = BTreeMap::new();
    let mut violations = Vec::new();
    let all = log.iter().flat_map(|line| rows(&line.record));
    for (room, place, row) in all.filter(|(_, _, row)| row.is_message()) {
        let first = *events.entry((room, row.seq)).or_insert(&row.id);
        if first != row.id {
            let (room, place) = (room.to_owned(), place.to_string());
            let ids = [first.to_owned(), row.id.clone()];
            violations.push(Violation::OtherEvent { room, seq: row.seq, ids, place });
        }
    }
    violations
}

fn rising_pages(log: &[Line]) -> Vec<Violation> {
    let mut violations = Vec::new();
    for line in log {
        let Record::Page { user, room, rows, .. } = &line.record else { continue };
        let place = Place::Page { user }.to_string();
        for pair in rows.windows(2).filter(|pair| pair[1].seq <= pair[0].seq) {
            let (room, place) = (room.clone(), place.clone());
            violations.push(Violation::OutOfOrder { place, room, seq: pair[1].seq, after: pair[0].seq });
        }
    }
    violations
}

/// Within a partition and an epoch seqs rise by one; what is not above the last is a repeat, which consumers drop.
fn kafka(log: &[Line]) -> Vec<Violation> {
    let mut last: BTreeMap<(u32, &str), Seq> = BTreeMap::new();
    let mut seen: BTreeMap<(u32, &str, Seq), &str> = BTreeMap::new();
    let mut violations = Vec::new();
    for line in log {
        let Record::Kafka { partition, epoch, room, row } = &line.record else { continue };
        let id = *seen.entry((*partition, epoch, row.seq)).or_insert(&row.id);
        if id != row.id {
            let place = Place::Kafka { partition: *partition }.to_string();
            let ids = [id.to_owned(), row.id.clone()];
            violations.push(Violation::OtherEvent { room: room.clone(), seq: row.seq, ids, place });
        }
        let after = last.entry((*partition, epoch)).or_insert(row.seq.saturating_sub(1));
        if row.seq > after.saturating_add(1) {
            let (partition, after) = (*partition, *after);
            violations.push(Violation::KafkaHole { partition, after, seq: row.seq });
        }
        *after = row.seq.max(*after);
    }
    violations
}

/// Every acked message is in Kafka, where the log has Kafka's records.
fn in_kafka(log: &[Line], known: &Known) -> Vec<Violation> {
    let there: BTreeSet<(&str, Seq)> = log
        .iter()
        .flat_map(|line| rows(&line.record))
        .filter(|(_, place, _)| matches!(place, Place::Kafka { .. }))
        .map(|(room, _, row)| (room, row.seq))
        .collect();
    let acked = known.sends.iter().filter_map(|(id, sent)| Some((id, sent, sent.acks.first()?)));
    let missing = acked.filter(|(_, sent, ack)| !there.contains(&(sent.room.as_str(), ack.seq)));
    missing
        .map(|(id, sent, ack)| {
            let (room, client_id) = (sent.room.clone(), (*id).to_owned());
            Violation::NotInKafka { room, client_id, seq: ack.seq }
        })
        .collect()
}
