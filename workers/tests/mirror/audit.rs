//! Audit records in Kafka: copies of the lines, which can be checked there, too.

use std::sync::Arc;

use natter_runtime::audit::{Audit, Options, Origin, Target, verify::Verifier};
use natter_schemas::{
    audit::{Act, TOPIC, TYPE},
    event::Timestamp,
    id::{Partition, UserId},
};
use natter_testkit::{Folder, Kafka, until, until_some};
use natter_workers::kafka_sink::copy_audit;
use tokio::{sync::mpsc, task::JoinHandle};

use crate::topic::read;

const RECORDS: usize = 20;

#[tokio::test]
async fn audit_records_are_copied_to_kafka_line_by_line() {
    let (kafka, folder) = (Kafka::start().await, Folder::new());
    let path = folder.file("audit.log");
    let (audit, copying) = chain(&kafka, &folder, 100);
    record(&audit, RECORDS).await;
    audit.close().await;
    drop(audit);
    copying.await.unwrap();

    let records = until_some("all are in kafka", || async {
        let records = read(&kafka, TOPIC, Partition(0)).await;
        // Those of the start and the stop, too.
        (records.len() == RECORDS + 2).then_some(records)
    })
    .await;
    let written = std::fs::read_to_string(&path).unwrap();
    let copied: Vec<&str> = records.iter().map(|record| record.value.as_str()).collect();
    assert_eq!(copied, written.lines().collect::<Vec<_>>());
    let mut verifier = Verifier::new(None, |note| panic!("{note}"));
    verifier.file("kafka", copied.join("\n").as_bytes()).unwrap();
    let chain = verifier.end().0[0].chain.to_string();
    for (number, record) in (1..).zip(&records) {
        assert_eq!(record.key.as_deref(), Some(chain.as_str()));
        assert_eq!(record.header("ce_id"), format!("{chain}/{number}"));
        assert_eq!((record.header("ce_type"), record.header("ce_specversion")), (TYPE, "1.0"));
    }
}

/// A chain whose copies wait in a queue of so many, and what copies them.
fn chain(kafka: &Kafka, folder: &Folder, room: usize) -> (Audit, JoinHandle<()>) {
    let (copies, lines) = mpsc::channel(room);
    let copying = tokio::spawn(copy_audit(kafka.settings(), lines));
    let audit = Audit::start(Options {
        target: Target::File(folder.file("audit.log")),
        origin: Origin { node: "host".to_owned(), process: "test:1".to_owned() },
        now: Arc::new(Timestamp::now),
        copies: Some(copies),
    });
    (audit.unwrap(), copying)
}

async fn record(audit: &Audit, count: usize) {
    for _ in 0..count {
        audit.record(Act::UserErased { user: UserId::fresh(), operator: None }, None).await;
    }
}

async fn copied(kafka: &Kafka) -> Vec<String> {
    read(kafka, TOPIC, Partition(0)).await.into_iter().map(|record| record.value).collect()
}

/// Kafka is away while many records are written: what the log has then, and the topic.
async fn with_kafka_away(room: usize) -> (Vec<String>, Vec<String>) {
    let (kafka, folder) = (Kafka::start().await, Folder::new());
    let (audit, copying) = chain(&kafka, &folder, room);
    record(&audit, 1).await;
    until("the first two are in kafka", async || copied(&kafka).await.len() == 2).await;
    kafka.kill();
    record(&audit, 2 * RECORDS).await;
    audit.close().await;
    drop(audit);
    kafka.restart().await;
    copying.await.unwrap();
    let written = std::fs::read_to_string(folder.file("audit.log")).unwrap();
    let written: Vec<_> = written.lines().map(str::to_owned).collect();
    assert_eq!(written.len(), 2 * RECORDS + 3);
    (written, copied(&kafka).await)
}

#[tokio::test]
async fn no_copy_is_lost_while_kafka_is_away_and_there_is_room() {
    let (written, copied) = with_kafka_away(10 * RECORDS).await;
    assert_eq!(copied, written);
}

#[tokio::test]
async fn copies_that_find_no_room_are_missing_and_no_others() {
    let (written, copied) = with_kafka_away(RECORDS / 2).await;
    // The first two, one that is on its way, and those that wait.
    assert!((2 + RECORDS / 2..=3 + RECORDS / 2).contains(&copied.len()), "{}", copied.len());
    assert_eq!(copied, written[..copied.len()], "the first ones, in their order");
}
