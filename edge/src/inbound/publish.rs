//! Admitted becomes an acked event. An ack reports what the log has: the seq of the one stored copy, whether
//! this attempt stored it or an earlier one did.

use std::sync::Arc;

use natter_nats::{
    event_log::{Appended, Duplicate, EventLog},
    service::RpcClient,
};
use natter_schemas::{
    code::Code,
    event::{LogEntry, Message, Timestamp},
    id::{EventId, EventKey, Origin},
    rpc::{FindEvent, GetMessage},
};

use super::admit::{CommandRequest, admit};
use crate::{api_error::ApiError, membership::Members};

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
    pub log: EventLog,
    pub event_key: EventKey,
}

impl Sender {
    /// Looks up, admits and publishes. `may_exist`: an earlier attempt may be older than the log's
    /// duplicate window, so look for it first.
    pub async fn send(
        &self,
        request: CommandRequest,
        dedup: &DedupKey,
        may_exist: bool,
    ) -> Result<Appended, ApiError> {
        let access = self.members.access(request.author, request.conversation).await?;
        let id = self.event_id(&request, dedup);
        if may_exist && *dedup != DedupKey::None {
            let find = FindEvent { conversation: request.conversation, event: id };
            if let Some(entry) = Box::pin(self.rpc.call(&find)).await? {
                return Ok(Appended { entry, duplicate: true });
            }
        }
        let target = self.target(&request).await?;
        let admitted = admit(request, id, Timestamp::now(), access, target.as_ref())?;
        // Publish before fan-out: no client may see an event the log has not accepted.
        let original = |duplicate| Box::pin(self.original(duplicate));
        self.log.append(admitted.into_event(), original).await
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

    /// The stored copy of an event that was a duplicate: an edge may not read the log itself.
    async fn original(&self, duplicate: Duplicate) -> Result<LogEntry, ApiError> {
        let Duplicate { event, conversation, seq, .. } = duplicate;
        if let Some(entry) = self.rpc.call(&FindEvent { conversation, event }).await? {
            return Ok(entry);
        }
        tracing::error!(
            %conversation, seq, %event,
            "history does not have an event that the log reports as stored; answering 'unavailable'"
        );
        Err(Code::Unavailable.into())
    }
}
