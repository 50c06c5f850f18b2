//! The failures of HTTP as components: one response for each set of codes that some route answers with one status.

use std::collections::BTreeMap;

use natter_schemas::code::Code;
use serde_json::{Value, json};

use super::operation::{Operation, header, reference, response_name};

pub fn components(operations: &[Operation]) -> BTreeMap<String, Value> {
    // Of no operation: a known address with another method.
    let wrong_method = vec![Code::MethodNotAllowed];
    let sets = operations.iter().flat_map(|operation| operation.failures().into_values());
    sets.chain([wrong_method]).map(|codes| (response_name(&codes), component(&codes))).collect()
}

fn component(codes: &[Code]) -> Value {
    let names: Vec<_> = codes.iter().map(|code| code.name()).collect();
    let titles: Vec<_> =
        codes.iter().map(|code| format!("`{}`: {}.", code.name(), code.row().title)).collect();
    let status = codes[0].row().status;
    let mut headers = json!({"X-Request-Id": header("X-Request-Id")});
    let more: &[&str] = match status {
        401 => &["WWW-Authenticate"],
        405 => &["Allow"],
        429 => &["Retry-After", "RateLimit", "RateLimit-Policy"],
        503 => &["Retry-After"],
        _ => &[],
    };
    for name in more {
        headers[name] = header(name);
    }
    let mut schema = reference("Problem");
    schema["properties"] = json!({"status": {"const": status}, "code": {"enum": names}});
    if codes == [Code::Invalid] {
        schema["required"] = json!(["errors"]);
    }
    json!({
        "description": titles.join(" "),
        "headers": headers,
        "content": {"application/problem+json": {"schema": schema}},
    })
}

/// Headers that several responses have.
pub fn headers() -> Value {
    json!({
        "X-Request-Id": {
            "required": true, "schema": {"type": "string", "pattern": "^[!-~]{1,64}$"},
            "description": "The request's `X-Request-Id`, if it had one of 1 to 64 visible ASCII \
                            characters; else a new one.",
        },
        "Retry-After": {
            "required": true, "schema": {"type": "integer", "minimum": 1},
            "description": "Seconds after which the same request should be sent again.",
        },
        "RateLimit": {
            "schema": {"type": "string"},
            "description": "The class whose limit was met, what is left of it, and the seconds until there \
                            is more: `\"send\";r=0;t=1`. Absent where the limit is not one of a class.",
        },
        "RateLimit-Policy": {
            "schema": {"type": "string"},
            "description": "The class, its requests, and the seconds in which there are as many: \
                            `\"send\";q=20;w=1`.",
        },
        "WWW-Authenticate": {
            "required": true, "schema": {"type": "string", "const": "Bearer"},
            "description": "The scheme of `Authorization` that is expected.",
        },
        "Allow": {
            "required": true, "schema": {"type": "string"},
            "description": "The methods of this address.",
        },
    })
}
