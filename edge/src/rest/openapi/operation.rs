//! One operation: what a route takes and how it answers.
#![expect(clippy::needless_pass_by_value, reason = "JSON is written where it is given: `&` would be noise")]

use std::collections::BTreeMap;

use natter_schemas::{code::Code, limits};
use serde_json::{Map, Value, json};

use super::types::ID;
use crate::costs::{self, RouteCost};

/// A route as the document describes it. What all routes have in common is added by [`Operation::json`].
pub struct Operation {
    pub method: &'static str,
    pub path: &'static str,
    pub codes: Vec<Code>,
    fields: Map<String, Value>,
    parameters: Vec<Value>,
    answers: BTreeMap<u16, Value>,
}

pub fn operation(
    (method, path): (&'static str, &'static str),
    id: &str,
    (tag, summary): (&str, &str),
) -> Operation {
    let fields = json!({"operationId": id, "tags": [tag], "summary": summary});
    let Value::Object(fields) = fields else { unreachable!("an object") };
    let parameters = path.split('/').filter_map(|part| part.strip_prefix('{')?.strip_suffix('}'));
    let parameters = parameters.map(|name| path_parameter(path, name)).collect();
    Operation { method, path, codes: Vec::new(), fields, parameters, answers: BTreeMap::new() }
}

/// A part of a path that is not of its form names nothing that exists.
fn path_parameter(path: &str, name: &str) -> Value {
    let (schema, description) = match name {
        "id" if path.starts_with("/api/users") => (reference("UserId"), "The user."),
        "id" => (reference("ConversationId"), "The conversation."),
        "user" => (reference("UserId"), "The user."),
        "session" => (reference("SessionId"), "The session."),
        "seq" => (seq(), "The message's place in its conversation."),
        "emoji" => (
            json!({"type": "string", "minLength": 1, "maxLength": limits::EMOJI}),
            "One emoji of Unicode's list, in whichever spelling.",
        ),
        other => panic!("what is {{{other}}}?"),
    };
    let example = match name {
        "seq" => json!(42),
        "emoji" => json!("👍"),
        _ => json!(ID),
    };
    json!({
        "name": name, "in": "path", "required": true, "schema": schema, "description": description,
        "example": example,
    })
}

pub fn reference(name: &str) -> Value {
    json!({"$ref": format!("#/components/schemas/{name}")})
}

/// Seqs are kept with 63 bits.
pub fn seq() -> Value {
    json!({"type": "integer", "format": "int64", "minimum": 0, "maximum": i64::MAX})
}

impl Operation {
    /// What its summary leaves open, in Markdown.
    pub fn about(mut self, text: &str) -> Self {
        self.fields.insert("description".into(), json!(text));
        self
    }

    pub fn query(mut self, name: &str, (required, schema): (bool, Value), description: &str) -> Self {
        self.parameters.push(json!({
            "name": name, "in": "query", "required": required, "schema": schema, "description": description,
        }));
        self
    }

    pub fn limit(self, default: usize, most: usize) -> Self {
        let schema = json!({"type": "integer", "minimum": 1, "maximum": most, "default": default});
        self.query("limit", (false, schema), "Items of one page.")
    }

    /// Pages: `cursor`, and `limit` as most lists have it.
    pub fn pages(self) -> Self {
        self.limit(limits::PAGE_DEFAULT, *limits::PAGE.end()).cursor()
    }

    pub fn cursor(self) -> Self {
        let text = "The `nextCursor` of the page before; opaque.";
        self.query("cursor", (false, json!({"type": "string"})), text)
    }

    pub fn idempotency_key(mut self, description: &str) -> Self {
        self.parameters.push(json!({
            "name": "Idempotency-Key", "in": "header", "required": false, "description": description,
            "schema": {"type": "string", "pattern": "^[!-~]+$", "minLength": 1, "maxLength": limits::CLIENT_ID},
        }));
        self.codes([Code::IdempotencyMismatch])
    }

    pub fn body(self, schema: Value, example: Value) -> Self {
        self.content(true, schema, example)
    }

    pub fn optional_body(self, schema: Value, example: Value) -> Self {
        self.content(false, schema, example)
    }

    fn content(mut self, required: bool, schema: Value, example: Value) -> Self {
        let content = json!({"application/json": {"schema": schema, "example": example}});
        self.fields.insert("requestBody".into(), json!({"required": required, "content": content}));
        self.codes([Code::Malformed, Code::TooLarge, Code::UnsupportedMediaType, Code::Invalid])
    }

    pub fn answer(mut self, Answer { status, json }: Answer) -> Self {
        self.answers.insert(status, json);
        self
    }

