//! Admitted becomes an acked event. An ack says what the log says: the seq of the one stored copy, whether
//! this attempt stored it or an earlier one did.

use std::sync::Arc;

use natter_nats::subject;
use natter_schemas::{
    code::Code,
    codec,
    event::{Event, LogEntry, Message, Timestamp},
    id::{EventId, Origin, Partition, Seq},
    rpc::{FindEvent, GetMessage},
};

use super::admit::{Admitted, Draft, admit};
use crate::{api_error::ApiError, app::Edge};

/// What the sender is told.
#[derive(Debug, Clone)]
pub struct Acked {
    pub logged: LogEntry,
    pub duplicate: bool,
}

/// Where a draft's event id comes from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Identity {
    /// The client's own id and device.
    ClientId,
    /// The `Idempotency-Key` of the request.
    Key(String),
    /// The request has no name: every attempt is an event of its own.
    Fresh,
}

/// Looks up, admits and publishes. `may_exist`: an earlier attempt may be older than the log's
/// duplicate window, so look for it first.
pub async fn send(
    edge: &Arc<Edge>,
    draft: Draft,
    identity: &Identity,
    may_exist: bool,
) -> Result<Acked, ApiError> {
    let place = edge.members.of_one(draft.author, draft.conversation).await?;
    let id = event_id(edge, &draft, identity);
    if may_exist && *identity != Identity::Fresh {
        let question = FindEvent { conversation: draft.conversation, event: id };
        if let Some(logged) = Box::pin(edge.rpc.call(&question)).await? {
            return Ok(Acked { logged, duplicate: true });
        }
    }
    let target = target(edge, &draft).await?;
    let admitted = admit(draft, id, Timestamp::now(), place, target.as_ref())?;
    publish(edge, admitted).await
}

async fn target(edge: &Arc<Edge>, draft: &Draft) -> Result<Option<Message>, ApiError> {
    match draft.wish.target() {
        Some(seq) => {
            let question = GetMessage { conversation: draft.conversation, seq };
            Ok(Box::pin(edge.rpc.call(&question)).await?)
        }
        None => Ok(None),
    }
}

fn event_id(edge: &Edge, draft: &Draft, identity: &Identity) -> EventId {
    let key = &edge.deployment.event_key;
    let origin = match (identity, &draft.client_id) {
        (Identity::ClientId, Some(client_id)) => Origin::Client { device: &draft.device, client_id },
        (Identity::Key(key), _) => Origin::Key(key),
        _ => return EventId::fresh(),
    };
    key.event_id(draft.author, draft.conversation, origin)
}

async fn publish(edge: &Arc<Edge>, admitted: Admitted) -> Result<Acked, ApiError> {
    let event = admitted.event();
    let partition = Partition::of(event.conversation, edge.deployment.partitions);
    let subject = subject::conv(partition, event.conversation);
    let payload = codec::encode(event);
    // Publish before fan-out: nobody may see an event the log has not accepted.
    let stored = edge.publisher.publish(subject, &event.id.to_string(), payload.into()).await?;
    if !stored.duplicate {
        return Ok(Acked { logged: LogEntry { seq: stored.seq, event: event.clone() }, duplicate: false });
    }
    let original = Box::pin(original(edge, event, stored.seq)).await?;
    // An own attempt whose ack was lost stored exactly this event: for the client it is the first. After one
    // attempt there is no lost ack: somebody sent the same within the same millisecond.
    let duplicate = stored.attempts == 1 || original.event != *event;
    Ok(Acked { logged: original, duplicate })
}

/// The stored copy of an event that was a duplicate.
async fn original(edge: &Arc<Edge>, event: &Event, seq: Seq) -> Result<LogEntry, ApiError> {
    let question = FindEvent { conversation: event.conversation, event: event.id };
    match edge.rpc.call(&question).await? {
        Some(logged) => Ok(logged),
        None => {
            tracing::error!(conversation = %event.conversation, seq, "the log knows an event that history does not");
            Err(Code::Unavailable.into())
        }
    }
}
