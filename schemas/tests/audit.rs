//! The JSON Schema of an audit record is what the types say, and every record follows it. `UPDATE=1` prints it again.
#![allow(clippy::unwrap_used)]

#[path = "records/audit.rs"]
mod audit_records;

use std::{collections::BTreeSet, fs};

use natter_schemas::audit::HashedRecord;
use serde_json::{Value, json};

use audit_records::{acts, line};

const PATH: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/audit/natter.audit.v1.schema.json");

fn schema() -> Value {
    let mut schema = schemars::schema_for!(HashedRecord<'static>).to_value();
    schema["$id"] = "urn:natter:schema:natter.audit.v1".into();
    schema["title"] = "A record of the audit log, and the value of the Kafka topic natter.audit.v1".into();
    schema
}

fn printed() -> Value {
    serde_json::from_str(&fs::read_to_string(PATH).unwrap_or_default()).unwrap_or_default()
}

fn validator() -> jsonschema::Validator {
    jsonschema::draft202012::options().should_validate_formats(true).build(&printed()).unwrap()
}

#[test]
fn the_schema_of_audit_records_is_what_the_types_say() {
    if std::env::var_os("UPDATE").is_some() {
        fs::write(PATH, format!("{:#}\n", schema())).unwrap();
    }
    assert_eq!(printed(), schema(), "UPDATE=1 prints it again");
}

#[test]
fn every_audit_record_follows_its_schema_and_nothing_else_does() {
    let validator = validator();
    let mut kinds = BTreeSet::new();
    for act in acts() {
        let record = line(&act);
        if let Err(error) = validator.validate(&record) {
            panic!("{record}: {error} at {}", error.instance_path());
        }
        kinds.insert(record["type"].as_str().unwrap().to_owned());
        for field in record.as_object().unwrap().keys() {
            // What may be null is left out by no one.
            let mut other = record.clone();
            other[field] = json!([1.5]);
            assert!(!validator.is_valid(&other), "{field}: {other}");
        }
    }
    let defined: BTreeSet<_> = printed()["oneOf"]
        .as_array()
        .unwrap()
        .iter()
        .map(|kind| kind["properties"]["type"]["const"].as_str().unwrap().to_owned())
        .collect();
    assert_eq!(kinds, defined, "there is an example of every type");
}

#[test]
fn every_field_of_an_audit_record_is_described() {
    let schema = printed();
    let parts = [vec![&schema], schema["oneOf"].as_array().unwrap().iter().collect()].concat();
    for part in parts {
        assert!(part["description"].is_string(), "{part}");
        for (name, field) in part["properties"].as_object().unwrap() {
            assert!(name == "type" || field["description"].is_string(), "{name}: {field}");
        }
    }
}
