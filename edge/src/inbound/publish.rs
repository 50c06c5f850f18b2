//! Admitted becomes an acked event. An ack reports what the log has: the seq of the one stored copy, whether
//! this attempt stored it or an earlier one did.

use std::sync::Arc;

use natter_nats::{publisher::Publisher, service::RpcClient, subject};
use natter_schemas::{
    code::Code,
    codec,
    event::{Event, LogEntry, Message, Timestamp},
    id::{EventId, EventKey, Origin, Partition, Seq},
    rpc::{FindEvent, GetMessage},
};

use super::admit::{Admitted, CommandRequest, admit};
use crate::{api_error::ApiError, membership::Members};

/// A stored event, as its sender is answered.
#[derive(Debug, Clone)]
pub struct Acked {
    pub entry: LogEntry,
    pub duplicate: bool,
}

/// What a command's event id is derived from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum DedupKey {
    /// The client's own id and device.
    ClientId,
    /// The `Idempotency-Key` of the request.
    IdempotencyKey(String),
    /// The request has no name: every attempt is an event of its own.
    None,
}

/// Publishes commands of users.
pub struct Sender {
    pub members: Arc<Members>,
    pub rpc: RpcClient,
    pub publisher: Publisher,
    pub event_key: EventKey,
    pub partitions: u16,
}

impl Sender {
    /// Looks up, admits and publishes. `may_exist`: an earlier attempt may be older than the log's
    /// duplicate window, so look for it first.
    pub async fn send(
        &self,
        request: CommandRequest,
        dedup: &DedupKey,
        may_exist: bool,
    ) -> Result<Acked, ApiError> {
        let access = self.members.access(request.author, request.conversation).await?;
        let id = self.event_id(&request, dedup);
        if may_exist && *dedup != DedupKey::None {
            let find = FindEvent { conversation: request.conversation, event: id };
            if let Some(entry) = Box::pin(self.rpc.call(&find)).await? {
                return Ok(Acked { entry, duplicate: true });
            }
        }
        let target = self.target(&request).await?;
        let admitted = admit(request, id, Timestamp::now(), access, target.as_ref())?;
        self.publish(admitted).await
    }

    async fn target(&self, request: &CommandRequest) -> Result<Option<Message>, ApiError> {
        match request.command.target() {
            Some(seq) => {
                let get = GetMessage { conversation: request.conversation, seq };
                Ok(Box::pin(self.rpc.call(&get)).await?)
            }
            None => Ok(None),
        }
    }

    fn event_id(&self, request: &CommandRequest, dedup: &DedupKey) -> EventId {
        let origin = match (dedup, &request.client_id) {
            (DedupKey::ClientId, Some(client_id)) => Origin::Client { device: &request.device, client_id },
            (DedupKey::IdempotencyKey(key), _) => Origin::Key(key),
            _ => return EventId::fresh(),
        };
        self.event_key.event_id(request.author, request.conversation, origin)
    }

    async fn publish(&self, admitted: Admitted) -> Result<Acked, ApiError> {
        let event = admitted.event();
        let partition = Partition::of(event.conversation, self.partitions);
        let subject = subject::conv(partition, event.conversation);
        let payload = codec::encode(event);
        // Publish before fan-out: no client may see an event the log has not accepted.
        let stored = self.publisher.publish(subject, &event.id.to_string(), payload.into()).await;
        let stored = stored.inspect_err(|error| {
            tracing::warn!(
                conversation = %event.conversation, event = %event.id, %error,
                "event not published; its sender is answered with an error"
            );
        })?;
        if !stored.duplicate {
            let entry = LogEntry { seq: stored.seq, event: event.clone() };
            return Ok(Acked { entry, duplicate: false });
        }
        let entry = Box::pin(self.original(event, stored.seq)).await?;
        // An own attempt whose ack was lost stored exactly this event: for the client it is the first. After one
        // attempt there is no lost ack: the same was sent twice within the same millisecond.
        let duplicate = stored.attempts == 1 || entry.event != *event;
        Ok(Acked { entry, duplicate })
    }

    /// The stored copy of an event that was a duplicate.
    async fn original(&self, event: &Event, seq: Seq) -> Result<LogEntry, ApiError> {
        let find = FindEvent { conversation: event.conversation, event: event.id };
        if let Some(entry) = self.rpc.call(&find).await? {
            return Ok(entry);
        }
        tracing::error!(
            conversation = %event.conversation, seq, event = %event.id,
            "history does not have an event that the log reports as stored; answering 'unavailable'"
        );
        Err(Code::Unavailable.into())
    }
}
