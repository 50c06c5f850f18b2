//! Every header of the system that async-nats does not name. Values are numbers, ids, addresses, verified tokens and the program's
//! own words: other text of a client never enters one. Of a trace context that a client sent, only the parsed numbers are written.

use async_nats::HeaderMap;
use natter_schemas::{decision::Proof, trace_context::TraceContext};
use natter_spans::Position;

/// Of a service call: how many milliseconds more its caller waits. Not until when: the two clocks may differ.
pub const BUDGET: &str = "Natter-Budget-Ms";

/// Of a service call: the address of the client that caused it, as its edge knows it.
pub const CLIENT: &str = "Natter-Client";

/// Of a service call: the access token of a user for whom it is made, as an edge has verified it; of several users one each.
pub const TOKEN: &str = "Natter-Token";

/// Of every message that is no event: the versions that its process understands, as `0-1`. Without it: 0.
pub const VERSIONS: &str = "Natter-Versions";

/// Of an event that a worker decided: the proof of it.
pub const DECISION: &str = "Natter-Decision";

/// Of an event and of a service call: the span that it comes from (W3C Trace Context), if there is one to know of.
pub const TRACE_PARENT: &str = "traceparent";

/// Of a parked event: why no job can use it, in one line.
pub const PARKED_REASON: &str = "Natter-Reason";
/// Of a parked event: the subject of the original.
pub const PARKED_SUBJECT: &str = "Natter-Subject";
/// Of a parked event: the stream sequence of the original.
pub const PARKED_SEQ: &str = "Natter-Seq";

/// Of a stored message, by the server: its sequence in the stream.
pub const SEQUENCE: &str = "Nats-Sequence";
/// Of a republished message, by the server: the sequence of the one before it on its subject; 0 for none.
pub const LAST_SEQUENCE: &str = "Nats-Last-Sequence";
/// Of a message read back, by the server: its subject.
pub const SUBJECT: &str = "Nats-Subject";
/// Of the end of a batched Direct Get: messages that match and were not sent.
pub const NUM_PENDING: &str = "Nats-Num-Pending";
/// Of the end of a batched Direct Get: the sequence that the answer is as of.
pub const UP_TO_SEQUENCE: &str = "Nats-UpTo-Sequence";

/// Of an event in an atomic batch (ADR-50): the batch's name.
pub const BATCH_ID: &str = "Nats-Batch-Id";
/// Of an event in an atomic batch: its number, from 1.
pub const BATCH_SEQUENCE: &str = "Nats-Batch-Sequence";
/// Of the last event of an atomic batch: commits it.
pub const BATCH_COMMIT: &str = "Nats-Batch-Commit";

/// The span that a message comes from; what is no trace context is ignored.
pub fn trace_context(headers: Option<&HeaderMap>) -> Option<TraceContext> {
    TraceContext::parse(headers?.get(TRACE_PARENT)?.as_str())
}

pub(crate) fn set_trace_context(headers: &mut HeaderMap, context: Option<TraceContext>) {
    if let Some(context) = context {
        headers.insert(TRACE_PARENT, context.to_string());
    }
}

pub(crate) fn set_proof(headers: &mut HeaderMap, proof: Option<Proof>) {
    if let Some(proof) = proof {
        headers.insert(DECISION, proof.to_string());
    }
}

/// What an event carries as the proof that a worker decided it; what is none counts as none.
pub fn proof(headers: Option<&HeaderMap>) -> Option<Proof> {
    headers?.get(DECISION)?.as_str().parse().ok()
}

/// Of what is stored and goes to every edge.
pub(crate) fn kept_trace_context() -> Option<TraceContext> {
    natter_spans::current().and_then(Position::kept)
}
