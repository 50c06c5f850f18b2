//! What the partitions of one process share.

use std::sync::Arc;

use natter_nats::{apply::Deployment, async_nats::jetstream, log::LogReader};

use super::{health::KafkaHealth, options::Options};

/// The log on one side, Kafka on the other.
pub struct KafkaSink {
    pub options: Options,
    pub js: jetstream::Context,
    pub log: LogReader,
    pub deployment: Arc<Deployment>,
    pub health: KafkaHealth,
}
