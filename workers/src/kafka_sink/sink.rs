//! What the partitions of one process share.

use std::sync::Arc;

use natter_nats::{apply::Deployment, async_nats::jetstream, log::LogReader, trace::TraceRing};
use natter_seal::DataKeys;

use super::{health::KafkaHealth, options::Options};

/// The log on one side, Kafka on the other.
pub struct KafkaSink {
    pub options: Options,
    pub js: jetstream::Context,
    pub log: LogReader,
    pub deployment: Arc<Deployment>,
    /// Of texts that go out plain.
    pub keys: DataKeys,
    pub health: KafkaHealth,
    pub trace: TraceRing,
}
