use async_trait::async_trait;
use natter_schemas::{
    event::LogEntry,
    id::{ConversationId, EventId, Partition, Seq},
};

use crate::Result;

/// The log's events, as they were logged.
#[async_trait]
pub trait EventStore: Send + Sync + 'static {
    /// Applies events of one partition durably: when this returns they survive a power cut. Idempotent, in
    /// any order. Also moves read marks: the author of a message has read up to it, a member who is added up to
    /// that event.
    ///
    /// # Errors
    /// `Corrupt` when a seq is already another event's: the log was rebuilt or belongs to another deployment.
    async fn persist(&self, partition: Partition, events: &[LogEntry]) -> Result<()>;
    /// Newest persisted seq of a partition, 0 for none: a rebuilt log must begin above it.
    async fn highest(&self, partition: Partition) -> Result<Seq>;
    /// Every event with `after` ≤ seq ≤ `up_to` as logged, ascending: **including** the one at `after`.
    async fn events_from(
        &self,
        conversation: ConversationId,
        after: Seq,
        up_to: Seq,
        limit: usize,
    ) -> Result<Vec<LogEntry>>;
    /// By its id; the one with the lowest seq, should the log hold the id twice.
    async fn find_event(&self, conversation: ConversationId, id: EventId) -> Result<Option<LogEntry>>;
    /// Texts of this conversation sealed otherwise: each event, which is stored at its seq, has the body that it has here.
    /// One that is sealed with the same or a later key stays as it is. An event that is persisted once more, as the log
    /// has it, changes nothing.
    async fn reseal(&self, conversation: ConversationId, events: &[LogEntry]) -> Result<()>;
    /// Removes what [`EventStore::reseal`] replaced from the files of a store that are its own. `rewrite`: for certain, by
    /// writing all of the file once more; other writers wait meanwhile.
    async fn forget_replaced(&self, rewrite: bool) -> Result<()>;
}
