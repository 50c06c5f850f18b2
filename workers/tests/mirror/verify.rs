//! What a check of the topic finds.

use natter_testkit::until_some;
use std::time::Duration;

use natter_nats::service::RpcClient;
use natter_schemas::{cloudevent::Content, id::Partition, limits};
use natter_seal::DataKeys;
use natter_workers::kafka_sink::verify::{Fault, PartitionReport, Verifier};
use rdkafka::{
    message::{Header, OwnedHeaders},
    producer::{FutureProducer, FutureRecord},
};

use crate::{
    harness::PARTITIONS,
    topic::{KafkaRecord, Topic, room, rooms},
};

pub async fn check(topic: &Topic, p: Partition) -> PartitionReport {
    let verifier = Verifier {
        options: topic.dependencies.kafka.clone().unwrap(),
        log: topic.dependencies.log.clone(),
        deployment: (*topic.dependencies.deployment).clone(),
        keys: DataKeys::new(RpcClient::new(topic.dependencies.client.clone()), limits::KEY_CACHED),
        patience: Duration::from_millis(1),
    };
    verifier.partition(p).await.unwrap()
}

async fn write(topic: &Topic, p: Partition, record: &KafkaRecord) {
    let producer: FutureProducer = topic.kafka.client().create().unwrap();
    let mut headers = OwnedHeaders::new();
    for (key, value) in &record.headers {
        headers = headers.insert(Header { key, value: Some(value) });
    }
    let key = record.key.clone().unwrap();
    let partition = i32::from(p.0);
    let message =
        FutureRecord::to(&topic.name).partition(partition).headers(headers).key(&key).payload(&record.value);
    producer.send(message, Duration::from_secs(30)).await.unwrap();
}

#[tokio::test]
async fn a_topic_that_a_mirror_wrote_is_whole() {
    let mut topic = Topic::shared().await;
    topic.mirror().await;
    topic.fill(&rooms(), 700).await;
    topic.complete().await;
    for p in Partition::all(PARTITIONS) {
        let outcome = check(&topic, p).await;
        assert!(outcome.is_whole(), "{:?}", outcome.faults);
        assert_eq!((outcome.records, outcome.range, outcome.equal), (350, Some((1, 350)), 350));
        assert!(outcome.other_content == 0 && !outcome.expired);
    }
    topic.options().kafka.content = Content::Omitted;
    let outcome = check(&topic, Partition(0)).await;
    assert!(outcome.is_whole() && outcome.other_content == 350, "{:?}", outcome.faults);
}

#[tokio::test]
async fn a_hole_a_repeat_and_a_changed_value_are_found() {
    let mut topic = Topic::shared().await;
    let p = Partition(0);
    topic.mirror().await;
    topic.harness.stop().await;
    topic.fill(&[room(p)], 6).await;
    assert_eq!(check(&topic, p).await.faults.first, [Fault::Behind { from: 1, to: 6 }]);

    let log = topic.log(p).await;
    let good: Vec<KafkaRecord> = log.iter().map(|kept| topic.expected(p, kept, Content::Sealed)).collect();
    let changed = KafkaRecord { value: good[3].value.replace("message", "massage"), ..good[3].clone() };
    for record in [&good[0], &good[1], &good[0], &changed, &good[4]] {
        write(&topic, p, record).await;
    }
    let outcome = check(&topic, p).await;
    let expected = [
        Fault::Repeat { seq: 1, offset: 2 },
        Fault::Hole { from: 3, to: 3 },
        Fault::Changed { seq: 4, offset: 3, what: "value".to_owned() },
        Fault::Behind { from: 6, to: 6 },
    ];
    assert_eq!(outcome.faults.first, expected);
    assert_eq!((outcome.records, outcome.equal), (5, 3));

    // A mirror goes on after the highest, whatever lies there.
    topic.mirror().await;
    topic.fill(&[room(p)], 1).await;
    until_some("the mirror went on", || async {
        (topic.records(p).await.last().map(KafkaRecord::seq) == Some(7)).then_some(())
    })
    .await;
    assert_eq!(check(&topic, p).await.faults.first, expected[..3]);
}

#[tokio::test]
async fn an_event_the_log_never_had_is_found() {
    let topic = Topic::shared().await;
    let p = Partition(1);
    topic.mirror().await;
    topic.fill(&[room(p)], 2).await;
    topic.complete().await;
    let mut invented = topic.records(p).await.pop().unwrap();
    for (name, value) in &mut invented.headers {
        if name == "natter-seq" {
            *value = "3".to_owned();
        }
    }
    write(&topic, p, &invented).await;
    assert_eq!(check(&topic, p).await.faults.first, [Fault::Beyond { seq: 3, offset: 2 }]);
}
