//! Topics that do not fit, Kafkas that are closed or away.

use std::sync::Arc;

use natter_testkit::{Kafka, until_some};
use natter_workers::Job;
use rdkafka::admin::{AdminOptions, NewTopic, TopicReplication};
use tokio_util::{sync::CancellationToken, task::TaskTracker};

use crate::{
    harness::PARTITIONS,
    topic::{Topic, rooms},
};

async fn refusal(topic: &Topic) -> String {
    let (tracker, stop) = (TaskTracker::new(), CancellationToken::new());
    let started = natter_workers::start(&topic.dependencies, &[Job::Mirror], &tracker, stop).await;
    started.expect_err("it is refused").to_string()
}

#[tokio::test]
async fn a_topic_with_another_number_of_partitions_is_refused() {
    let topic = Topic::shared().await;
    let other = NewTopic::new(&topic.name, 3, TopicReplication::Fixed(1));
    topic.admin().create_topics([&other], &AdminOptions::new()).await.unwrap();
    let refused = until_some("the topic is known", || async {
        let refused = refusal(&topic).await;
        (!refused.contains("0 partitions")).then_some(refused)
    })
    .await;
    let name = &topic.name;
    let begin = format!("the Kafka topic {name} has 3 partitions, but the log has {PARTITIONS}");
    assert!(refused.starts_with(&begin), "{refused}");
}

#[tokio::test]
async fn a_mirror_without_a_kafka_is_refused_and_all_jobs_are_not() {
    let mut topic = Topic::shared().await;
    assert!(topic.dependencies.jobs().contains(&Job::Mirror));
    topic.harness.dependencies.kafka = None;
    assert!(refusal(&topic).await.contains("KAFKA_BROKERS is missing"));
    let jobs = topic.dependencies.jobs();
    assert_eq!(jobs.len(), Job::ALL.len() - 1);
    topic.harness.start(&jobs).await;
}

#[tokio::test]
async fn a_kafka_with_tls_is_written_to_by_who_shows_a_certificate() {
    let topic = Topic::on(Arc::new(Kafka::with_tls().await)).await;
    topic.mirror().await;
    topic.fill(&rooms(), 8).await;
    topic.complete().await;
}

#[tokio::test]
async fn a_kafka_that_asks_for_a_password_is_written_to() {
    let kafka = Arc::new(Kafka::with_sasl().await);
    for mechanism in ["SCRAM-SHA-512", "PLAIN"] {
        let mut topic = Topic::on(Arc::clone(&kafka)).await;
        topic.options().kafka.security.sasl.as_mut().unwrap().mechanism = mechanism;
        topic.mirror().await;
        topic.fill(&rooms(), 8).await;
        topic.complete().await;
    }
    // A wrong password is like a Kafka that is away: the process runs, the log waits.
    let mut topic = Topic::on(kafka).await;
    let right = topic.options().clone();
    topic.options().kafka.security.sasl.as_mut().unwrap().password = "wrong".to_owned().into();
    topic.mirror().await;
    topic.fill(&rooms(), 8).await;
    topic.harness.stop().await;
    *topic.options() = right;
    topic.mirror().await;
    topic.complete().await;
}
