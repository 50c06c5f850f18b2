//! Every answer that a test gets over HTTP is one that the contract (`docs/openapi.json`) describes: its status, its
//! headers, its body to the last field.

use std::{
    collections::HashMap,
    sync::{Arc, LazyLock},
};

use jsonschema::{Draft, Validator};
use parking_lot::Mutex;
use reqwest::{Method, header::HeaderMap};
use serde_json::{Value, json};

static CONTRACT: LazyLock<Contract> = LazyLock::new(Contract::read);

struct Contract {
    document: Value,
    /// The components, in which no object has fields that are not described.
    closed: Value,
    /// By the schema's place in the document.
    validators: Mutex<HashMap<String, Arc<Validator>>>,
}

/// Panics with what is not described. `path` may have a query.
#[track_caller]
pub(crate) fn expect_described(method: &Method, path: &str, status: u16, headers: &HeaderMap, body: &[u8]) {
    if let Err(wrong) = CONTRACT.check(method, path, status, headers, body) {
        panic!("{method} {path} is answered with {status}, and docs/openapi.json: {wrong}");
    }
}

impl Contract {
    fn read() -> Self {
        let text = std::fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/../docs/openapi.json"));
        let document: Value = serde_json::from_str(&text.expect("the contract is there")).expect("JSON");
        let mut closed = document["components"].clone();
        close(&mut closed["schemas"]);
        Self { document, closed, validators: Mutex::default() }
    }

    fn check(
        &self,
        method: &Method,
        path: &str,
        status: u16,
        headers: &HeaderMap,
        body: &[u8],
    ) -> Result<(), String> {
        let path = path.split('?').next().unwrap_or_default();
        let answer = match self.operation(path) {
            // No address at all.
            None => &self.document["components"]["responses"]["not_found"],
            Some(methods) => match &methods[method.as_str().to_lowercase()] {
                Value::Null => &self.document["components"]["responses"]["method_not_allowed"],
                operation => &operation["responses"][status.to_string()],
            },
        };
        let answer = self.resolve(answer);
        if answer.is_null() {
            return Err("does not know of this status".to_owned());
        }
        for (name, header) in answer["headers"].as_object().into_iter().flatten() {
            if self.resolve(header)["required"] == true && !headers.contains_key(name) {
                return Err(format!("demands the header {name}"));
            }
        }
        let Some(media) = answer["content"].as_object() else {
            return if body.is_empty() { Ok(()) } else { Err("knows of no body".to_owned()) };
        };
        let sent = headers.get("content-type").and_then(|value| value.to_str().ok()).unwrap_or_default();
        let schema = &media.get(sent).ok_or_else(|| format!("does not know of '{sent}'"))?["schema"];
        let body = serde_json::from_slice(body).map_err(|error| format!("wants JSON: {error}"))?;
        let errors: Vec<_> = self.validator(schema).iter_errors(&body).map(|e| e.to_string()).collect();
        if errors.is_empty() {
            Ok(())
        } else {
            Err(format!("does not allow {}: {body:#}", errors.join("; ")))
        }
    }

    /// The methods of the address, the plainest one that fits: `batch` before `{user}`.
    fn operation(&self, path: &str) -> Option<&Value> {
        let paths = self.document["paths"].as_object().expect("paths");
        let fits = |template: &str| {
            let parts = (template.split('/'), path.split('/'));
            parts.0.clone().count() == parts.1.clone().count()
                && parts.0.zip(parts.1).all(|(a, b)| (a.starts_with('{') && !b.is_empty()) || a == b)
        };
        let fitting = paths.iter().filter(|(template, _)| fits(template));
        fitting.min_by_key(|(template, _)| template.matches('{').count()).map(|(_, methods)| methods)
    }

    fn resolve<'a>(&'a self, value: &'a Value) -> &'a Value {
        let reference = value["$ref"].as_str().and_then(|text| text.strip_prefix('#'));
        reference.map_or(value, |pointer| self.document.pointer(pointer).expect("it leads somewhere"))
    }

