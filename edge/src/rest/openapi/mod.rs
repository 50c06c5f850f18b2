//! The contract of HTTP as OpenAPI 3.1: what every route takes and answers, beside the handlers that do it. Types come
//! from `natter_schemas::rest`, costs from `costs.rs`, failures from the one table. The document is printed and committed
//! (`UPDATE=1`), and the edge serves what is committed: nothing of this is part of the program.

mod types; // of bodies and answers
mod operation; // one operation
mod failures; // the failure table as responses

mod accounts;
mod conversations;
mod messages;
mod node;
mod people;

mod tests; // the document, the routes and the failure table agree
mod contract_page; // and so does the table of docs/protocol.md

use natter_schemas::rest::Problem;
use serde_json::{Value, json};

use self::{operation::Operation, types::Types};

const INTRODUCTION: &str = "\
REST of Natter, a self-hosted chat system; `docs/protocol.md` has the guarantees and the WebSocket.

JSON in UTF-8, a body is an object, unknown fields are ignored. Ids are lowercase hyphenated UUIDs, times RFC 3339 in UTC \
with milliseconds. Limits are those of a deployment that sets none: `LIMIT_…` settings may make them stricter.

Errors are problem documents (RFC 9457). A client decides by `code`, the members of which are never renamed.

`X-Request-Id` may be sent with every request, and is part of every answer. `traceparent` (W3C Trace Context) is passed on.

Every call takes tokens of its user, before log-in of its address: `x-natter-cost` says of which class and how many. Where \
there are none left, `rate_limited` says when there will be.

Lists are paged: `nextCursor` is the `cursor` of the next page. The items of one answer have at most 1 MiB of JSON together, so \
a page may have fewer than its `limit`.";

fn operations(types: &mut Types) -> Vec<Operation> {
    let mut all = accounts::operations(types);
    all.extend(conversations::operations(types));
    all.extend(messages::operations(types));
    all.extend(people::operations(types));
    all.extend(node::operations(types));
    all.into_iter().map(Operation::finish).collect()
}

/// The whole document.
fn document() -> Value {
    let mut types = Types::new();
    // In problem documents, which no operation names by itself.
    types.view::<Problem>();
    let operations = operations(&mut types);
    let responses = failures::components(&operations);
    let mut paths = json!({});
    for operation in operations {
        let (path, method) = (operation.path, operation.method.to_lowercase());
        paths[path][method] = operation.json();
    }
    let info = json!({
        "title": "Natter", "version": env!("CARGO_PKG_VERSION"), "description": INTRODUCTION,
        "license": {"name": "Apache 2.0", "identifier": "Apache-2.0"},
    });
    sorted(json!({
        "openapi": "3.1.0",
        "info": info,
        "servers": [{"url": "/"}],
        "tags": tags(),
        "paths": paths,
        "components": {
            "schemas": types.finish(),
            "responses": responses,
            "headers": failures::headers(),
            "securitySchemes": {
                "bearer": {
                    "type": "http", "scheme": "bearer", "bearerFormat": "JWT",
                    "description": "The `token` of a session, until it expires.",
                },
                "refreshCookie": {
                    "type": "apiKey", "in": "cookie", "name": "natter_refresh",
                    "description": "The `refreshToken` of a session, as browsers have it.",
                },
            },
        },
    }))
}

fn tags() -> Value {
    json!([
        {"name": "Accounts", "description": "Register, log in, renew, log out; profiles."},
        {"name": "Conversations", "description": "Direct ones and groups."},
        {"name": "Participants", "description": "Who is in a group, and what they may do."},
        {"name": "Messages", "description": "Post, read, edit, delete, react."},
        {"name": "Reading", "description": "Read marks and the inbox."},
        {"name": "Blocks", "description": "Whom a user has blocked."},
        {"name": "Presence", "description": "Who is online."},
        {"name": "Node", "description": "Health, documents, the WebSocket."},
    ])
}

/// By name: whether maps keep their order is a feature of `serde_json` that any dependency may switch on.
fn sorted(value: Value) -> Value {
    match value {
        Value::Object(fields) => {
            let mut fields: Vec<_> = fields.into_iter().collect();
            fields.sort_by(|(a, _), (b, _)| a.cmp(b));
            Value::Object(fields.into_iter().map(|(name, value)| (name, sorted(value))).collect())
        }
        Value::Array(items) => Value::Array(items.into_iter().map(sorted).collect()),
        other => other,
    }
}
