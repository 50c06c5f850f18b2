//! Admitted becomes an acked event. An ack reports what the log has: the seq of the one stored copy, whether
//! this attempt stored it or an earlier one did.

use std::{sync::Arc, time::Duration};

use natter_nats::{
    event_log::{Appended, Duplicate, EventLog},
    service::RpcClient,
    trace::Step,
};
use natter_schemas::{
    backoff::Backoff,
    code::Code,
    event::{Body, Event, Kind, LogEntry, Message},
    id::{EventId, EventKey, Origin, UserId},
    limits,
    rpc::{FindEvent, GetMessage, RpcError},
};
use tokio::time::{Instant, sleep};

use super::{
    admit::{Command, CommandRequest, Decision, admit},
    change::Turns,
    client_id_prefixes::ClientIdPrefixes,
    earlier_sends::EarlierSends,
    seal::{Sealed, Sealing},
};
use crate::{
    api_error::ApiError,
    membership::{Access, Members},
};

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

/// Whether a command with a name was sent before the log's duplicate window.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum EarlierAttempt {
    /// It is looked up unless its client id shows that it was not, and sent if there is no answer: sending does not
    /// depend on the store.
    Possible,
    /// It is looked up, and fails without an answer.
    Likely,
}

/// Publishes commands of users.
pub struct Sender {
    members: Arc<Members>,
    pub(super) rpc: RpcClient,
    prefixes: Arc<ClientIdPrefixes>,
    earlier: EarlierSends,
    pub(super) log: EventLog,
    event_key: EventKey,
    pub(super) sealing: Sealing,
    /// Of changes of messages that were overtaken.
    pub(super) turns: Turns,
}

impl Sender {
    pub fn new(
        members: Arc<Members>,
        earlier: EarlierSends,
        prefixes: Arc<ClientIdPrefixes>,
        (log, event_key): (EventLog, EventKey),
        sealing: Sealing,
    ) -> Self {
        let (rpc, turns) = (earlier.rpc().clone(), Turns::default());
        Self { members, rpc, prefixes, earlier, log, event_key, sealing, turns }
    }

    /// Looks up, admits and publishes. What has a name was perhaps sent before: the log recognizes it for five
    /// minutes, the store after that.
    pub async fn send(
        &self,
        request: CommandRequest,
        dedup: &DedupKey,
        earlier: EarlierAttempt,
    ) -> Result<Appended, ApiError> {
        if let Some(target) = request.command.changes() {
            // Only a reaction may find nothing to do.
            return Box::pin(self.change(request, target)).await?.ok_or_else(|| Code::Internal.into());
        }
        let named = self.event_id(&request, dedup);
        let id = named.unwrap_or_else(EventId::fresh);
        self.log.trace().record(id, None, Step::Received);
        let access = self.access(&request).await?;
        if named.is_none() {
            let target = self.target(&request).await?;
            return self.publish(request, id, access, target).await;
        }
        let command = request.command.clone();
        let find = FindEvent { user: request.author, conversation: request.conversation, event: id };
        let is_recent = self.is_recent(&request, dedup) && earlier == EarlierAttempt::Possible;
        let found = async { if is_recent { Ok(None) } else { self.find_earlier(find, earlier).await } };
        let (found, target) = tokio::join!(found, self.target(&request));
        let appended = match found? {
            Some(entry) => {
                self.log.trace().record(id, None, Step::FoundEarlier);
                self.sealing.opened(Appended { entry, duplicate: true }, None).await?
            }
            None => self.publish(request, id, access, target?).await?,
        };
        if appended.duplicate && !repeats(&command, &appended.entry.event) {
            return Err(Code::IdempotencyMismatch.into());
        }
        Ok(appended)
    }

    /// Publishes a reaction; `None`: it is as it should be already, and nothing is written.
    pub async fn react(&self, request: CommandRequest) -> Result<Option<Appended>, ApiError> {
        match request.command.changes() {
            Some(target) => Box::pin(self.change(request, target)).await,
            None => Err(Code::Internal.into()),
        }
    }

    async fn publish(
        &self,
        request: CommandRequest,
        id: EventId,
        access: Access,
        target: Option<Message>,
    ) -> Result<Appended, ApiError> {
        let author = request.author;
        let Decision::Publish(admitted) = admit(request, id, self.log.now(), access, target.as_ref())? else {
            tracing::error!(event = %id, "a message that is being sent was taken for one that is there; not sent");
            return Err(Code::Internal.into());
        };
        metrics::counter!("natter_commands_accepted_total").increment(1);
        self.log.trace().record(id, None, Step::Admitted);
        // Publish before fan-out: no client may see an event the log has not accepted.
        let original = |duplicate| Box::pin(self.original(author, duplicate));
        let Sealed { event, text } = self.sealing.seal(admitted).await?;
        let appended = self.log.append(event, original).await?;
        Ok(self.sealing.opened(appended, text).await?)
    }

    pub(super) async fn access(&self, request: &CommandRequest) -> Result<Access, RpcError> {
        self.members.access(request.author, request.conversation).await
    }

    /// What was sent under this name before the log's duplicate window.
    async fn find_earlier(
        &self,
        event: FindEvent,
        earlier: EarlierAttempt,
    ) -> Result<Option<LogEntry>, RpcError> {
        if earlier == EarlierAttempt::Likely {
            return Box::pin(self.earlier.find_surely(event)).await;
        }
        match self.earlier.find(event).await {
            Err(error) if error.code == Code::Unavailable => {
                metrics::counter!("natter_sends_not_looked_up_total").increment(1);
                Ok(None)
            }
            found => found,
        }
    }

    fn is_recent(&self, request: &CommandRequest, dedup: &DedupKey) -> bool {
        let client_id = request.client_id.as_deref().filter(|_| *dedup == DedupKey::ClientId);
        client_id.is_some_and(|client_id| self.prefixes.is_recent(client_id))
    }

    async fn target(&self, request: &CommandRequest) -> Result<Option<Message>, ApiError> {
        match request.command.reply_to() {
            Some(seq) => {
                let get = GetMessage { user: request.author, conversation: request.conversation, seq };
                Ok(Box::pin(self.rpc.call(&get)).await?)
            }
            None => Ok(None),
        }
    }

    /// The id of every attempt of a command with a name; `None` for one without.
    fn event_id(&self, request: &CommandRequest, dedup: &DedupKey) -> Option<EventId> {
        let origin = match (dedup, &request.client_id) {
            (DedupKey::ClientId, Some(client_id)) => Origin::Client { device: &request.device, client_id },
            (DedupKey::IdempotencyKey(key), _) => Origin::Key(key),
            (DedupKey::ClientId, None) | (DedupKey::None, _) => return None,
        };
        Some(self.event_key.event_id(request.author, request.conversation, origin))
    }

    /// The stored copy of an event that was a duplicate: an edge may not read the log itself.
    async fn original(&self, user: UserId, duplicate: Duplicate) -> Result<LogEntry, ApiError> {
        let Duplicate { event, conversation, seq, .. } = duplicate;
        if let Some(entry) = self.find_stored(&FindEvent { user, conversation, event }).await? {
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

/// Whether the command is the one that the stored event came from. The same name with other content is not.
fn repeats(command: &Command, stored: &Event) -> bool {
    match (command, &stored.kind) {
        (Command::Post { content, reply_to }, Kind::Posted { body: Body::Plain(text), reply_to: stored }) => {
            content == text && reply_to == stored
        }
        _ => false,
    }
}
