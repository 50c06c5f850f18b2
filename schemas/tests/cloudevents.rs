//! What consumers of Kafka get: its published schema, its golden records, and that neither moves away from those
//! who read it.

#![allow(clippy::unwrap_used)]

mod records;

use std::{
    collections::{BTreeMap, BTreeSet},
    fmt::Write as _,
    fs,
    path::PathBuf,
};

use natter_schemas::cloudevent::{self, Content, Position, Record};
use serde_json::{Value, json};

use records::{EPOCH, at, events, records};

fn folder() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR"))
}

fn value(record: &Record) -> Value {
    serde_json::from_slice(&record.value).unwrap()
}

fn header<'a>(record: &'a Record, name: &str) -> Option<&'a str> {
    let mut found = record.headers.iter().filter(|(header, _)| *header == name);
    let first = found.next().map(|(_, value)| value.as_str());
    assert!(found.next().is_none(), "{name} is there twice");
    first
}

fn published() -> Value {
    read("kafka/natter.events.v1.schema.json")
}

fn read(path: &str) -> Value {
    serde_json::from_str(&fs::read_to_string(folder().join(path)).unwrap()).unwrap()
}

/// Every schema that was ever published, oldest first.
fn earlier() -> Vec<(String, Value)> {
    let names = fs::read_dir(folder().join("kafka/earlier")).unwrap();
    let names: BTreeSet<_> = names.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
    names.into_iter().map(|name| (name.clone(), read(&format!("kafka/earlier/{name}")))).collect()
}

/// The schema narrowed to the definition of one `ce_type`.
fn of_type(schema: &Value, kind: &str) -> jsonschema::Validator {
    assert!(schema["$defs"][kind].is_object(), "{kind} has no definition");
    let mut narrowed = schema.clone();
    narrowed["anyOf"] = json!([{ "$ref": format!("#/$defs/{kind}") }]);
    jsonschema::draft202012::options().should_validate_formats(true).build(&narrowed).unwrap()
}

#[test]
fn every_kind_of_event_follows_the_published_schema() {
    let schema = published();
    assert!(jsonschema::meta::is_valid(&schema));
    for (name, record) in records() {
        let kind = header(&record, cloudevent::TYPE).unwrap();
        if let Err(error) = of_type(&schema, kind).validate(&value(&record)) {
            panic!("{name}: {error} at {}", error.instance_path());
        }
    }
    let written: BTreeSet<_> =
        records().iter().map(|(_, record)| header(record, cloudevent::TYPE).unwrap().to_owned()).collect();
    let defined = schema["anyOf"]
        .as_array()
        .unwrap()
        .iter()
        .map(|reference| reference["$ref"].as_str().unwrap().trim_start_matches("#/$defs/").to_owned());
    assert_eq!(defined.collect::<BTreeSet<_>>(), written, "every type is written, every written one defined");
}

#[test]
fn the_schema_refuses_what_is_not_an_event() {
    let schema = published();
    let (_, posted) = records().into_iter().find(|(name, _)| name == "posted-plain").unwrap();
    let kind = header(&posted, cloudevent::TYPE).unwrap();
    let good = value(&posted);
    for (field, bad) in [
        ("id", json!("7")),
        ("seq", json!("41")),
        ("senderId", Value::Null),
        ("createdAt", json!("yesterday")),
        ("content", json!({"keyVersion": 1})),
        ("replyTo", json!(0)),
    ] {
        let mut value = good.clone();
        value[field] = bad.clone();
        assert!(!of_type(&schema, kind).is_valid(&value), "{field}: {bad}");
        value.as_object_mut().unwrap().remove(field);
        assert_eq!(of_type(&schema, kind).is_valid(&value), field == "content", "without {field}");
    }
}

#[test]
fn every_field_that_is_written_is_documented() {
    let schema = published();
    for (name, record) in records() {
        let definition = &schema["$defs"][header(&record, cloudevent::TYPE).unwrap()];
        let common = &schema["$defs"]["event"]["properties"];
        for field in value(&record).as_object().unwrap().keys() {
            let documented = [&definition["properties"], common].iter().any(|p| p[field].is_object());
            assert!(documented, "{name}: {field}");
        }
    }
}

#[test]
fn who_reads_by_an_earlier_schema_can_read_what_is_written_today() {
    let earlier = earlier();
    let newest = earlier.last().expect("the first version is kept");
    assert_eq!(newest.1, published(), "a changed schema is also kept, under a new name, in kafka/earlier");
    for (version, schema) in earlier {
        for (name, record) in records() {
            let kind = header(&record, cloudevent::TYPE).unwrap();
            // A type that is newer than the schema is nothing its readers know.
            if schema["$defs"][kind].is_object() {
                assert!(of_type(&schema, kind).is_valid(&value(&record)), "{version}: {name}");
            }
        }
    }
}

