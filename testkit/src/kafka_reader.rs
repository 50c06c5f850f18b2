//! What a topic of Kafka has, from its beginning.

use std::{collections::BTreeMap, time::Duration};

use rdkafka::{
    Message, Offset, TopicPartitionList,
    consumer::{BaseConsumer, Consumer},
    message::Headers,
};
use serde_json::Value;

use crate::Kafka;

const METADATA_WITHIN: Duration = Duration::from_secs(10);

pub struct KafkaReader(BaseConsumer);

pub struct KafkaRecord {
    pub partition: i32,
    pub headers: BTreeMap<String, String>,
    /// `null` when it is no JSON.
    pub value: Value,
}

impl Kafka {
    /// Of every partition that the topic has now; without a group.
    pub fn reader(&self, topic: &str) -> KafkaReader {
        let mut config = self.client();
        config.set("group.id", "natter-tests").set("enable.auto.commit", "false");
        let consumer: BaseConsumer = config.create().expect("the settings are valid");
        let metadata = consumer.fetch_metadata(Some(topic), METADATA_WITHIN).expect("the broker answers");
        let mut all = TopicPartitionList::new();
        for found in metadata.topics() {
            for partition in found.partitions() {
                all.add_partition_offset(topic, partition.id(), Offset::Beginning).expect("it is an offset");
            }
        }
        consumer.assign(&all).expect("the partitions are there");
        KafkaReader(consumer)
    }
}

impl KafkaReader {
    /// The next record of any partition; `None` when there is none within this time. Blocks.
    pub fn next(&self, within: Duration) -> Option<KafkaRecord> {
        let record = self.0.poll(within)?.ok()?;
        let headers = record.headers().into_iter().flat_map(Headers::iter);
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
        let headers =
            headers.map(|header| (header.key.to_owned(), header.value.map(text).unwrap_or_default()));
        let value = serde_json::from_slice(record.payload().unwrap_or_default()).unwrap_or_default();
        Some(KafkaRecord { partition: record.partition(), headers: headers.collect(), value })
    }
}
