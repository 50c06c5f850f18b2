//! JSON that is nearly right: an example with one thing wrong at every place of it.

use jsonschema::Validator;
use serde_json::{Map, Value, json};

/// What a place may have instead. Beyond what JSON calls a number there are the raw texts of [`broken`].
fn values() -> Vec<Value> {
    let deep = (0..60).fold(json!(1), |inner, _| json!([inner]));
    vec![
        Value::Null,
        json!(true),
        json!(0),
        json!(-1),
        json!(1.5),
        json!(u64::MAX),
        json!(1e300),
        json!(""),
        json!(" \u{3000}"),
        json!("\u{0}"),
        json!("../../etc/passwd"),
        json!("x".repeat(9_000)),
        json!([]),
        json!([null]),
        json!({}),
        json!({"$ne": null}),
        deep,
    ]
}

/// Where it is wrong and how, and the text: one value replaced or left out, or none that was.
pub fn mutants(example: &Value) -> Vec<(String, Value)> {
    let mut found = vec![("as it is, and more".to_owned(), with_more(example))];
    replaced("", example, &|value| value, &mut found);
    found
}

fn with_more(example: &Value) -> Value {
    let mut more = example.clone();
    more["__proto__"] = json!({"role": "owner"});
    more["author"] = json!("01890000-0000-7000-8000-000000000000");
    more
}

/// `whole` puts a value in its place in the example.
fn replaced(place: &str, part: &Value, whole: &dyn Fn(Value) -> Value, found: &mut Vec<(String, Value)>) {
    for value in values() {
        let name: String = value.to_string().chars().take(30).collect();
        found.push((format!("{place}: {name}"), whole(value)));
    }
    match part {
        Value::Object(fields) => {
            for (name, value) in fields {
                let without: Map<_, _> =
                    fields.clone().into_iter().filter(|(field, _)| field != name).collect();
                found.push((format!("{place}.{name} is missing"), whole(Value::Object(without))));
                let with = |value| {
                    let mut fields = fields.clone();
                    fields.insert(name.clone(), value);
                    whole(Value::Object(fields))
                };
                replaced(&format!("{place}.{name}"), value, &with, found);
            }
        }
        Value::Array(items) if !items.is_empty() => {
            let many = vec![items[0].clone(); 1_001];
            found.push((format!("{place} has 1,001 items"), whole(Value::Array(many))));
            let with = |value| {
                let mut items = items.clone();
                items[0] = value;
                whole(Value::Array(items))
            };
            replaced(&format!("{place}[0]"), &items[0], &with, found);
        }
        _ => {}
    }
}

/// What is no JSON, or not one object.
pub fn broken(example: &Value) -> Vec<(&'static str, Vec<u8>)> {
    let text = example.to_string();
    let utf16 = text.encode_utf16().flat_map(u16::to_be_bytes).collect();
    let fields = text.trim_matches(['{', '}']);
    vec![
        ("nothing", Vec::new()),
        ("half of it", text.as_bytes()[..text.len() / 2].to_vec()),
        ("twice", text.repeat(2).into_bytes()),
        ("every field twice", format!("{{{fields},{fields}}}").into_bytes()),
        ("in a list", format!("[{text}]").into_bytes()),
        ("in quotes", json!(text).to_string().into_bytes()),
        ("a byte order mark", format!("\u{feff}{text}").into_bytes()),
        ("a comment", format!("{text} // end").into_bytes()),
        ("a comma at the end", format!("{{{fields},}}").into_bytes()),
        ("single quotes", text.replace('"', "'").into_bytes()),
        ("NaN", text.replacen(':', ":NaN,\"x\":", 1).into_bytes()),
        ("a number past all", text.replacen(':', ":1e999,\"x\":", 1).into_bytes()),
        ("half a pair of surrogates", text.replacen('"', "\"\\ud800", 1).into_bytes()),
        ("UTF-16", utf16),
        (
            "no UTF-8",
            text.replacen('"', "\"\u{1}", 1).bytes().map(|b| if b == 1 { 0xff } else { b }).collect(),
        ),
        ("deep", "[".repeat(30_000).into_bytes()),
        ("deep objects", "{\"a\":".repeat(10_000).into_bytes()),
    ]
}

/// Of a schema that refers to others of its document.
pub fn validator(schema: &Value, document: &Value, draft: jsonschema::Draft) -> Validator {
    let whole = json!({"allOf": [schema], "components": document["components"]});
    jsonschema::options().with_draft(draft).build(&whole).expect("a schema")
}
