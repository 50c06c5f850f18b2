//! What Kafka has in the end.

use std::{
    collections::BTreeSet,
    time::{Duration, Instant},
};

use natter_testkit::{Kafka, KafkaReader, KafkaRecord};
use tokio::task::spawn_blocking;

use super::{
    crowd::{Crowd, SETTLES_WITHIN},
    recorder::row,
};
use crate::log::{Record, Row};

const TOPIC: &str = "natter.events.v1";
/// After the last acked message nothing comes but repeats.
const QUIET: Duration = Duration::from_secs(2);

impl Crowd {
    /// Writes down every record, until those of all acked messages are there and nothing follows; or the time is over.
    pub async fn read_kafka(&self, kafka: &Kafka) {
        let (reader, recorder) = (kafka.reader(TOPIC), self.recorder.clone());
        let mut due = self.recorder.acked_ids();
        let reading = spawn_blocking(move || {
            for record in until_empty(&reader, &mut due) {
                recorder.record(record);
            }
        });
        reading.await.expect("it does not panic");
    }
}

fn until_empty(reader: &KafkaReader, due: &mut BTreeSet<String>) -> impl Iterator<Item = Record> {
    let deadline = Instant::now() + SETTLES_WITHIN;
    std::iter::from_fn(move || {
        while Instant::now() < deadline {
            match reader.next(QUIET) {
                Some(record) => {
                    let record = written(&record);
                    if let Record::Kafka { row, .. } = &record {
                        due.remove(&row.client_id);
                    }
                    return Some(record);
                }
                None if due.is_empty() => return None,
                None => {}
            }
        }
        None
    })
}

fn written(record: &KafkaRecord) -> Record {
    let header = |name: &str| record.headers.get(name).cloned().unwrap_or_default();
    let room = record.value["conversationId"].as_str().unwrap_or_default().to_owned();
    Record::Kafka {
        partition: u32::try_from(record.partition).unwrap_or(u32::MAX),
        epoch: header("natter-epoch"),
        room,
        row: Row {
            seq: header("natter-seq").parse().unwrap_or(0),
            id: header("ce_id"),
            ..row(&record.value)
        },
    }
}
