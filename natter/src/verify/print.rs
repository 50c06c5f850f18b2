use std::fmt::Write;

use serde_json::{Value, json};
use workers::verify::{Difference, Verdict};

use super::ParkedAs;

/// Digits of a digest that people compare.
const DIGITS: usize = 16;

pub fn lines(verdict: &Verdict, parked: &ParkedAs) -> String {
    let Verdict { partition, events, unreadable, log, store, differences, .. } = verdict;
    let Some((from, to)) = verdict.range else {
        return format!("partition {partition}: nothing to compare");
    };
    let short = |digest: &str| digest.get(..DIGITS).unwrap_or(digest).to_owned();
    let mut lines = format!(
        "partition {partition}: {events} events, seq {from} to {to}, log {}, store {}, {}",
        short(log),
        short(store),
        if verdict.is_equal() { "equal" } else { "DIFFERENT" }
    );
    if *unreadable > 0 {
        let _ = write!(lines, "; {unreadable} that nobody can read are left out");
    }
    for difference in &differences.first {
        let _ = write!(
            lines,
            "\n  seq {} of conversation {}: {difference}",
            difference.seq(),
            difference.conversation()
        );
        if let Some(number) = parked.get(&difference.seq()) {
            let _ = write!(lines, "; parked as {number}");
        }
    }
    if differences.more() > 0 {
        let _ = write!(lines, "\n  and {} more", differences.more());
    }
    lines
}

pub fn json(verdict: &Verdict, parked: &ParkedAs) -> Value {
    let Verdict { partition, events, unreadable, log, store, differences, range } = verdict;
    let first = differences.first.iter().map(|difference| one(difference, parked));
    json!({
        "partition": partition.0,
        "events": events,
        "fromSeq": range.map(|(from, _)| from),
        "toSeq": range.map(|(_, to)| to),
        "unreadable": unreadable,
        "logDigest": log,
        "storeDigest": store,
        "equal": verdict.is_equal(),
        "differences": differences.total,
        "first": first.collect::<Vec<_>>(),
    })
}

fn one(difference: &Difference, parked: &ParkedAs) -> Value {
    let mut one = json!({
        "seq": difference.seq(),
        "conversationId": difference.conversation(),
        "what": difference.name(),
    });
    if let Difference::HeadBehind { head, .. } = difference {
        one["storeHead"] = json!(head);
    }
    if let Some(number) = parked.get(&difference.seq()) {
        one["parkedAs"] = json!(number);
    }
    one
}
