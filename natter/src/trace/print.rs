use std::fmt::Write;

use natter_nats::trace::{Answer, Hop, Step};
use natter_schemas::event::Kind;
use serde_json::{Value, json};

use super::gather::{Found, InKafka, InLog, InStore};

/// Of a question that was not answered at all.
pub const NO_NODE: &str =
    "no node answered: none runs, or this NATS user may not ask them (it needs the rights of a worker)";

pub fn lines(found: &Found) -> String {
    let mut lines = format!("message {}", found.event);
    if let Some(event) = found.logged() {
        let _ = write!(lines, ", {} by {}", kind(&event.kind), event.author);
        let _ = write!(lines, "\n  conversation {}", event.conversation);
    }
    if let Some((partition, seq)) = found.place {
        let _ = write!(lines, "\n  partition {partition}, seq {seq}");
    }
    for answer in &found.nodes.answers {
        node(&mut lines, answer);
    }
    if found.nodes.answers.is_empty() {
        let _ = write!(lines, "\n{NO_NODE}");
    }
    for silent in &found.nodes.silent {
        let _ = write!(lines, "\n{}\n  no answer; last heard {} s ago", silent.name, silent.silent.as_secs());
    }
    let _ = write!(lines, "\nlog\n  {}", log(found));
    let _ = write!(lines, "\nstore\n  {}", store(found));
    let _ = write!(lines, "\nkafka\n  {}", kafka(found));
    if let Some(read) = &found.read {
        let _ = write!(lines, "\nread\n  by {} of {} other members", read.by, read.of);
    }
    lines.push_str("\ntimes are of each node's own clock: compare durations within one node only");
    lines
}

fn node(lines: &mut String, answer: &Answer) {
    let _ = write!(lines, "\n{}", answer.name);
    let Some(first) = answer.hops.first() else {
        let since = answer.since.map_or_else(|| "its start".to_owned(), |at| at.to_string());
        let _ = write!(lines, "\n  nothing; it remembers what came since {since}");
        return;
    };
    for hop in &answer.hops {
        let text = step(hop);
        let _ = write!(lines, "\n  {}  {:>10.3} ms  {text}", hop.at, after(first, hop));
    }
}

/// Milliseconds, by the node's monotonic clock.
#[expect(clippy::cast_precision_loss, reason = "a node would have to run for 285 years")]
fn after(first: &Hop, hop: &Hop) -> f64 {
    hop.micros.saturating_sub(first.micros) as f64 / 1_000.0
}

fn step(hop: &Hop) -> String {
    match hop.step {
        Step::Received => "received from its sender".to_owned(),
        Step::FoundEarlier => "sent again: found among earlier events, not published".to_owned(),
        Step::Admitted => "admitted".to_owned(),
        Step::Published { attempts, duplicate } => {
            let again = if duplicate { "; the log had it already" } else { "" };
            let attempts =
                if attempts == 1 { "1 attempt".to_owned() } else { format!("{attempts} attempts") };
            format!("published{}: {attempts}{again}", seq(hop))
        }
        Step::NotPublished(why) => format!("not published: {}", why.name()),
        Step::Heard => format!("heard from the log{}", seq(hop)),
        Step::Delivered { sockets: 1 } => {
            "delivered to 1 socket of members, the sender's included".to_owned()
        }
        Step::Delivered { sockets } => {
            format!("delivered to {sockets} sockets of members, the sender's included")
        }
        Step::Stored => "stored".to_owned(),
        Step::Retried => "not stored; delivered to a persister again".to_owned(),
        Step::Parked => "parked: `natter parked list` has the reason".to_owned(),
        Step::Mirrored { offset } => format!("mirrored to Kafka, offset {offset}"),
    }
}

fn seq(hop: &Hop) -> String {
    hop.place.map_or_else(String::new, |(_, seq)| format!(" as seq {seq}"))
}

fn log(found: &Found) -> String {
    match &found.log {
        InLog::Here { at: Some(at), .. } => format!("has it since {at}, by the clock of its server"),
        InLog::Here { at: None, .. } => "has it".to_owned(),
        InLog::Gone => "does not have it any more".to_owned(),
        InLog::NotPublished => "no node knows of a place in the log".to_owned(),
    }
}

fn store(found: &Found) -> String {
    match found.store {
        InStore::Here => "has it".to_owned(),
        InStore::Missing { floor } => match found.place {
            Some((_, seq)) if floor >= seq => {
                format!(
                    "does not have it, although everything up to seq {floor} was dealt with: see `natter parked list`"
                )
            }
            Some((_, seq)) => {
                format!("does not have it yet: stored up to seq {floor}, {} events before it", seq - floor)
            }
            None => "does not have it".to_owned(),
        },
        InStore::NotAsked => "not asked: the conversation is not known".to_owned(),
    }
}

