//! `docs/asyncapi.json`: the WebSocket and the Kafka topics, made of the types. Printed, committed, compared (`UPDATE=1`
//! prints it again), and held against what really travels.

#![allow(clippy::unwrap_used)]

mod audit; // the topic of the audit log
mod document; // the parts put together
mod kafka; // the topic
mod socket; // the frames of either side
#[path = "../records/mod.rs"]
mod records;
#[path = "../records/audit.rs"]
mod audit_records;

use std::{collections::BTreeSet, fs};

use natter_schemas::frame::{CLIENT_TYPES, ClientFrame, ServerFrame};
use serde_json::{Map, Value, json};

use document::document;
use records::records;

const PATH: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../docs/asyncapi.json");

fn printed() -> Value {
    serde_json::from_str(&fs::read_to_string(PATH).unwrap()).unwrap()
}

/// Key and message, of all whose key begins so.
fn messages(document: &Value, prefix: &str) -> Vec<(String, Value)> {
    let all = document["components"]["messages"].as_object().unwrap();
    let found: Vec<_> = all.iter().filter(|(key, _)| key.starts_with(prefix)).collect();
    assert!(!found.is_empty(), "{prefix}");
    found.into_iter().map(|(key, message)| (key.clone(), message.clone())).collect()
}

fn examples(message: &Value) -> &[Value] {
    message["examples"].as_array().unwrap()
}

/// Of the schema at this pointer, references into the document included.
fn validator(document: &Value, schema: &Value) -> jsonschema::Validator {
    let schema = json!({ "allOf": [schema], "components": document["components"] });
    jsonschema::draft7::options().should_validate_formats(true).build(&schema).unwrap()
}

/// What a reference names.
fn resolved<'a>(document: &'a Value, schema: &'a Value) -> &'a Value {
    match schema["$ref"].as_str() {
        Some(path) => document.pointer(path.trim_start_matches('#')).unwrap(),
        None => schema,
    }
}

#[test]
fn the_printed_document_is_what_the_types_say() {
    let text = format!("{:#}\n", document());
    if std::env::var_os("UPDATE").is_some() {
        fs::write(PATH, &text).unwrap();
    }
    let held = fs::read_to_string(PATH).unwrap_or_default();
    for (line, (held, now)) in held.lines().zip(text.lines()).enumerate() {
        assert_eq!(held, now, "docs/asyncapi.json, line {}: UPDATE=1 prints it again", line + 1);
    }
    assert_eq!(held.len(), text.len(), "docs/asyncapi.json: UPDATE=1 prints it again");
}

#[test]
fn every_example_of_a_frame_is_read_by_the_real_types() {
    let document = printed();
    for (key, message) in messages(&document, "client.") {
        for example in examples(&message) {
            let frame: ClientFrame = serde_json::from_value(example["payload"].clone()).expect(&key);
            assert_eq!(serde_json::to_value(frame).unwrap(), example["payload"], "{key}");
        }
    }
    for (key, message) in messages(&document, "server.") {
        for example in examples(&message) {
            let frame: ServerFrame = serde_json::from_value(example["payload"].clone()).expect(&key);
            assert_eq!(serde_json::to_value(frame).unwrap(), example["payload"], "{key}");
        }
    }
}

#[test]
fn every_example_of_a_record_is_written_by_the_real_types() {
    let document = printed();
    let written: Vec<Value> = records()
        .into_iter()
        .map(|(_, record)| {
            let headers = record.headers.into_iter().map(|(name, value)| (name.to_owned(), json!(value)));
            let payload: Value = serde_json::from_slice(&record.value).unwrap();
            json!({ "headers": headers.collect::<Map<_, _>>(), "payload": payload })
        })
        .collect();
    let mut shown = 0;
    for (key, message) in messages(&document, "natter.") {
        for example in examples(&message) {
            let record = json!({ "headers": example["headers"], "payload": example["payload"] });
            assert!(written.contains(&record), "{key}: {record}");
            assert_eq!(example["headers"]["ce_type"], *key, "{key}");
            shown += 1;
        }
    }
    assert_eq!(shown, written.len());
}

#[test]
fn every_example_follows_its_schema() {
    let document = printed();
    for (key, message) in messages(&document, "") {
        assert!(!examples(&message).is_empty(), "{key} has no example");
        for part in ["payload", "headers"].into_iter().filter(|part| message[part].is_object()) {
            let validator = validator(&document, &message[part]);
            for example in examples(&message) {
                if let Err(error) = validator.validate(&example[part]) {
                    panic!("{key}: {error} at {}", error.instance_path());
                }
            }
        }
    }
}

