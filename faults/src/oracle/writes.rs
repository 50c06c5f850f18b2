//! Guarantees 1, 4 and 5: what was acked is in history exactly once, what was not acked at most once, what was refused
//! not at all; and a page has every event of its range.

use std::{
    collections::{BTreeMap, BTreeSet, HashSet},
    ops::Bound,
};

use super::{
    Violation,
    known::{Ack, Known, Sent, rows},
};
use crate::log::{Line, Record, Seq};

pub fn judge(log: &[Line], known: &Known) -> Vec<Violation> {
    let pages = Pages::of(log, known);
    let shown = shown(known);
    let mut violations = Vec::new();
    for (client_id, sent) in &known.sends {
        acks(client_id, sent, &mut violations);
        refusals(client_id, sent, &shown, &mut violations);
        kept(client_id, sent, &pages, &mut violations);
    }
    violations.extend(doubles(log, known));
    violations
}

/// Every message that anyone was shown: its room, its client id.
fn shown<'a>(known: &Known<'a>) -> HashSet<(&'a str, &'a str)> {
    let rooms = known.messages.iter();
    rooms.flat_map(|(room, rows)| rows.values().map(|row| (*room, row.client_id.as_str()))).collect()
}

/// What pages say of acked messages: a page has everything of its range, as it was when it was asked for.
#[derive(Default)]
struct Pages<'a> {
    /// Messages that a page should have, which was asked for after their ack.
    covered: HashSet<&'a str>,
    /// Those of them that one lacks.
    missing: HashSet<&'a str>,
}

impl<'a> Pages<'a> {
    fn of(log: &[Line], known: &'a Known) -> Self {
        let mut acked: BTreeMap<(&str, Seq), Vec<(&str, &Ack)>> = BTreeMap::new();
        for (client_id, sent) in &known.sends {
            if let Some(ack) = sent.acks.first() {
                acked.entry((&sent.room, ack.seq)).or_default().push((client_id, ack));
            }
        }
        let mut pages = Self::default();
        for line in log {
            let Record::Page { room, asked, after, to, rows, .. } = &line.record else { continue };
            if after >= to {
                continue;
            }
            let ids: HashSet<&str> = rows.iter().map(|row| row.client_id.as_str()).collect();
            // A deleted message has lost its client id, and keeps its place and its id.
            let places: HashSet<(Seq, &str)> = rows.iter().map(|row| (row.seq, row.id.as_str())).collect();
            let range = (Bound::Excluded((room.as_str(), *after)), Bound::Included((room.as_str(), *to)));
            let due = acked.range(range).flat_map(|(_, messages)| messages);
            for (client_id, ack) in due.filter(|(_, ack)| *asked >= ack.at) {
                pages.covered.insert(client_id);
                if !ids.contains(client_id) && !places.contains(&(ack.seq, ack.id.as_str())) {
                    pages.missing.insert(client_id);
                }
            }
        }
        pages
    }
}

/// Every ack of one message names the same event.
fn acks(client_id: &str, sent: &Sent, violations: &mut Vec<Violation>) {
    for pair in sent.acks.windows(2) {
        if (pair[0].seq, &pair[0].id) != (pair[1].seq, &pair[1].id) {
            let (acked, elsewhere) = (pair[0].seq, pair[1].seq);
            violations.push(Violation::OtherAck { client_id: client_id.to_owned(), acked, elsewhere });
        }
    }
}

/// A message whose every attempt was refused, by a code that says it was not taken, is nowhere.
fn refusals(client_id: &str, sent: &Sent, shown: &HashSet<(&str, &str)>, violations: &mut Vec<Violation>) {
    let open = sent.refusals.iter().any(|code| leaves_open(code));
    let all_refused = sent.acks.is_empty() && sent.answers >= sent.attempts && !open;
    let Some(code) = sent.refusals.first().filter(|_| all_refused) else { return };
    if shown.contains(&(sent.room.as_str(), client_id)) {
        let (room, client_id, code) = (sent.room.clone(), client_id.to_owned(), code.clone());
        violations.push(Violation::StoredThoughRefused { room, client_id, code });
    }
}

/// The server could not see whether the message was stored.
fn leaves_open(code: &str) -> bool {
    matches!(code, "unavailable" | "internal")
}

/// Every page that was asked for after an ack, and whose range has its seq, has the message.
fn kept(client_id: &str, sent: &Sent, pages: &Pages, violations: &mut Vec<Violation>) {
    let Some(ack) = sent.acks.first() else { return };
    let (room, id, seq) = (sent.room.clone(), client_id.to_owned(), ack.seq);
    if !pages.covered.contains(client_id) {
        violations.push(Violation::NeverRead { room, client_id: id, seq });
    } else if pages.missing.contains(client_id) {
        violations.push(Violation::Lost { room, client_id: id, seq });
    }
}

/// One message has one seq, one id is of one event, the ack named it, and someone sent it.
fn doubles(log: &[Line], known: &Known) -> Vec<Violation> {
    let mut of_message: BTreeMap<(&str, &str), BTreeSet<Seq>> = BTreeMap::new();
    let mut of_id: BTreeMap<&str, BTreeSet<Seq>> = BTreeMap::new();
    let mut violations = Vec::new();
    for line in log {
        let mut page = BTreeMap::new();
        for (room, _, row) in rows(&line.record) {
            if !row.id.is_empty() {
                of_id.entry(&row.id).or_default().insert(row.seq);
            }
            if row.is_message() {
                of_message.entry((room, &row.client_id)).or_default().insert(row.seq);
                *page.entry((room, row.client_id.as_str(), row.seq)).or_insert(0) += 1;
            }
        }
        for ((room, client_id, seq), _) in page.into_iter().filter(|(_, times)| *times > 1) {
            let (room, client_id) = (room.to_owned(), client_id.to_owned());
            violations.push(Violation::Doubled { room, client_id, seqs: vec![seq, seq] });
        }
    }
    for ((room, client_id), seqs) in of_message {
        let (room, id) = (room.to_owned(), client_id.to_owned());
        let acked = known.sends.get(client_id).and_then(|sent| sent.acks.first());
        match (known.sends.get(client_id), seqs.first()) {
            (None, _) => violations.push(Violation::NeverSent { room, client_id: id }),
            _ if seqs.len() > 1 => {
                violations.push(Violation::Doubled { room, client_id: id, seqs: seqs.into_iter().collect() });
            }
            (_, Some(&elsewhere)) if acked.is_some_and(|ack| ack.seq != elsewhere) => {
                let acked = acked.map_or(0, |ack| ack.seq);
                violations.push(Violation::OtherAck { client_id: id, acked, elsewhere });
            }
            _ => {}
        }
    }
    for (id, seqs) in of_id.into_iter().filter(|(_, seqs)| seqs.len() > 1) {
        violations.push(Violation::IdTwice { id: id.to_owned(), seqs: seqs.into_iter().collect() });
    }
    violations
}
