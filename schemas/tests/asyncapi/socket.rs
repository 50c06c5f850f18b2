//! The WebSocket: every frame of either side, what answers what, and how it ends.

use std::collections::BTreeMap;

use natter_schemas::{
    code::Code,
    frame::{ClientFrame, SUBPROTOCOL, ServerFrame},
};
use schemars::{JsonSchema, generate::SchemaSettings};
use serde_json::{Map, Value, json};

use crate::document::{Part, all_of, describe, machine_name, messages_of, reference};

const CLIENT_SAMPLES: &str = include_str!("../samples/client_frames.jsonl");
const SERVER_SAMPLES: &str = include_str!("../samples/server_frames.jsonl");

/// Frames of a client, and those that answer them.
const REQUESTS: &[(&str, &[&str])] = &[
    ("hello", &["welcome", "resume:gap", "resume:done", "error"]),
    ("send", &["ack", "error"]),
    ("edit", &["ack", "error"]),
    ("delete", &["ack", "error"]),
    ("react", &["ack", "error"]),
    ("join", &["joined", "error"]),
    ("leave", &["ack", "error"]),
    ("typing", &["error"]),
    ("read", &["read:ack", "error"]),
    ("resume", &["resume:gap", "resume:done", "error"]),
    ("ping", &["pong", "error"]),
    ("token", &["ack", "error"]),
];

/// Frames that answer nothing.
const UNASKED: &[&str] = &[
    "message:new",
    "message:edited",
    "message:deleted",
    "reaction:changed",
    "member:changed",
    "conversation:updated",
    "conversation:added",
    "conversation:removed",
    "read:receipt",
    "typing",
    "presence",
    "heads",
    "error",
    "goodbye",
];

const DESCRIPTION: &str = "One socket of one device. Text frames, each of one JSON object with `type` first; unknown fields \
    are ignored. The client sends `hello` within 10 s of the upgrade; no secret is part of the URL. Every conversation of \
    the user is sent to every socket, without a `join`. Within a conversation `seq` only rises, and every event names the \
    one before it as `prevSeq`: a client that holds another one has a gap, and sends `resume`. A frame that is not JSON, of \
    an unknown `type`, or with a wrong field is answered with `error`, and the socket stays open; a binary frame, a second \
    `hello`, a frame above the limit, or too many frames close it.";

/// The messages, operations and schemas of both directions.
pub fn part() -> Part {
    let mut part =
        Part { channel: Value::Null, operations: Map::new(), messages: Map::new(), schemas: Map::new() };
    let contract = SchemaSettings::draft07();
    add::<ClientFrame>(&mut part, "client", contract.clone().for_deserialize(), CLIENT_SAMPLES);
    add::<ServerFrame>(&mut part, "server", contract.for_serialize(), SERVER_SAMPLES);
    for (kind, answers) in REQUESTS {
        let answers = answers.iter().map(|answer| key("server", answer));
        let mut operation = operation(&part.messages, "receive", &key("client", kind));
        operation["reply"] =
            json!({ "channel": reference("channels/socket"), "messages": messages_of("socket", answers) });
        part.operations.insert(key("client", kind), operation);
    }
    for kind in UNASKED {
        let key = key("server", kind);
        let operation = operation(&part.messages, "send", &key);
        part.operations.insert(key, operation);
    }
    part.channel = channel(&part.messages);
    part
}

/// Names in the document have no colon.
fn key(side: &str, kind: &str) -> String {
    format!("{side}.{}", kind.replace(':', "."))
}

/// The frames of one side: a schema and a message each.
fn add<T: JsonSchema>(part: &mut Part, side: &str, contract: SchemaSettings, samples: &str) {
    let mut generator =
        contract.with(|settings| settings.definitions_path = "/components/schemas".into()).into_generator();
    let frames = T::json_schema(&mut generator).to_value();
    for (name, schema) in generator.take_definitions(true) {
        if let Some(other) = part.schemas.insert(name.clone(), schema.clone()) {
            assert_eq!(other, schema, "{name} differs between the directions");
        }
    }
    for frame in frames["oneOf"].as_array().unwrap() {
        let kind = frame["properties"]["type"]["const"].as_str().unwrap();
        let key = key(side, kind);
        part.messages.insert(key.clone(), message(&key, kind, frame, samples));
        part.schemas.insert(key, frame.clone());
    }
}

fn message(key: &str, kind: &str, frame: &Value, samples: &str) -> Value {
    let description = frame["description"].as_str().unwrap_or_default().replace('\n', " ");
    let of_kind = |sample: &Value| sample["type"] == kind;
    let examples = samples.lines().map(|line| serde_json::from_str::<Value>(line).unwrap()).filter(of_kind);
    let examples = examples.enumerate().map(
        |(n, payload)| json!({ "name": format!("{}-{}", machine_name(key), n + 1), "payload": payload }),
    );
    let mut message = json!({
        "name": kind,
        "title": kind,
        "payload": reference(&format!("components/schemas/{key}")),
        "examples": examples.collect::<Vec<_>>()
    });
    describe(&mut message, &description);
    if frame["properties"]["id"].is_object() {
        message["correlationId"] = reference("components/correlationIds/request");
    }
    message
}

fn operation(messages: &Map<String, Value>, action: &str, key: &str) -> Value {
    let message = &messages[key];
    json!({
        "action": action,
        "channel": reference("channels/socket"),
        "title": message["title"],
        "summary": message["summary"],
        "messages": messages_of("socket", [key.to_owned()])
    })
}

fn channel(messages: &Map<String, Value>) -> Value {
    json!({
        "address": "/ws",
        "title": "The WebSocket",
        "description": DESCRIPTION,
        "servers": [reference("servers/node")],
        "messages": all_of(messages),
        "bindings": {
            "ws": { "method": "GET", "headers": upgrade(), "bindingVersion": "0.1.0" }
        },
        "x-subprotocol": SUBPROTOCOL,
        "x-close-codes": close_codes()
    })
}

/// Headers of the request that becomes the socket, beside those of RFC 6455.
fn upgrade() -> Value {
    json!({
        "type": "object",
        "properties": {
            "Sec-WebSocket-Protocol": {
                "description": "The version of this protocol. A client that offers only others is refused with 400; one that \
                    offers none is taken to mean this one.",
                "type": "string",
                "const": SUBPROTOCOL
            },
            "Sec-WebSocket-Version": { "description": "RFC 6455.", "type": "string", "const": "13" },
            "Origin": {
                "description": "Sent by browsers: one of `CORS_ORIGINS`, or that of this very node; others are refused with 403.",
                "type": "string"
            }
        },
        "required": ["Sec-WebSocket-Version"]
    })
}

/// Why the server closes a socket, and what a client does then.
fn close_codes() -> Vec<Value> {
    let mut by_code = BTreeMap::<u16, Vec<Code>>::new();
    for code in Code::ALL {
        if let Some(close) = code.row().close {
            by_code.entry(close).or_default().push(*code);
        }
    }
    let line = |(close, codes): (u16, Vec<Code>)| {
        let reasons = codes.iter().map(|code| json!({ "code": code.name(), "title": code.row().title }));
        json!({ "close": close, "reasons": reasons.collect::<Vec<_>>(), "client": codes[0].row().advice.text() })
    };
    by_code.into_iter().map(line).collect()
}