#[test]
fn a_schema_refuses_an_example_without_a_field_it_needs() {
    let document = printed();
    for (key, message) in messages(&document, "") {
        let validator = validator(&document, &message["payload"]);
        let example = &examples(&message)[0]["payload"];
        let required = resolved(&document, &message["payload"])["required"].as_array().cloned();
        for field in required.unwrap_or_default() {
            let mut less = example.clone();
            less.as_object_mut().unwrap().remove(field.as_str().unwrap()).expect(&key);
            assert!(!validator.is_valid(&less), "{key} without {field}");
        }
        let mut other = example.clone();
        for value in other.as_object_mut().unwrap().values_mut() {
            *value = json!([1.5]);
        }
        assert!(!validator.is_valid(&other), "{key}: {other}");
    }
}

/// Calls `each` with every property of a schema, wherever it is.
fn properties(schema: &Value, path: &str, each: &mut impl FnMut(&str, &Value)) {
    match schema {
        Value::Object(fields) => {
            for (name, value) in fields {
                if let ("properties", Value::Object(named)) = (name.as_str(), value) {
                    for (name, value) in named {
                        each(&format!("{path}/{name}"), value);
                    }
                }
                properties(value, &format!("{path}/{name}"), each);
            }
        }
        Value::Array(items) => {
            for item in items {
                properties(item, path, each);
            }
        }
        _ => {}
    }
}

#[test]
fn every_frame_and_every_field_is_described() {
    let document = printed();
    let mut bare = Vec::new();
    for (key, message) in messages(&document, "") {
        if message["summary"].as_str().unwrap_or_default().is_empty() {
            bare.push(key);
        }
    }
    properties(&document["components"]["schemas"], "", &mut |path, schema| {
        // Its name is in the schema's.
        let is_tag = schema["const"].is_string() && path.ends_with("/type");
        if !is_tag && schema["description"].as_str().unwrap_or_default().is_empty() {
            bare.push(path.to_owned());
        }
    });
    assert!(bare.is_empty(), "a doc comment is missing at: {bare:#?}");
}

#[test]
fn every_field_of_a_frame_is_in_an_example() {
    let document = printed();
    for (key, message) in messages(&document, "") {
        let schema = resolved(&document, &message["payload"]);
        for field in schema["properties"].as_object().into_iter().flatten().map(|(field, _)| field) {
            let shown = examples(&message).iter().any(|example| !example["payload"][field].is_null());
            assert!(shown, "{key}: no example has {field}");
        }
    }
}

#[test]
fn every_message_travels_in_an_operation() {
    fn references<'a>(value: &'a Value, into: &mut BTreeSet<&'a str>) {
        for reference in value["messages"].as_array().into_iter().flatten() {
            into.insert(reference["$ref"].as_str().unwrap());
        }
    }
    let document = printed();
    let mut travel = BTreeSet::new();
    for operation in document["operations"].as_object().unwrap().values() {
        references(operation, &mut travel);
        references(&operation["reply"], &mut travel);
    }
    let mut defined = BTreeSet::new();
    for (channel, parts) in document["channels"].as_object().unwrap() {
        for key in parts["messages"].as_object().unwrap().keys() {
            defined.insert(format!("#/channels/{channel}/messages/{key}"));
        }
    }
    assert_eq!(travel, defined.iter().map(String::as_str).collect());
    assert_eq!(defined.len(), messages(&document, "").len(), "every message is in a channel");
}

#[test]
fn a_client_may_send_what_the_document_says() {
    let document = printed();
    let types: BTreeSet<_> = messages(&document, "client.")
        .into_iter()
        .map(|(_, message)| message["name"].as_str().unwrap().to_owned())
        .collect();
    assert_eq!(types, CLIENT_TYPES.iter().map(|kind| (*kind).to_owned()).collect());
}

#[test]
fn the_close_codes_are_those_of_the_contract() {
    let document = printed();
    let listed: BTreeSet<_> = document["channels"]["socket"]["x-close-codes"]
        .as_array()
        .unwrap()
        .iter()
        .map(|line| line["close"].as_u64().unwrap().to_string())
        .collect();
    let contract = include_str!("../../../docs/protocol.md");
    let line = contract.lines().find(|line| line.starts_with("Close codes:")).unwrap();
    let line = line.replace("4000–4499", "").replace("4500–4999", "");
    let written = line.split(|c: char| !c.is_ascii_digit()).filter(|word| word.len() == 4);
    assert_eq!(listed, written.map(str::to_owned).collect());
}

#[test]
fn every_header_of_a_record_is_described() {
    let document = printed();
    let headers = &document["components"]["schemas"]["kafka.headers"];
    for (name, record) in records() {
        for (header, _) in &record.headers {
            assert!(headers["properties"][header].is_object(), "{name}: {header}");
        }
        for required in headers["required"].as_array().unwrap() {
            assert!(record.headers.iter().any(|(header, _)| *header == required), "{name}: {required}");
        }
    }
}