    pub fn codes(mut self, codes: impl IntoIterator<Item = Code>) -> Self {
        for code in codes {
            if !self.codes.contains(&code) {
                self.codes.push(code);
            }
        }
        self
    }

    /// For other operations than those with a token of their own.
    pub fn security(mut self, schemes: Value) -> Self {
        self.fields.insert("security".into(), schemes);
        self
    }

    /// With what every route has: the gate's refusals, those of its parameters, what it costs.
    pub fn finish(self) -> Self {
        let cost = costs::of_route(self.method, self.path)
            .unwrap_or_else(|| panic!("{} {} is no route", self.method, self.path));
        let mut operation = self;
        if !operation.parameters.is_empty() {
            // Percent-encoded bytes that are not UTF-8.
            operation = operation.codes([Code::Malformed]);
        }
        if operation.parameters.iter().any(|parameter| parameter["in"] != "path") {
            operation = operation.codes([Code::Invalid]);
        }
        if operation.path.contains('{') {
            operation = operation.codes([Code::NotFound]);
        }
        let (of, cost) = match cost {
            RouteCost::User(cost) => ("user", cost),
            RouteCost::Address(cost) => ("address", cost),
            RouteCost::Free => return operation.default_security(json!([])),
        };
        let tokens = json!({"class": cost.class.name(), "tokens": cost.weight.get(), "of": of});
        operation.fields.insert("x-natter-cost".into(), tokens);
        let operation = operation.codes([Code::RateLimited, Code::Internal, Code::Unavailable]);
        match of {
            "user" => operation
                .codes([Code::Unauthenticated, Code::TokenExpired])
                .default_security(json!([{"bearer": []}])),
            _ => operation.default_security(json!([])),
        }
    }

    fn default_security(mut self, schemes: Value) -> Self {
        self.fields.entry("security").or_insert(schemes);
        self
    }

    /// Its codes, by their status.
    pub fn failures(&self) -> BTreeMap<u16, Vec<Code>> {
        let mut by_status: BTreeMap<u16, Vec<Code>> = BTreeMap::new();
        for code in Code::ALL.iter().filter(|code| self.codes.contains(code)) {
            by_status.entry(code.row().status).or_default().push(*code);
        }
        by_status
    }

    pub fn json(mut self) -> Value {
        for (status, codes) in self.failures() {
            let shared = json!({"$ref": format!("#/components/responses/{}", response_name(&codes))});
            let free = self.answers.insert(status, shared).is_none();
            assert!(free, "{} {} answers {status} in two ways", self.method, self.path);
        }
        if !self.parameters.is_empty() {
            self.fields.insert("parameters".into(), json!(self.parameters));
        }
        let answers = self.answers.into_iter().map(|(status, json)| (status.to_string(), json));
        self.fields.insert("responses".into(), Value::Object(answers.collect()));
        Value::Object(self.fields)
    }
}

/// Of the component that has these codes; they have one status.
pub fn response_name(codes: &[Code]) -> String {
    codes.iter().map(|code| code.name()).collect::<Vec<_>>().join(".")
}

/// A way in which an operation answers that is no failure.
pub struct Answer {
    status: u16,
    json: Value,
}

impl Answer {
    /// Without a body.
    pub fn none(status: u16, description: &str) -> Self {
        let json = json!({"description": description, "headers": {"X-Request-Id": header("X-Request-Id")}});
        Self { status, json }
    }

    pub fn json(status: u16, description: &str, schema: Value) -> Self {
        let mut answer = Self::none(status, description);
        answer.json["content"] = json!({"application/json": {"schema": schema}});
        answer
    }

    /// 201, with the address of what was made.
    pub fn created(description: &str, schema: Value, place: &str) -> Self {
        let text = format!("`{place}`");
        Self::json(201, description, schema).header("Location", json!({"type": "string"}), (true, &text))
    }

    pub fn header(mut self, name: &str, schema: Value, (required, description): (bool, &str)) -> Self {
        self.json["headers"][name] =
            json!({"schema": schema, "required": required, "description": description});
        self
    }

    pub fn replayed(self) -> Self {
        let schema = json!({"type": "string", "const": "true"});
        self.header("Idempotency-Replayed", schema, (false, "The answer of an earlier request, again."))
    }

    /// What can be done next: an operation, and its parameters or body out of this answer.
    pub fn link(mut self, operation: &str, values: Value) -> Self {
        let mut link = values;
        link["operationId"] = json!(operation);
        self.json["links"][operation] = link;
        self
    }
}

pub fn header(name: &str) -> Value {
    json!({"$ref": format!("#/components/headers/{name}")})
}
