//! Guarantees 1, 4 and 5: what was acked is in history exactly once, what was not acked at most once, what was refused
//! not at all; and a page has every event of its range.

use std::collections::{BTreeMap, BTreeSet};

use super::{
    Violation,
    known::{Known, Sent, rows},
};
use crate::log::{Line, Micros, Record, Row, Seq};

/// What a page says: everything of this range, as it was when it was asked for.
struct Page<'a> {
    asked: Micros,
    after: Seq,
    to: Seq,
    rows: &'a [Row],
}

pub fn judge(log: &[Line], known: &Known) -> Vec<Violation> {
    let pages = pages(log);
    let mut violations = Vec::new();
    for (client_id, sent) in &known.sends {
        acks(client_id, sent, &mut violations);
        refusals(client_id, sent, known, &mut violations);
        kept(client_id, sent, pages.get(sent.room.as_str()).map_or(&[], Vec::as_slice), &mut violations);
    }
    violations.extend(doubles(log, known));
    violations
}

fn pages(log: &[Line]) -> BTreeMap<&str, Vec<Page<'_>>> {
    let mut pages: BTreeMap<&str, Vec<Page>> = BTreeMap::new();
    for line in log {
        if let Record::Page { room, asked, after, to, rows, .. } = &line.record {
            let page = Page { asked: *asked, after: *after, to: *to, rows };
            pages.entry(room).or_default().push(page);
        }
    }
    pages
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
fn refusals(client_id: &str, sent: &Sent, known: &Known, violations: &mut Vec<Violation>) {
    let open = sent.refusals.iter().any(|code| leaves_open(code));
    let all_refused = sent.acks.is_empty() && sent.answers >= sent.attempts && !open;
    let Some(code) = sent.refusals.first().filter(|_| all_refused) else { return };
    let messages = known.messages.get(sent.room.as_str());
    if messages.is_some_and(|messages| messages.values().any(|row| row.client_id == client_id)) {
        let (room, client_id, code) = (sent.room.clone(), client_id.to_owned(), code.clone());
        violations.push(Violation::StoredThoughRefused { room, client_id, code });
    }
}

/// The server could not see whether the message was stored.
fn leaves_open(code: &str) -> bool {
    matches!(code, "unavailable" | "internal")
}

/// Every page that was asked for after an ack, and whose range has its seq, has the message.
fn kept(client_id: &str, sent: &Sent, pages: &[Page], violations: &mut Vec<Violation>) {
    let Some(ack) = sent.acks.first() else { return };
    let (room, client_id, seq) = (sent.room.clone(), client_id.to_owned(), ack.seq);
    let covers = |page: &&Page| page.asked >= ack.at && page.after < seq && seq <= page.to;
    let mut covering = pages.iter().filter(covers).peekable();
    if covering.peek().is_none() {
        violations.push(Violation::NeverRead { room, client_id, seq });
        return;
    }
    // A deleted message has lost its client id, and keeps its place and its id.
    let is_it = |row: &Row| row.client_id == client_id || (row.seq == seq && row.id == ack.id);
    let has = |page: &Page| page.rows.iter().any(is_it);
    if !covering.all(has) {
        violations.push(Violation::Lost { room, client_id, seq });
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
