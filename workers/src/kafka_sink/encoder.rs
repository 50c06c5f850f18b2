//! One event of the log as the record it becomes.

use natter_nats::subject;
use natter_schemas::{
    cloudevent::{self, Content, Position, Record},
    id::Partition,
};

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
        let at = Position { partition: self.partition, seq: event.seq, epoch: &self.epoch };
        match persist::read(event, self.partition, self.partitions) {
            Ok(logged) => (cloudevent::record(at, &logged.event, self.content), true),
            Err(_) => {
                let conversation = subject::parse_conversation(&event.subject).map(|(_, c)| c);
                (cloudevent::unreadable(at, conversation), false)
            }
        }
    }
}
