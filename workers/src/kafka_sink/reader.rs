//! Records of one Kafka partition, by offset. Blocking: for a thread of its own.

use std::{
    ops::{ControlFlow, Range},
    time::{Duration, Instant},
};

use natter_schemas::{cloudevent, id::Seq};
use rdkafka::{
    Message, Offset, TopicPartitionList,
    config::FromClientConfigAndContext,
    consumer::{BaseConsumer, Consumer},
    error::{KafkaError, RDKafkaErrorCode},
    message::{BorrowedMessage, Headers},
};

use super::options::{LastClientError, Options};

/// One answer of the brokers.
pub const BROKER_TIMEOUT: Duration = Duration::from_secs(15);
const POLL: Duration = Duration::from_millis(200);

/// A record as Kafka has it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KafkaRecord {
    pub offset: i64,
    pub key: Option<Vec<u8>>,
    pub headers: Vec<(String, Vec<u8>)>,
    pub value: Option<Vec<u8>>,
}

impl KafkaRecord {
    pub fn header(&self, name: &str) -> Option<&str> {
        let (_, value) = self.headers.iter().find(|(header, _)| header == name)?;
        std::str::from_utf8(value).ok()
    }

    /// Epoch and seq; None for what no mirror wrote.
    pub fn position(&self) -> Option<(&str, Seq)> {
        Some((self.header(cloudevent::EPOCH)?, self.header(cloudevent::SEQ)?.parse().ok()?))
    }
}

pub struct Reader {
    consumer: BaseConsumer<LastClientError>,
    last_error: LastClientError,
    topic: String,
}

#[derive(Debug, thiserror::Error)]
#[error("{0}")]
pub struct ReadError(pub(super) String);

impl Reader {
    pub fn new(options: &Options) -> Result<Self, ReadError> {
        let last_error = LastClientError::default();
        let mut config = options.client();
        config
            // The client does not read without a name; it joins no group and commits nothing.
            .set("group.id", "natter-mirror")
            .set("enable.auto.commit", "false")
            .set("enable.partition.eof", "true")
            .set("auto.offset.reset", "error");
        let consumer = BaseConsumer::from_config_and_context(&config, last_error.clone());
        let consumer = consumer.map_err(|e| ReadError(last_error.explain(&e)))?;
        Ok(Self { consumer, last_error, topic: options.topic.clone() })
    }

    /// The offsets of the first record and after the last one.
    pub fn ends(&self, partition: i32) -> Result<Range<i64>, ReadError> {
        let begun = Instant::now();
        loop {
            match self.consumer.fetch_watermarks(&self.topic, partition, BROKER_TIMEOUT) {
                Ok((low, high)) => return Ok(low..high),
                // Of a topic just made, the broker that is to lead a partition learns of it last.
                Err(e) if is_young(&e) && begun.elapsed() < BROKER_TIMEOUT => drop(self.consumer.poll(POLL)),
                Err(e) => return Err(self.failed(&e)),
            }
        }
    }

    /// Hands each record of the range to `each`, until it breaks off.
    pub fn read(
        &self,
        partition: i32,
        range: Range<i64>,
        mut each: impl FnMut(KafkaRecord) -> ControlFlow<()>,
    ) -> Result<(), ReadError> {
        if range.is_empty() {
            return Ok(());
        }
        let mut from = TopicPartitionList::new();
        from.add_partition_offset(&self.topic, partition, Offset::Offset(range.start))
            .and_then(|()| self.consumer.assign(&from))
            .map_err(|e| self.failed(&e))?;
        let mut last_answer = Instant::now();
        loop {
            match self.consumer.poll(POLL) {
                Some(Ok(message)) => {
                    last_answer = Instant::now();
                    let offset = message.offset();
                    if offset >= range.end || each(found(&message)).is_break() || offset + 1 >= range.end {
                        return Ok(());
                    }
                }
                // Offsets that no reader sees may end it: those of transactions, or compacted ones.
                Some(Err(KafkaError::PartitionEOF(_))) => return Ok(()),
                Some(Err(e)) if is_final(&e) => return Err(self.failed(&e)),
                Some(Err(_)) | None if last_answer.elapsed() > BROKER_TIMEOUT => {
                    return Err(self.failed(&KafkaError::NoMessageReceived));
                }
                Some(Err(_)) | None => {}
            }
        }
    }

    fn failed(&self, error: &KafkaError) -> ReadError {
        ReadError(self.last_error.explain(error))
    }
}

fn is_young(error: &KafkaError) -> bool {
    matches!(
        error.rdkafka_error_code(),
        Some(
            RDKafkaErrorCode::NotLeaderForPartition
                | RDKafkaErrorCode::LeaderNotAvailable
                | RDKafkaErrorCode::UnknownTopicOrPartition
                | RDKafkaErrorCode::UnknownPartition
        )
    )
}

/// Others pass, or concern a group this reader does not need.
fn is_final(error: &KafkaError) -> bool {
    matches!(
        error.rdkafka_error_code(),
        Some(
            RDKafkaErrorCode::OffsetOutOfRange
                | RDKafkaErrorCode::AutoOffsetReset
                | RDKafkaErrorCode::TopicAuthorizationFailed
                | RDKafkaErrorCode::BadCompression
                | RDKafkaErrorCode::BadMessage
                | RDKafkaErrorCode::NotImplemented
        )
    )
}

fn found(message: &BorrowedMessage<'_>) -> KafkaRecord {
    let headers = message.headers().into_iter().flat_map(Headers::iter);
    KafkaRecord {
        offset: message.offset(),
        key: message.key().map(<[u8]>::to_vec),
        headers: headers
            .map(|header| (header.key.to_owned(), header.value.unwrap_or_default().to_vec()))
            .collect(),
        value: message.payload().map(<[u8]>::to_vec),
    }
}
