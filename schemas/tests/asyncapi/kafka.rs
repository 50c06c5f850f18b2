//! The Kafka topic: its values are those of `schemas/kafka`, a message for each `ce_type`.

use natter_schemas::cloudevent::{self, Record, SOURCE, TOPIC};
use serde_json::{Map, Value, json};

use crate::{
    document::{Part, all_of, describe, machine_name, messages_of, reference},
    records::records,
};

const VALUES: &str = include_str!("../../kafka/natter.events.v1.schema.json");

const DESCRIPTION: &str = "Every event of the deployment, for consumers; there when `KAFKA_BROKERS` is set. It has as many \
    partitions as the deployment has log partitions (`PARTITIONS`): Kafka partition p holds log partition p in its order. \
    Records are CloudEvents 1.0 in the binary mode of its Kafka binding, keyed by conversation. Within a partition and a \
    `natter-epoch`, `natter-seq` rises by exactly 1: a jump means that events are missing, a seq that is not above the last \
    one is a repeat and is dropped by the consumer. `ce_id` identifies an event for ever. The topic is never compacted, \
    which would leave gaps; how long it keeps records is the brokers' setting. Fields are only ever added; an incompatible \
    change gets a type that ends in `.v2`.";

/// The messages, the operation and the schemas of the topic.
pub fn part() -> Part {
    let values: Value = serde_json::from_str(VALUES).unwrap();
    let definitions = values["$defs"].as_object().unwrap();
    let mut schemas: Map<String, Value> =
        definitions.iter().map(|(name, schema)| (key(name), renamed(schema, &key))).collect();
    schemas.insert(key("headers"), headers());
    let types = values["anyOf"].as_array().unwrap().iter().map(|reference| {
        let name = reference["$ref"].as_str().unwrap();
        name.trim_start_matches("#/$defs/").to_owned()
    });
    let messages: Map<String, Value> =
        types.map(|kind| (kind.clone(), message(&kind, &definitions[&kind]))).collect();
    let mut operations = Map::new();
    operations.insert("mirror".to_owned(), operation(&messages));
    Part { channel: channel(&messages), operations, messages, schemas }
}

fn key(definition: &str) -> String {
    format!("kafka.{definition}")
}

/// With references into this document, where `name` is what a definition is called.
pub fn renamed(schema: &Value, name: &impl Fn(&str) -> String) -> Value {
    match schema {
        Value::Object(fields) => fields
            .iter()
            .map(|(field, value)| (field.clone(), renamed(value, name)))
            .collect::<Map<_, _>>()
            .into(),
        Value::Array(items) => items.iter().map(|item| renamed(item, name)).collect(),
        Value::String(text) => match text.strip_prefix("#/$defs/") {
            Some(definition) => format!("#/components/schemas/{}", name(definition)).into(),
            None => text.clone().into(),
        },
        other => other.clone(),
    }
}

fn message(kind: &str, definition: &Value) -> Value {
    let description = definition["description"].as_str().unwrap_or_default();
    let of_kind = |record: &Record| record.headers.contains(&(cloudevent::TYPE, kind.to_owned()));
    let examples = records().into_iter().filter(|(_, record)| of_kind(record)).map(|(name, record)| {
        let payload: Value = serde_json::from_slice(&record.value).unwrap();
        let headers: Map<String, Value> =
            record.headers.into_iter().map(|(name, value)| (name.to_owned(), value.into())).collect();
        json!({ "name": machine_name(&name), "headers": headers, "payload": payload })
    });
    let mut message = json!({
        "name": kind,
        "title": kind,
        "headers": {
            "type": "object",
            "allOf": [reference(&format!("components/schemas/{}", key("headers")))],
            "properties": { (cloudevent::TYPE): { "type": "string", "const": kind } }
        },
        "payload": reference(&format!("components/schemas/{}", key(kind))),
        "bindings": {
            "kafka": {
                "key": {
                    "description": "The conversation's id. Null only for an unreadable event of an unknown conversation.",
                    "type": ["string", "null"],
                    "format": "uuid"
                },
                "bindingVersion": "0.5.0"
            }
        },
        "examples": examples.collect::<Vec<_>>()
    });
    describe(&mut message, description);
    message
}

/// A header of a record: UTF-8, with the rule that its value keeps.
pub fn attribute(description: &str, rule: Value) -> Value {
    let Value::Object(rule) = rule else { panic!("a rule is an object: {rule}") };
    let mut schema = json!({ "type": "string", "description": description });
    schema.as_object_mut().unwrap().extend(rule);
    schema
}

/// `CloudEvents` attributes and extensions.
fn headers() -> Value {
    json!({
        "description": "Headers of a record: CloudEvents 1.0, binary mode of the Kafka binding.",
        "type": "object",
        "properties": {
            "ce_specversion": attribute("The version of CloudEvents.", json!({ "const": "1.0" })),
            (cloudevent::ID): attribute(
                "The event's id, wherever and whenever it is mirrored: consumers identify an event by it.",
                json!({ "format": "uuid" }),
            ),
            "ce_source": attribute("With `ce_id` it names an event.", json!({ "const": SOURCE })),
            (cloudevent::TYPE): attribute("What happened.", json!({})),
            "ce_time": attribute(
                "When; missing for an unreadable event.",
                json!({ "format": "date-time" }),
            ),
            "ce_subject": attribute(
                "The conversation's id; missing only for an unreadable event of an unknown conversation.",
                json!({ "format": "uuid" }),
            ),
            "content-type": attribute("Of the value.", json!({ "const": "application/json" })),
            "traceparent": attribute(
                "W3C Trace Context of the request that caused the event, when there was one.",
                json!({}),
            ),
            (cloudevent::SEQ): attribute(
                "Position in the log partition: rises by exactly 1 from record to record.",
                json!({ "pattern": "^[1-9][0-9]*$" }),
            ),
            (cloudevent::EPOCH): attribute(
                "Another one means that the log was created again: seqs of two epochs do not compare.",
                json!({}),
            )
        },
        "required": [
            "ce_specversion", cloudevent::ID, "ce_source", cloudevent::TYPE, "content-type", cloudevent::SEQ,
            cloudevent::EPOCH
        ]
    })
}

fn operation(messages: &Map<String, Value>) -> Value {
    json!({
        "action": "send",
        "channel": reference("channels/events"),
        "title": "mirror",
        "summary": "A worker's job `mirror` copies the log, complete and in order",
        "messages": messages_of("events", messages.keys().cloned())
    })
}

fn channel(messages: &Map<String, Value>) -> Value {
    json!({
        "address": TOPIC,
        "title": "The Kafka topic",
        "description": DESCRIPTION,
        "servers": [reference("servers/brokers")],
        "messages": all_of(messages),
        "bindings": {
            "kafka": {
                "topic": TOPIC,
                "topicConfiguration": { "cleanup.policy": ["delete"] },
                "bindingVersion": "0.5.0"
            }
        }
    })
}