/// One line a record. `UPDATE=1` adds what is new; no run ever changes a line.
fn golden() -> BTreeMap<String, Value> {
    let path = folder().join("tests/samples/kafka_records.jsonl");
    let mut text = fs::read_to_string(&path).unwrap_or_default();
    let parse = |text: &str| -> BTreeMap<String, Value> {
        let lines = text.lines().map(|line| serde_json::from_str::<Value>(line).unwrap());
        lines.map(|line| (line["name"].as_str().unwrap().to_owned(), line)).collect()
    };
    if std::env::var_os("UPDATE").is_some() {
        let known = parse(&text);
        for (name, record) in records().into_iter().filter(|(name, _)| !known.contains_key(name)) {
            let _ = writeln!(text, "{}", printed(&name, &record));
        }
        fs::write(&path, &text).unwrap();
    }
    parse(&text)
}

fn printed(name: &str, record: &Record) -> Value {
    let headers: Vec<_> = record.headers.iter().map(|(name, value)| format!("{name}: {value}")).collect();
    let value = String::from_utf8(record.value.clone()).unwrap();
    json!({ "name": name, "key": record.key, "headers": headers, "value": value })
}

/// Fields may be added to what was once written; none goes away or says something else.
#[test]
fn every_kind_of_event_still_makes_its_golden_record() {
    let mut golden = golden();
    for (name, record) in records() {
        let line = golden.remove(&name).unwrap_or_else(|| panic!("{name}: no line (UPDATE=1 adds it)"));
        assert_eq!(line["key"], json!(record.key), "{name}");
        let headers = printed(&name, &record)["headers"].clone();
        for header in line["headers"].as_array().unwrap() {
            assert!(headers.as_array().unwrap().contains(header), "{name}: {header}");
        }
        let once: Value = serde_json::from_str(line["value"].as_str().unwrap()).unwrap();
        let today = value(&record);
        for (field, said) in once.as_object().unwrap() {
            assert_eq!(today.get(field), Some(said), "{name}: {field}");
        }
    }
    assert!(golden.is_empty(), "lines without a record: {:?}", golden.keys());
}

#[test]
fn the_headers_are_those_of_cloudevents_in_binary_mode() {
    for (name, event) in events() {
        let record = cloudevent::record(at(41), &event, Content::Sealed);
        let has = |header_name: &str, expected: &str| {
            assert_eq!(header(&record, header_name), Some(expected), "{name}");
        };
        has("ce_specversion", "1.0");
        has("ce_id", &event.id.to_string());
        has("ce_source", "/natter");
        has("ce_type", cloudevent::type_of(&event.kind));
        has("ce_time", &event.at.to_string());
        has("ce_subject", &event.conversation.to_string());
        has("content-type", "application/json");
        has("natter-seq", "41");
        has("natter-epoch", EPOCH);
        assert_eq!(header(&record, "traceparent"), event.traceparent.as_deref(), "{name}");
        assert_eq!(record.key, Some(event.conversation.to_string()), "{name}");
    }
}

#[test]
fn content_goes_out_by_the_policy() {
    let content = |name: &str, policy| {
        let (_, event) = events().into_iter().find(|(n, _)| n == name).unwrap();
        value(&cloudevent::record(at(41), &event, policy)).get("content").cloned()
    };
    let sealed = json!({ "keyVersion": 300, "nonce": "CQkJCQkJCQkJCQkJ", "ciphertext": "AAEC/w==" });
    for policy in [Content::Sealed, Content::Plain] {
        assert_eq!(content("posted-plain", policy), Some(json!("Grüße 👋")));
        assert_eq!(content("edited-plain", policy), Some(json!("better")));
        assert_eq!(content("posted-sealed", policy), Some(sealed.clone()), "without a key it stays sealed");
    }
    for name in ["posted-plain", "posted-sealed", "edited-plain", "edited-sealed"] {
        assert_eq!(content(name, Content::Omitted), None, "{name}");
    }
}

#[test]
fn an_unreadable_event_has_an_id_of_its_position() {
    let unreadable = |seq, epoch| {
        let at = Position { epoch, ..at(seq) };
        header(&cloudevent::unreadable(at, None), cloudevent::ID).unwrap().to_owned()
    };
    assert_eq!(unreadable(41, EPOCH), unreadable(41, EPOCH));
    assert_ne!(unreadable(41, EPOCH), unreadable(42, EPOCH));
    assert_ne!(unreadable(41, EPOCH), unreadable(41, "another"));
}
