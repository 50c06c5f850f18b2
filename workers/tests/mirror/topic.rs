//! A log with a topic of its own, and what a stranger finds in it.

use std::{ops::Deref, sync::Arc};

use natter_nats::log::StoredMessage;
use natter_schemas::{
    cloudevent::{self, Content, Position, Record},
    id::{ConversationId, EventId, Partition, Seq},
};
use natter_testkit::{Kafka, until_some};
use natter_workers::{Job, kafka_sink::Options};
use rdkafka::{
    admin::{AdminClient, AdminOptions},
    client::DefaultClientContext,
};
use tokio::process::Command;

use crate::harness::{Harness, PARTITIONS, event, posted};

pub struct Topic {
    pub harness: Harness,
    pub kafka: Arc<Kafka>,
    pub name: String,
}

impl Deref for Topic {
    type Target = Harness;

    fn deref(&self) -> &Harness {
        &self.harness
    }
}

/// A record as kcat shows it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KafkaRecord {
    pub key: Option<String>,
    pub headers: Vec<(String, String)>,
    pub value: String,
}

impl KafkaRecord {
    pub fn header(&self, name: &str) -> &str {
        let found = self.headers.iter().find(|(header, _)| header == name);
        &found.unwrap_or_else(|| panic!("{name} is not among {:?}", self.headers)).1
    }

    pub fn seq(&self) -> Seq {
        self.header(cloudevent::SEQ).parse().unwrap()
    }
}

impl From<Record> for KafkaRecord {
    fn from(record: Record) -> Self {
        let headers = record.headers.into_iter().map(|(name, value)| (name.to_owned(), value));
        let value = String::from_utf8(record.value).unwrap();
        Self { key: record.key, headers: headers.collect(), value }
    }
}

impl Topic {
    /// On the Kafka that tests share; nothing mirrors yet.
    pub async fn shared() -> Self {
        Self::on(Kafka::shared().await).await
    }

    pub async fn on(kafka: Arc<Kafka>) -> Self {
        let mut harness = Harness::with(&[]).await;
        let name = format!("events-{}", EventId::fresh());
        harness.dependencies.kafka = Some(Options { kafka: kafka.settings(), topic: name.clone() });
        Self { harness, kafka, name }
    }

    pub fn options(&mut self) -> &mut Options {
        self.harness.dependencies.kafka.as_mut().unwrap()
    }

    pub async fn mirror(&self) {
        self.harness.start(&[Job::Mirror]).await;
    }

    /// Messages in rooms of both partitions.
    pub async fn fill(&self, rooms: &[ConversationId], messages: usize) {
        let author = natter_schemas::id::UserId::fresh();
        for n in 0..messages {
            self.publish(&event(author, rooms[n % rooms.len()], posted(&format!("message {n}")))).await;
        }
    }

    pub async fn log(&self, p: Partition) -> Vec<StoredMessage> {
        let mut all: Vec<StoredMessage> = Vec::new();
        loop {
            let next = all.last().map_or(1, |kept| kept.seq + 1);
            let more = self.dependencies.log.in_order(p, next).await.unwrap();
            if more.is_empty() {
                return all;
            }
            all.extend(more);
        }
    }

    /// All records of a partition.
    pub async fn records(&self, p: Partition) -> Vec<KafkaRecord> {
        read(&self.kafka, &self.name, p).await
    }

    /// Waits until Kafka has as many records as the log events; nothing may come twice.
    pub async fn complete(&self) {
        for p in Partition::all(PARTITIONS) {
            let log = self.log(p).await;
            let seqs: Vec<Seq> = log.iter().map(|event| event.seq).collect();
            let records = until_some("everything is in kafka", || async {
                let records = self.records(p).await;
                (records.last().map(KafkaRecord::seq) >= seqs.last().copied()).then_some(records)
            })
            .await;
            assert_eq!(records.iter().map(KafkaRecord::seq).collect::<Vec<_>>(), seqs, "partition {p}");
        }
    }

    pub fn expected(&self, p: Partition, kept: &StoredMessage, content: Content) -> KafkaRecord {
        let epoch = &self.dependencies.deployment.epoch;
        let logged = natter_schemas::codec::decode(&kept.payload).unwrap();
        let at = Position { partition: p, seq: kept.seq, epoch };
        cloudevent::record(at, &logged, content).into()
    }

    pub fn admin(&self) -> AdminClient<DefaultClientContext> {
        self.kafka.client().create().unwrap()
    }

    pub async fn delete(&self) {
        let deleted = self.admin().delete_topics(&[&self.name], &AdminOptions::new()).await.unwrap();
        for topic in deleted {
            topic.unwrap();
        }
    }
}

/// All records of a partition of a topic.
pub async fn read(kafka: &Kafka, topic: &str, p: Partition) -> Vec<KafkaRecord> {
    let mut command = Command::new("kcat");
    command.args(["-C", "-q", "-e", "-J", "-o", "beginning", "-t", topic, "-p", &p.to_string()]);
    for setting in kafka.kcat() {
        command.args(["-X", &setting]);
    }
    let output = command.output().await.expect("kcat is in PATH (scripts/fetch-kafka)");
    let records = String::from_utf8(output.stdout).unwrap();
    records.lines().map(|line| record(&serde_json::from_str(line).unwrap())).collect()
}

/// A conversation whose events lie in `p`.
pub fn room(p: Partition) -> ConversationId {
    loop {
        let room = ConversationId::fresh();
        if Partition::of(room, PARTITIONS) == p {
            return room;
        }
    }
}

pub fn rooms() -> [ConversationId; 4] {
    [0, 1, 0, 1].map(|p| room(Partition(p)))
}

fn record(line: &serde_json::Value) -> KafkaRecord {
    let text = |value: &serde_json::Value| value.as_str().map(str::to_owned);
    let headers: Vec<_> = line["headers"].as_array().unwrap().iter().map(|h| text(h).unwrap()).collect();
    KafkaRecord {
        key: text(&line["key"]),
        headers: headers.chunks(2).map(|pair| (pair[0].clone(), pair[1].clone())).collect(),
        value: text(&line["payload"]).unwrap(),
    }
}
