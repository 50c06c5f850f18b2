//! Frames as `docs/asyncapi.json` has them: whatever a [`Device`](crate::Device) is sent in any test has to follow it, to
//! the last field.

use std::{
    collections::HashMap,
    sync::{
        LazyLock,
        atomic::{AtomicUsize, Ordering},
    },
};

use jsonschema::Validator;
use serde_json::{Value, json};

const DOCUMENT: &str = include_str!("../../docs/asyncapi.json");

/// Frames of a type that are checked: some tests are sent tens of thousands that are all alike.
const CHECKED: usize = 1_000;

struct Described {
    validator: Validator,
    seen: AtomicUsize,
}

/// By `type`.
static SERVER_FRAMES: LazyLock<HashMap<String, Described>> = LazyLock::new(|| {
    let mut document: Value = serde_json::from_str(DOCUMENT).expect("the document is JSON");
    close(&mut document["components"]["schemas"]);
    let messages = document["components"]["messages"].as_object().expect("the document has messages");
    let frames = messages.iter().filter(|(key, _)| key.starts_with("server."));
    let described = |message: &Value| {
        let schema = json!({ "allOf": [message["payload"]], "components": document["components"] });
        let validator = jsonschema::draft7::options().should_validate_formats(true).build(&schema);
        Described { validator: validator.expect("a schema"), seen: AtomicUsize::new(0) }
    };
    frames.map(|(_, message)| (crate::text(&message["name"]), described(message))).collect()
});

/// No object has fields that are not described.
fn close(schema: &mut Value) {
    match schema {
        Value::Object(fields) => {
            fields.values_mut().for_each(close);
            // A part of another object does not know the fields of the rest.
            if fields.get("properties").is_some_and(Value::is_object) && !fields.contains_key("allOf") {
                fields.entry("additionalProperties").or_insert(Value::Bool(false));
            }
        }
        Value::Array(items) => items.iter_mut().for_each(close),
        _ => {}
    }
}

/// Panics if the document knows no such frame, or has it otherwise.
pub(crate) fn check(frame: &Value) {
    let kind = frame["type"].as_str().unwrap_or_default();
    let Some(described) = SERVER_FRAMES.get(kind) else {
        panic!("docs/asyncapi.json has no frame like {frame}")
    };
    if described.seen.fetch_add(1, Ordering::Relaxed) >= CHECKED {
        return;
    }
    if let Err(error) = described.validator.validate(frame) {
        panic!("docs/asyncapi.json has it otherwise: {error} at '{}' of {frame}", error.instance_path());
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const AT: &str = "2026-11-21T00:00:00.007Z";

    #[test]
    fn a_frame_of_the_document_passes() {
        check(&json!({ "type": "pong", "id": 7, "serverTime": AT }));
        check(&json!({ "type": "resume:done" }));
    }

    #[test]
    #[should_panic(expected = "no frame like")]
    fn a_frame_of_another_type_does_not() {
        check(&json!({ "type": "pang", "id": 7, "serverTime": AT }));
    }

    #[test]
    #[should_panic(expected = "has it otherwise")]
    fn a_frame_that_lacks_a_field_does_not() {
        check(&json!({ "type": "pong", "id": 7 }));
    }

    #[test]
    #[should_panic(expected = "has it otherwise")]
    fn a_frame_with_another_field_does_not() {
        check(&json!({ "type": "pong", "id": 7, "serverTime": AT, "more": 1 }));
    }

    #[test]
    #[should_panic(expected = "has it otherwise")]
    fn a_field_of_another_type_does_not_pass() {
        check(&json!({ "type": "pong", "id": 7, "serverTime": 1_795_219_200 }));
    }
}
