use natter_nats::{log::LogError, subject};
use natter_schemas::{
    codec,
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
) -> Event {
    let at = Timestamp::now();
    Event { id, conversation, author, device: String::new(), client_id: None, at, kind, traceparent }
}

impl Conversations {
    /// The event as the log has it, and whether it was there before. Under the id of an earlier attempt, or of
    /// somebody else's who was faster, the log has theirs, and that one counts.
    pub(super) async fn publish(&self, event: Event) -> Result<(LogEntry, bool), Failure> {
        let partition = Partition::of(event.conversation, self.partitions);
        let subject = subject::conv(partition, event.conversation);
        let payload = codec::encode(&event);
        let stored = self.publisher.publish(subject, &event.id.to_string(), payload.into()).await?;
        if !stored.duplicate {
            return Ok((LogEntry { seq: stored.seq, event }, false));
        }
        let first = self.log.event_at(partition, stored.seq).await?;
        let first = first
            .ok_or_else(|| LogError::Unavailable("it has not the event it gave the seq of".to_owned()))?;
        let first =
            first.decode().map_err(|_| Failure::Broken("a duplicate of an event that cannot be read"))?;
        // After a lost answer the duplicate may be one's own: then it says exactly this.
        let before = stored.attempts == 1 || first.event != event;
        Ok((first, before))
    }

    /// Makes published events of one conversation visible everywhere at once instead of when the persister comes
    /// to them.
    pub(super) async fn apply(&self, events: &[LogEntry]) -> Result<(), Failure> {
        let Some(first) = events.first() else { return Ok(()) };
        let partition = Partition::of(first.event.conversation, self.partitions);
        self.store.persist(partition, events).await?;
        for logged in events {
            self.tell(logged).await;
        }
        Ok(())
    }

    async fn tell(&self, logged: &LogEntry) {
        let conversation = logged.event.conversation;
        if let Err(e) = control::tell_members(&*self.store, &self.publisher, logged).await {
            warn!(%conversation, seq = logged.seq, error = %e, "members not told: the persister will");
        }
    }
}
