//! Stored events as the server republishes them: at most once, each naming the one before it.

use async_nats::{HeaderMap, Message};
use bytes::Bytes;
use natter_schemas::{
    id::{ConversationId, Partition, Seq},
    trace_context::TraceContext,
};

use crate::{header, subject};

/// An event as the log republished it.
pub struct LiveEvent {
    /// The partition of its conversation.
    pub partition: Partition,
    /// The conversation it belongs to.
    pub conversation: ConversationId,
    /// Its position in the partition's log.
    pub seq: Seq,
    /// The event before it in this conversation. 0: none, or no longer in the log, so never a proof that
    /// there was nothing.
    pub prev: Seq,
    /// Its bytes, as published.
    pub payload: Bytes,
    /// The span that published it.
    pub origin: Option<TraceContext>,
}

/// `None` for a message the log did not republish.
pub fn parse(message: Message) -> Option<LiveEvent> {
    let (partition, conversation) = subject::parse_conversation(&message.subject)?;
    let headers = message.headers.as_ref()?;
    Some(LiveEvent {
        partition,
        conversation,
        seq: number(headers, header::SEQUENCE)?,
        prev: number(headers, header::LAST_SEQUENCE)?,
        origin: header::trace_context(Some(headers)),
        payload: message.payload,
    })
}

/// The seq in its stream of a message that the server republished.
pub fn seq(message: &Message) -> Option<Seq> {
    number(message.headers.as_ref()?, header::SEQUENCE)
}

pub(crate) fn number(headers: &HeaderMap, name: &'static str) -> Option<Seq> {
    headers.get(name)?.as_str().parse().ok()
}
