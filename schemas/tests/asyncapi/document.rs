//! The parts put together, and what both are made with.

use serde_json::{Map, Value, json};

use crate::{audit, kafka, socket};

/// What one way to talk contributes.
pub struct Part {
    pub channel: Value,
    pub operations: Map<String, Value>,
    pub messages: Map<String, Value>,
    pub schemas: Map<String, Value>,
}

/// `docs/asyncapi.json`.
pub fn document() -> Value {
    let (socket, kafka, audit) = (socket::part(), kafka::part(), audit::part());
    let together = |parts: [Map<String, Value>; 3]| -> Value {
        let mut all = Map::new();
        for (name, value) in parts.into_iter().flatten() {
            assert!(all.insert(name.clone(), value).is_none(), "{name} is there twice");
        }
        all.into()
    };
    tidy(json!({
        "asyncapi": "3.0.0",
        "info": {
            "title": "Natter's events",
            "version": env!("CARGO_PKG_VERSION"),
            "description": "What Natter sends and takes as it happens: the WebSocket of its clients, and the Kafka topics \
                of its events and its audit log. `GET /api/openapi.json` describes the HTTP calls; docs/protocol.md is both in prose, with \
                the guarantees.",
            "license": { "name": "Apache-2.0" }
        },
        "defaultContentType": "application/json",
        "servers": {
            "node": {
                "host": "localhost:3000",
                "protocol": "ws",
                "description": "`natter dev`, or an edge of a deployment; `wss` where the edge has a certificate, or behind a proxy that ends TLS."
            },
            "brokers": {
                "host": "localhost:9092",
                "protocol": "kafka",
                "description": "The brokers that `KAFKA_BROKERS` names; TLS and SASL as they are set there."
            }
        },
        "channels": { "socket": socket.channel, "events": kafka.channel, "audit": audit.channel },
        "operations": together([socket.operations, kafka.operations, audit.operations]),
        "components": {
            "correlationIds": {
                "request": {
                    "description": "The client's own identifier of a request; the answer repeats it as it was sent.",
                    "location": "$message.payload#/id"
                }
            },
            "messages": together([socket.messages, kafka.messages, audit.messages]),
            "schemas": together([socket.schemas, kafka.schemas, audit.schemas])
        }
    }))
}

pub fn reference(path: &str) -> Value {
    json!({ "$ref": format!("#/{path}") })
}

/// References to messages of a channel.
pub fn messages_of(channel: &str, keys: impl IntoIterator<Item = String>) -> Vec<Value> {
    keys.into_iter().map(|key| reference(&format!("channels/{channel}/messages/{key}"))).collect()
}

/// The `messages` of a channel: every one that was defined.
pub fn all_of(messages: &Map<String, Value>) -> Value {
    messages.keys().map(|key| (key.clone(), reference(&format!("components/messages/{key}")))).collect()
}

/// A name for an example: letters, digits and hyphens.
pub fn machine_name(text: &str) -> String {
    text.split(|c: char| !c.is_ascii_alphanumeric())
        .filter(|word| !word.is_empty())
        .collect::<Vec<_>>()
        .join("-")
}

/// The first sentence as its summary, and all of it where there is more.
pub fn describe(message: &mut Value, text: &str) {
    let summary = text.split_once(". ").map_or(text, |(first, _)| first).trim_end_matches('.');
    message["summary"] = summary.into();
    if summary.len() + 1 < text.len() {
        message["description"] = text.into();
    }
}

/// Keys in their order, so that no dependency changes it; one line a description; and `$ref` alone in its object, as
/// JSON Schema's draft 7 wants it, which schemas here are of.
fn tidy(value: Value) -> Value {
    match value {
        Value::Object(fields) => {
            let mut fields: Vec<_> = fields.into_iter().map(|(key, value)| (key, tidy(value))).collect();
            fields.sort_by(|a, b| a.0.cmp(&b.0));
            Value::Object(alone(fields.into_iter().collect()))
        }
        Value::Array(items) => items.into_iter().map(tidy).collect(),
        other => other,
    }
}

fn alone(mut fields: Map<String, Value>) -> Map<String, Value> {
    if let Some(Value::String(text)) = fields.get_mut("description") {
        *text = text.split_whitespace().collect::<Vec<_>>().join(" ");
    }
    // Absent is what null means in every frame.
    fields.retain(|key, value| !(key == "default" && value.is_null()));
    if fields.len() > 1
        && let Some(reference) = fields.remove("$ref")
    {
        assert!(!fields.contains_key("allOf"), "{fields:?}");
        fields.insert("allOf".to_owned(), json!([{ "$ref": reference }]));
        let mut sorted: Vec<_> = fields.into_iter().collect();
        sorted.sort_by(|a, b| a.0.cmp(&b.0));
        return sorted.into_iter().collect();
    }
    fields
}
