//! One event of the log as the record it becomes.

use natter_nats::subject;
use natter_schemas::{
    cloudevent::{self, Content, Position, Record},
    event::LogEntry,
    id::Partition,
    rpc::RpcError,
};
use natter_seal::DataKeys;

use crate::{consume::Delivery, persist};

/// What decides about a record, beside the event.
#[derive(Debug, Clone)]
pub struct RecordEncoder {
    pub partition: Partition,
    pub partitions: u16,
    pub epoch: String,
    pub content: Content,
}

impl RecordEncoder {
    /// The record, and whether the event could be read: what history leaves out as unreadable is unreadable here too.
    pub fn record(&self, event: &Delivery) -> (Record, bool) {
        let read = self.read(event);
        (self.record_of(event, read.as_ref()), read.is_some())
    }

    /// The same with the text of a sealed event, if it goes out plain. Without keys there is no record.
    pub async fn opened_record(&self, event: &Delivery, keys: &DataKeys) -> Result<(Record, bool), RpcError> {
        let mut read = self.read(event);
        if let (Content::Plain, Some(logged)) = (self.content, &mut read) {
            keys.open_or_fail(logged).await?;
        }
        Ok((self.record_of(event, read.as_ref()), read.is_some()))
    }

    fn read(&self, event: &Delivery) -> Option<LogEntry> {
        let mut read = persist::read(event, self.partition, self.partitions).ok()?;
        // The span that published it is nearer than the request that caused it, which the event may name itself.
        if let Some(origin) = event.origin {
            read.event.traceparent = Some(origin.to_string());
        }
        Some(read)
    }

    fn record_of(&self, event: &Delivery, read: Option<&LogEntry>) -> Record {
        let at = Position { partition: self.partition, seq: event.seq, epoch: &self.epoch };
        match read {
            Some(logged) => cloudevent::record(at, &logged.event, self.content),
            None => {
                let conversation = subject::parse_conversation(&event.subject).map(|(_, c)| c);
                cloudevent::unreadable(at, conversation)
            }
        }
    }
}
