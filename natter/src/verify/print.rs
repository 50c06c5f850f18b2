use std::fmt::Write;

use natter_workers::{
    kafka_sink,
    verify::{Difference, PartitionReport, Resealed},
};
use serde_json::{Value, json};

use super::{Checked, ParkedAs};

/// Digits of a digest that people compare.
const DIGITS: usize = 16;

pub fn lines(checked: &Checked) -> String {
    let PartitionReport { partition, unreadable, resealed, differences, .. } = &checked.store;
    let mut lines = format!("partition {partition}: {}", summary(&checked.store));
    if *unreadable > 0 {
        let _ = write!(lines, "; {unreadable} unreadable ones are left out");
    }
    if *resealed != Resealed::default() {
        let Resealed { equal, unopened } = resealed;
        let _ = write!(lines, "; {equal} texts are sealed again and the same");
        if *unopened > 0 {
            let _ = write!(lines, ", {unopened} cannot be opened any more");
        }
    }
    if let Some(mirror) = &checked.mirror {
        let _ = write!(lines, "; kafka {}", mirrored(mirror));
    }
    for difference in &differences.first {
        let (seq, conversation) = (difference.seq(), difference.conversation());
        let _ = write!(lines, "\n  seq {seq} of conversation {conversation}: {difference}");
        if let Some(number) = checked.parked.get(&seq) {
            let _ = write!(lines, "; parked as {number}");
        }
    }
    if differences.more() > 0 {
        let _ = write!(lines, "\n  and {} more", differences.more());
    }
    if let Some(Ok(mirror)) = &checked.mirror {
        for fault in &mirror.faults.first {
            let _ = write!(lines, "\n  kafka: {fault}");
        }
        if mirror.faults.more() > 0 {
            let _ = write!(lines, "\n  kafka: and {} more", mirror.faults.more());
        }
    }
    lines
}

fn summary(verdict: &PartitionReport) -> String {
    let Some((from, to)) = verdict.range else { return "nothing to compare".to_owned() };
    let short = |digest: &str| digest.get(..DIGITS).unwrap_or(digest).to_owned();
    format!(
        "{} events, seq {from} to {to}, log {}, store {}, {}",
        verdict.events,
        short(&verdict.log),
        short(&verdict.store),
        if verdict.is_equal() { "equal" } else { "DIFFERENT" }
    )
}

fn mirrored(mirror: &Result<kafka_sink::verify::PartitionReport, String>) -> String {
    match mirror {
        Ok(verdict) if verdict.is_whole() => format!("{} records, equal", verdict.records),
        Ok(verdict) => format!("{} records, DIFFERENT", verdict.records),
        Err(why) => format!("NOT CHECKED: {why}"),
    }
}

pub fn json(checked: &Checked) -> Value {
    let PartitionReport { partition, events, unreadable, resealed, log, store, differences, range } =
        &checked.store;
    let first = differences.first.iter().map(|difference| one(difference, &checked.parked));
    let mut all = json!({
        "partition": partition.0,
        "events": events,
        "from": range.map(|(from, _)| from),
        "to": range.map(|(_, to)| to),
        "unreadable": unreadable,
        "resealed": resealed.equal,
        "unopened": resealed.unopened,
        "logDigest": log,
        "storeDigest": store,
        "equal": checked.store.is_equal(),
        "differences": differences.total,
        "first": first.collect::<Vec<_>>(),
    });
    match &checked.mirror {
        None => {}
        Some(Err(why)) => all["kafka"] = json!({ "equal": false, "error": why }),
        Some(Ok(verdict)) => {
            all["kafka"] = json!({
                "records": verdict.records,
                "from": verdict.range.map(|(from, _)| from),
                "to": verdict.range.map(|(_, to)| to),
                "equal": verdict.is_whole(),
                "differences": verdict.faults.total,
                "first": verdict.faults.first.iter().map(ToString::to_string).collect::<Vec<_>>(),
            });
        }
    }
    all
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
