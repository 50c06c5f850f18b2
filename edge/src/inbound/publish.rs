//! Admitted becomes an acked event. An ack reports what the log has: the seq of the one stored copy, whether
//! this attempt stored it or an earlier one did.

use std::{sync::Arc, time::Duration};

use natter_nats::{
    event_log::{Appended, Duplicate, EventLog},
    service::RpcClient,
};
use natter_schemas::{
    backoff::Backoff,
    code::Code,
    event::{LogEntry, Message, Timestamp},
    id::{EventId, EventKey, Origin},
    limits,
    rpc::{FindEvent, GetMessage, RpcError},
};
use tokio::time::{Instant, sleep};

use super::admit::{CommandRequest, admit};
use crate::{api_error::ApiError, membership::Members};

/// Between look-ups of an event that the log has.
const BACKOFF_MIN: Duration = Duration::from_millis(50);
const BACKOFF_MAX: Duration = Duration::from_millis(500);

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
        if let Some(entry) = self.find_stored(&FindEvent { conversation, event }).await? {
            return Ok(entry);
        }
        tracing::error!(
            %conversation, seq, %event,
            "history does not have an event that the log reports as stored; answering 'unavailable'"
        );
        Err(Code::Unavailable.into())
    }

    /// A duplicate is often an event whose ack was lost with the log's server: the workers may be back some moments
    /// after it.
    async fn find_stored(&self, find: &FindEvent) -> Result<Option<LogEntry>, RpcError> {
        let deadline = Instant::now() + limits::PUBLISH_ATTEMPT;
        let mut backoff = Backoff::new(BACKOFF_MIN, BACKOFF_MAX);
        loop {
            let found = self.rpc.call(find).await;
            let wait = backoff.next_delay();
            let again = found.as_ref().is_err_and(|error| error.code == Code::Unavailable);
            if !again || Instant::now() + wait >= deadline {
                return found;
            }
            sleep(wait).await;
        }
    }
}
