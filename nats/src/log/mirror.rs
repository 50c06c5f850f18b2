//! Where the log and its mirror are, and how much is parked. Questions about streams and consumers cost the server: to be asked rarely.

use async_nats::jetstream::{consumer, stream};
use natter_schemas::id::{Partition, Seq};
use serde_json::json;

use super::{LogError, LogReader, info};
use crate::topology::{MIRROR, PARKED, log_stream};

/// What a partition's log has. An empty one has a `first` that is to come, and the `last` before it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Extent {
    /// The oldest seq that is there.
    pub first: Seq,
    /// The newest seq given out.
    pub last: Seq,
}

impl LogReader {
    /// From where to where a partition's log reaches.
    pub async fn extent(&self, p: Partition) -> Result<Extent, LogError> {
        let stream: stream::Info =
            info(&self.js, format!("STREAM.INFO.{}", log_stream(p)), &json!({})).await?;
        let state = stream.state;
        Ok(Extent { first: state.first_sequence.max(1), last: state.last_sequence })
    }

    /// How many events are parked.
    pub async fn parked_count(&self) -> Result<u64, LogError> {
        let stream: stream::Info = info(&self.js, format!("STREAM.INFO.{PARKED}"), &json!({})).await?;
        Ok(stream.state.messages)
    }

    /// The ack floor of `persist`: everything up to here is in the store, or parked.
    pub async fn persist_floor(&self, p: Partition) -> Result<Seq, LogError> {
        Ok(self.persister(p).await?.ack_floor.stream_sequence)
    }

    /// The ack floor of `mirror`: everything up to here was in Kafka once.
    pub async fn mirror_floor(&self, p: Partition) -> Result<Seq, LogError> {
        Ok(self.mirrorer(p).await?.ack_floor.stream_sequence)
    }

    /// Events of the log that Kafka is not known to have.
    pub async fn mirror_lag(&self, p: Partition) -> Result<u64, LogError> {
        let mirror = self.mirrorer(p).await?;
        let delivered = mirror.delivered.stream_sequence.saturating_sub(mirror.ack_floor.stream_sequence);
        Ok(mirror.num_pending + delivered)
    }

    async fn mirrorer(&self, p: Partition) -> Result<consumer::Info, LogError> {
        info(&self.js, format!("CONSUMER.INFO.{}.{MIRROR}", log_stream(p)), &json!({})).await
    }
}
