use natter_nats::{
    event_log::{Appended, Duplicate},
    log::LogError,
};
use natter_schemas::{
    event::{Event, Kind, LogEntry, Timestamp},
    id::{ConversationId, EventId, Partition, UserId},
};
use tracing::warn;

use super::Conversations;
use crate::{control, services::Failure};

/// An event of a service: of no device, with no name given by a client.
pub fn event(
    id: EventId,
    conversation: ConversationId,
    author: UserId,
    kind: Kind,
    traceparent: Option<String>,
    at: Timestamp,
) -> Event {
    Event { id, conversation, author, device: String::new(), client_id: None, at, kind, traceparent }
}

impl Conversations {
    /// Under the id of an earlier attempt, or of another caller's who was faster, the log has theirs, and that one
    /// counts.
    pub(super) async fn publish(&self, event: Event) -> Result<Appended, Failure> {
        let floor = self.history.floor(event.conversation);
        self.events.decide_first(event, floor, |duplicate| self.original(duplicate)).await
    }

    async fn original(&self, Duplicate { partition, seq, .. }: Duplicate) -> Result<LogEntry, Failure> {
        let stored = self.log.event_at(partition, seq).await?;
        let stored = stored
            .ok_or_else(|| LogError::Unavailable("it has not the event it gave the seq of".to_owned()))?;
        stored.decode().map_err(|_| Failure::Broken("a duplicate of an event that cannot be read"))
    }

    /// Makes published events of one conversation visible everywhere at once instead of when the persister comes
    /// to them.
    pub(super) async fn apply(&self, events: &[LogEntry]) -> Result<(), Failure> {
        let Some(first) = events.first() else { return Ok(()) };
        let partition = Partition::of(first.event.conversation, self.partitions);
        self.store.persist(partition, events).await?;
        for logged in events {
            self.notify(logged).await;
        }
        Ok(())
    }

    async fn notify(&self, logged: &LogEntry) {
        let conversation = logged.event.conversation;
        if let Err(e) = control::notify_members(&*self.store, &self.publisher, logged).await {
            warn!(%conversation, seq = logged.seq, error = %e, "edges not notified of a stored event; the persister does it");
        }
    }
}