fn kafka(found: &Found) -> String {
    let partition = found.place.map(|(partition, _)| partition.0).unwrap_or_default();
    match &found.kafka {
        InKafka::Off => "no mirror (KAFKA_BROKERS is not set here)".to_owned(),
        InKafka::NotPublished => "not published".to_owned(),
        InKafka::Here { topic, offset: Some(offset) } => {
            format!("topic {topic}, partition {partition}, offset {offset}")
        }
        InKafka::Here { topic, offset: None } => {
            format!("topic {topic}, partition {partition}; no node remembers the offset")
        }
        InKafka::Missing { topic, floor } => {
            let before = found.place.map_or(0, |(_, seq)| seq - floor);
            format!(
                "topic {topic}, partition {partition}: the mirror is at seq {floor}, {before} events before it"
            )
        }
    }
}

const fn kind(kind: &Kind) -> &'static str {
    match kind {
        Kind::Posted { .. } => "posted",
        Kind::Edited { .. } => "edit",
        Kind::Deleted { .. } => "deletion",
        Kind::Reacted { .. } => "reaction",
        Kind::MemberAdded { .. } => "member added",
        Kind::MemberRemoved { .. } => "member removed",
        Kind::RoleChanged { .. } => "role changed",
        Kind::Renamed { .. } => "renamed",
        Kind::Created { .. } => "conversation created",
    }
}

pub fn json(found: &Found) -> Value {
    let event = found.logged();
    let nodes = found.nodes.answers.iter().map(|answer| {
        let first = answer.hops.first();
        let hops = answer.hops.iter().map(|hop| hop_json(first.unwrap_or(hop), hop));
        json!({
            "role": answer.name.role,
            "host": answer.name.host,
            "pid": answer.name.pid,
            "since": answer.since,
            "knownNodes": answer.peers.len(),
            "hops": hops.collect::<Vec<_>>(),
        })
    });
    let silent = found.nodes.silent.iter().map(|silent| {
        let name = &silent.name;
        json!({ "role": name.role, "host": name.host, "pid": name.pid, "silentSeconds": silent.silent.as_secs() })
    });
    json!({
        "messageId": found.event,
        "kind": event.map(|event| kind(&event.kind)),
        "conversationId": event.map(|event| event.conversation),
        "authorId": event.map(|event| event.author),
        "partition": found.place.map(|(partition, _)| partition),
        "seq": found.place.map(|(_, seq)| seq),
        "nodes": nodes.collect::<Vec<_>>(),
        "noAnswer": silent.collect::<Vec<_>>(),
        "log": log_json(&found.log),
        "store": store_json(&found.store),
        "kafka": kafka_json(found),
        "readBy": found.read.as_ref().map(|read| read.by),
        "otherMembers": found.read.as_ref().map(|read| read.of),
    })
}

fn hop_json(first: &Hop, hop: &Hop) -> Value {
    let mut one = match hop.step {
        Step::Received => json!({ "step": "received" }),
        Step::FoundEarlier => json!({ "step": "found_earlier" }),
        Step::Admitted => json!({ "step": "admitted" }),
        Step::Published { attempts, duplicate } => {
            json!({ "step": "published", "attempts": attempts, "duplicate": duplicate })
        }
        Step::NotPublished(why) => json!({ "step": "not_published", "reason": why.name() }),
        Step::Heard => json!({ "step": "heard" }),
        Step::Delivered { sockets } => json!({ "step": "delivered", "sockets": sockets }),
        Step::Stored => json!({ "step": "stored" }),
        Step::Retried => json!({ "step": "retried" }),
        Step::Parked => json!({ "step": "parked" }),
        Step::Mirrored { offset } => json!({ "step": "mirrored", "offset": offset }),
    };
    one["at"] = json!(hop.at);
    one["afterMs"] = json!(after(first, hop));
    one
}

fn log_json(log: &InLog) -> Value {
    match log {
        InLog::Here { at, .. } => json!({ "state": "stored", "at": at }),
        InLog::Gone => json!({ "state": "gone" }),
        InLog::NotPublished => json!({ "state": "unknown" }),
    }
}

fn store_json(store: &InStore) -> Value {
    match store {
        InStore::Here => json!({ "state": "stored" }),
        InStore::Missing { floor } => json!({ "state": "missing", "storedTo": floor }),
        InStore::NotAsked => json!({ "state": "unknown" }),
    }
}

fn kafka_json(found: &Found) -> Value {
    let partition = found.place.map(|(partition, _)| partition);
    match &found.kafka {
        InKafka::Off => json!({ "state": "off" }),
        InKafka::NotPublished => json!({ "state": "unknown" }),
        InKafka::Here { topic, offset } => {
            json!({ "state": "stored", "topic": topic, "partition": partition, "offset": offset })
        }
        InKafka::Missing { topic, floor } => {
            json!({ "state": "missing", "topic": topic, "partition": partition, "storedTo": floor })
        }
    }
}
