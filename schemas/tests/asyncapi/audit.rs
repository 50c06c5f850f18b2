//! The Kafka topic of the audit log: its values are the log's lines.

use natter_schemas::{
    audit::{self, HashedRecord, TOPIC, TYPE},
    event::Timestamp,
    id::ChainId,
};
use serde_json::{Map, Value, json};

use crate::{
    audit_records::{acts, line},
    document::{Part, all_of, describe, machine_name, messages_of, reference},
    kafka::{attribute, renamed},
};

const KEY: &str = "audit.recorded";
const DESCRIPTION: &str = "Copies of audit records, there when `AUDIT_KAFKA` is `true`. One partition; keyed by chain, and within a chain \
    in its order. The value is the line of the audit log, byte by byte, so that its hash can be checked. Records that Kafka was \
    away for too long to take show as numbers that are missing: the audit log of the node has them.";

pub fn part() -> Part {
    let mut record = schemars::schema_for!(HashedRecord<'static>).to_value();
    let fields = record.as_object_mut().unwrap();
    fields.remove("$schema");
    let definitions = fields.remove("$defs").unwrap_or_default();
    let name = |definition: &str| format!("audit.{definition}");
    let mut schemas: Map<String, Value> = definitions
        .as_object()
        .into_iter()
        .flatten()
        .map(|(definition, schema)| (name(definition), renamed(schema, &name)))
        .collect();
    schemas.insert(name("record"), renamed(&record, &name));
    schemas.insert(name("headers"), headers());
    let messages = Map::from_iter([(KEY.to_owned(), message())]);
    let operation = json!({
        "action": "send",
        "channel": reference("channels/audit"),
        "title": "audit",
        "summary": "A worker copies what it writes to its audit log",
        "messages": messages_of("audit", messages.keys().cloned())
    });
    let channel = json!({
        "address": TOPIC,
        "title": "The Kafka topic of the audit log",
        "description": DESCRIPTION,
        "servers": [reference("servers/brokers")],
        "messages": all_of(&messages),
        "bindings": { "kafka": { "topic": TOPIC, "partitions": 1, "bindingVersion": "0.5.0" } }
    });
    Part { channel, operations: Map::from_iter([("audit".to_owned(), operation)]), messages, schemas }
}

fn message() -> Value {
    let examples = acts().into_iter().enumerate().map(|(number, act)| {
        let payload = line(&act);
        let chain: ChainId = payload["chain"].as_str().unwrap().parse().unwrap();
        let headers =
            audit::headers(chain, payload["number"].as_u64().unwrap(), Timestamp(1_795_000_000_000));
        let headers: Map<String, Value> =
            headers.into_iter().map(|(name, value)| (name.to_owned(), value.into())).collect();
        let name = format!("{} {number}", payload["type"].as_str().unwrap());
        json!({ "name": machine_name(&name), "headers": headers, "payload": payload })
    });
    let mut message = json!({
        "name": TYPE,
        "title": TYPE,
        "headers": reference("components/schemas/audit.headers"),
        "payload": reference("components/schemas/audit.record"),
        "bindings": {
            "kafka": {
                "key": { "description": "The chain's id.", "type": "string", "format": "uuid" },
                "bindingVersion": "0.5.0"
            }
        },
        "examples": examples.collect::<Vec<_>>()
    });
    describe(&mut message, "A record of the audit log.");
    message
}

fn headers() -> Value {
    json!({
        "description": "Headers of a record: CloudEvents 1.0, binary mode of the Kafka binding.",
        "type": "object",
        "properties": {
            "ce_specversion": attribute("The version of CloudEvents.", json!({ "const": "1.0" })),
            "ce_id": attribute("The chain and the number of the record in it.", json!({})),
            "ce_source": attribute("With `ce_id` it names a record.", json!({})),
            "ce_type": attribute("The same for every record: the field `type` is what happened.", json!({ "const": TYPE })),
            "ce_time": attribute("When it happened.", json!({ "format": "date-time" })),
            "content-type": attribute("Of the value.", json!({ "const": "application/json" }))
        },
        "required": ["ce_specversion", "ce_id", "ce_source", "ce_type", "ce_time", "content-type"]
    })
}
