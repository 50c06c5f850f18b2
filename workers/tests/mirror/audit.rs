//! Audit records in Kafka: copies of the lines, which can be checked there, too.

use std::sync::Arc;

use natter_runtime::audit::{Audit, Options, Origin, Target, verify::Verifier};
use natter_schemas::{
    audit::{Act, TOPIC, TYPE},
    event::Timestamp,
    id::{Partition, UserId},
};
use natter_testkit::{Folder, Kafka, until_some};
use natter_workers::kafka_sink::copy_audit;
use tokio::sync::mpsc;

use crate::topic::read;

const RECORDS: usize = 20;

#[tokio::test]
async fn audit_records_are_copied_to_kafka_line_by_line() {
    let (kafka, folder) = (Kafka::start().await, Folder::new());
    let path = folder.file("audit.log");
    let (copies, lines) = mpsc::channel(100);
    let copying = tokio::spawn(copy_audit(kafka.settings(), lines));
    let audit = Audit::start(Options {
        target: Target::File(path.clone()),
        origin: Origin { node: "host".to_owned(), process: "test:1".to_owned() },
        now: Arc::new(Timestamp::now),
        copies: Some(copies),
    })
    .unwrap();
    for _ in 0..RECORDS {
        audit.record(Act::UserErased { user: UserId::fresh(), operator: None }, None).await;
    }
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
