//! The node itself: its health, its documents, its WebSocket.

use natter_schemas::{
    code::Code,
    frame::SUBPROTOCOL,
    rest::{Health, Liveness, Readiness},
};
use serde_json::json;

use super::{
    operation::{Answer, Operation, operation},
    types::Types,
};

const TAG: &str = "Node";

pub fn operations(types: &mut Types) -> Vec<Operation> {
    let readiness = types.view::<Readiness>();
    let mut all =
        vec![
            operation(("GET", "/health"), "getHealth", (TAG, "Whether the node answers"))
                .answer(Answer::json(200, "It does.", types.view::<Health>())),
            operation(("GET", "/health/live"), "getLiveness", (TAG, "Whether the process answers"))
                .answer(Answer::json(200, "It does.", types.view::<Liveness>())),
            operation(("GET", "/health/ready"), "getReadiness", (TAG, "Whether the node can take clients"))
                .answer(Answer::json(200, "It can.", readiness.clone()))
                .answer(Answer::json(503, "A part that it needs is down, or it is about to end.", readiness)),
            document("/api/openapi.json", "getOpenApi", "This document"),
            document("/api/asyncapi.json", "getAsyncApi", "The socket and the Kafka topic, as AsyncAPI 3.0"),
        ];
    all.push(public_keys());
    all.push(web_socket());
    all
}

fn document(path: &'static str, id: &str, summary: &str) -> Operation {
    let text = json!({"type": "string"});
    let etag = |answer: Answer| answer.header("ETag", text.clone(), (true, "Changes with the document."));
    operation(("GET", path), id, (TAG, summary))
        .answer(etag(Answer::json(200, "The document.", json!({"type": "object"}))))
        .answer(etag(Answer::none(304, "It is as `If-None-Match` has it.")))
}

fn public_keys() -> Operation {
    let about = "A JSON Web Key Set (RFC 7517) of the Ed25519 keys by which access tokens are verified, for services that \
                 check tokens. Empty where tokens are signed with secrets.";
    let key = json!({"type": "object", "required": ["kty", "kid"], "properties": {
        "kty": {"type": "string"}, "kid": {"type": "string"}, "crv": {"type": "string"}, "x": {"type": "string"},
        "alg": {"type": "string"}, "use": {"type": "string"},
    }});
    let set = json!({"type": "object", "required": ["keys"], "properties": {"keys": {"type": "array", "items": key}}});
    operation(("GET", "/.well-known/jwks.json"), "getPublicKeys", (TAG, "Public keys of access tokens"))
        .about(about)
        .answer(Answer::json(200, "All of them.", set))
}

fn web_socket() -> Operation {
    let accepted = Answer::none(101, "A WebSocket. Its frames are in `/api/asyncapi.json`.").header(
        "Sec-WebSocket-Protocol",
        json!({"const": SUBPROTOCOL}),
        (false, "If the client offered it."),
    );
    operation(("GET", "/ws"), "openSocket", (TAG, "Open a WebSocket"))
        .about(
            "RFC 6455, version 13, subprotocol `natter.v1`. Tokens are sent in the first frame, never in \
             the address. An `Origin` has to be that of the node or one of `CORS_ORIGINS`.",
        )
        .answer(accepted)
        .codes([Code::Malformed, Code::Forbidden])
}