    fn validator(&self, schema: &Value) -> Arc<Validator> {
        let mut validators = self.validators.lock();
        let entry = validators.entry(schema.to_string()).or_insert_with(|| {
            let mut whole = schema.clone();
            whole["components"] = self.closed.clone();
            let options = jsonschema::options().with_draft(Draft::Draft202012);
            Arc::new(options.build(&whole).expect("the edge's tests have checked it"))
        });
        entry.clone()
    }
}

/// A field that is not described is an error.
fn close(schema: &mut Value) {
    if schema.get("properties").is_some_and(Value::is_object) && schema.get("additionalProperties").is_none()
    {
        schema["additionalProperties"] = json!(false);
    }
    match schema {
        Value::Object(fields) => fields.values_mut().for_each(close),
        Value::Array(items) => items.iter_mut().for_each(close),
        _ => {}
    }
}

#[cfg(test)]
mod tests {
    use reqwest::header::{CONTENT_TYPE, HeaderValue};

    use super::*;

    fn problem(code: &str, status: u16) -> Value {
        json!({
            "type": format!("urn:natter:problem:{code}"), "title": "t", "status": status, "detail": "d",
            "code": code, "requestId": "r",
        })
    }

    fn check(
        method: &Method,
        path: &str,
        status: u16,
        kind: &'static str,
        body: &Value,
    ) -> Result<(), String> {
        let mut headers = HeaderMap::new();
        headers.insert("x-request-id", HeaderValue::from_static("r"));
        headers.insert(CONTENT_TYPE, HeaderValue::from_static(kind));
        headers.insert("allow", HeaderValue::from_static("GET"));
        headers.insert("www-authenticate", HeaderValue::from_static("Bearer"));
        let body = if body.is_null() { Vec::new() } else { body.to_string().into_bytes() };
        CONTRACT.check(method, path, status, &headers, &body)
    }

    #[test]
    fn what_is_not_described_is_found() {
        const PROBLEM: &str = "application/problem+json";
        let (get, unauthenticated) = (&Method::GET, &problem("unauthenticated", 401));
        let json = "application/json";
        assert_eq!(check(get, "/api/me", 401, PROBLEM, unauthenticated), Ok(()));
        assert_eq!(check(get, "/nowhere", 404, PROBLEM, &problem("not_found", 404)), Ok(()));
        assert_eq!(
            check(&Method::DELETE, "/health", 405, PROBLEM, &problem("method_not_allowed", 405)),
            Ok(())
        );
        assert_eq!(check(get, "/health/live?x=1", 200, json, &json!({"status": "ok"})), Ok(()));
        for (what, wrong) in [
            ("a status", check(get, "/api/me", 418, PROBLEM, unauthenticated)),
            ("a code", check(get, "/api/me", 401, PROBLEM, &problem("bad_credentials", 401))),
            ("a content type", check(get, "/api/me", 401, json, unauthenticated)),
            ("a missing header", check(get, "/api/me", 503, PROBLEM, &problem("unavailable", 503))),
            ("a field", check(get, "/health/live", 200, json, &json!({"status": "ok", "more": 1}))),
            ("a missing field", check(get, "/health/live", 200, json, &json!({}))),
            ("a body", check(&Method::POST, "/api/presence/heartbeat", 204, json, &json!({}))),
        ] {
            assert!(wrong.is_err(), "{what} that is not described passes");
        }
    }

    #[test]
    fn an_address_is_that_of_its_plainest_description() {
        let status = CONTRACT.operation("/api/presence/status/batch").expect("an address");
        assert!(status.get("post").is_some() && status.get("get").is_none());
        assert!(CONTRACT.operation("/api/presence/status/x").expect("an address").get("get").is_some());
        assert!(CONTRACT.operation("/api/users/").is_none());
    }
}
