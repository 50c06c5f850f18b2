use std::fmt::Write;

use natter_runtime::logs::{FIELDS, FieldKind};
use serde_json::{Map, Value, json};

const HEAD: &str = "# Logs

<!-- Printed from runtime/src/logs by `UPDATE=1 cargo test -p natter-runtime --test monitoring`. -->

Every process writes its log to stderr, with `LOG_FORMAT=json` one JSON object a line. The names of fields are closed:
[log.schema.json](log.schema.json) has all of them, and a field has the same meaning in every line. A line has ids, never content, names or
secrets.

An edge writes one line for each request, when its answer was handed to the connection, and one for each socket, when it has ended:

| `message` | `level` | One for |
|---|---|---|
| `request answered` | `INFO` | each request that was answered, at most `LOG_REQUESTS` a second |
| `request refused` | `INFO` | a request that was refused, at most one a second for each `code` |
| `request failed; answered 500` | `ERROR` | each request that failed by a fault of the server |
| `socket ended` | `INFO` | each socket that has ended, at most `LOG_REQUESTS` a second |

Beyond these bounds the next line of the kind says in `count` how many it stands for, and `LOG_LEVEL=info,natter_edge=debug` writes
all of them.
";

/// What a line may have besides the fields of the table: name, type in JSON, whether every line has it, meaning.
pub const EVERY_LINE: [(&str, &str, bool, &str); 5] = [
    ("timestamp", "string", true, "when, by this machine's clock, in UTC (RFC 3339)"),
    ("level", "string", true, "`ERROR`, `WARN`, `INFO`, `DEBUG` or `TRACE`"),
    ("target", "string", true, "the module that wrote it; its crate begins with `natter`, or is a library's"),
    ("message", "string", false, "what happened; every line of Natter's own has one"),
    ("library", "object", false, "the fields of a library's line, under its own names"),
];

const fn json_type(kind: FieldKind) -> &'static str {
    match kind {
        FieldKind::Text => "string",
        FieldKind::Integer => "integer",
        FieldKind::Number => "number",
        FieldKind::Flag => "boolean",
    }
}

pub fn schema() -> String {
    let mut properties = Map::new();
    for (name, kind, _, meaning) in EVERY_LINE {
        properties.insert(name.to_owned(), json!({"type": kind, "description": meaning}));
    }
    properties["level"]["enum"] = json!(["ERROR", "WARN", "INFO", "DEBUG", "TRACE"]);
    properties["timestamp"]["format"] = json!("date-time");
    for field in FIELDS {
        let property = json!({"type": json_type(field.kind), "description": field.meaning});
        properties.insert(field.name.to_owned(), property);
    }
    let always: Vec<&str> = EVERY_LINE.iter().filter(|line| line.2).map(|line| line.0).collect();
    let schema = json!({
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "A line of the log of Natter",
        "type": "object",
        "properties": Value::Object(properties),
        "required": always,
        "additionalProperties": false,
        "if": {"properties": {"target": {"pattern": "^natter"}}},
        "then": {"required": ["message"], "properties": {"library": false}},
        "else": {"propertyNames": {"enum": EVERY_LINE.map(|line| line.0)}},
    });
    serde_json::to_string_pretty(&schema).expect("it has string keys only") + "\n"
}

pub fn page() -> String {
    let mut page = HEAD.to_owned();
    page.push_str("\n## Every line\n\n| Field | Type | Meaning |\n|---|---|---|\n");
    for (name, kind, _, meaning) in EVERY_LINE {
        let _ = writeln!(page, "| `{name}` | {kind} | {meaning} |");
    }
    page.push_str("\n## Fields\n\n| Field | Type | Meaning |\n|---|---|---|\n");
    for field in FIELDS {
        let _ = writeln!(page, "| `{}` | {} | {} |", field.name, json_type(field.kind), field.meaning);
    }
    page
}
