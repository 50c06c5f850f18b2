//! Kafka or NATS away for a while, under load: nothing is missing, nothing is there twice, nothing else is affected.

use std::{sync::Arc, time::Duration};

use natter_schemas::id::{Partition, UserId};
use natter_testkit::{Kafka, until_some};
use natter_workers::Job;
use tokio::time::{Instant, interval};

use crate::{
    harness::{event, posted},
    topic::{Topic, room, rooms},
};

/// Several times a consumer's redelivery, so that events in work come again and again meanwhile.
const AWAY: Duration = Duration::from_mins(1);

/// Talks for a while, at an even pace.
async fn talk_for(topic: &Topic, time: Duration) {
    let (author, rooms) = (UserId::fresh(), rooms());
    let deadline = Instant::now() + time;
    let mut pace = interval(Duration::from_millis(10));
    for n in 0.. {
        pace.tick().await;
        if Instant::now() >= deadline {
            return;
        }
        topic.publish(&event(author, rooms[n % rooms.len()], posted(&format!("message {n}")))).await;
    }
}

async fn persisted(topic: &Topic) {
    until_some("everything is persisted", || async {
        let last = topic.dependencies.log.last_seqs().await.unwrap();
        let floors = topic.dependencies.log.floors().await.unwrap();
        floors.iter().zip(&last).all(|(floor, last)| floor >= last).then_some(())
    })
    .await;
}

#[tokio::test]
async fn a_kafka_that_stands_still_for_a_minute_gets_everything_once() {
    let kafka = Arc::new(Kafka::start().await);
    let topic = Topic::on(kafka).await;
    topic.harness.start(&[Job::Mirror, Job::Persist]).await;
    talk_for(&topic, Duration::from_secs(1)).await;
    topic.kafka.pause();
    talk_for(&topic, AWAY).await;
    persisted(&topic).await;
    topic.kafka.resume();
    talk_for(&topic, Duration::from_secs(1)).await;
    topic.complete().await;
}

#[tokio::test]
async fn a_kafka_that_is_killed_and_comes_back_after_a_minute_gets_everything_once() {
    let kafka = Arc::new(Kafka::start().await);
    let topic = Topic::on(kafka).await;
    topic.harness.start(&[Job::Mirror, Job::Persist]).await;
    talk_for(&topic, Duration::from_secs(1)).await;
    topic.kafka.kill();
    talk_for(&topic, AWAY).await;
    persisted(&topic).await;
    topic.kafka.restart().await;
    talk_for(&topic, Duration::from_secs(1)).await;
    topic.complete().await;
}

#[tokio::test]
async fn a_kafka_that_is_away_at_the_start_is_waited_for() {
    let kafka = Arc::new(Kafka::start().await);
    kafka.kill();
    let topic = Topic::on(kafka).await;
    topic.harness.start(&[Job::Mirror, Job::Persist]).await;
    topic.fill(&rooms(), 100).await;
    persisted(&topic).await;
    topic.kafka.restart().await;
    topic.complete().await;
}

#[tokio::test]
async fn a_nats_server_that_is_killed_under_load_leaves_no_gap_and_no_repeat() {
    let topic = Topic::shared().await;
    topic.mirror().await;
    let (author, room) = (UserId::fresh(), room(Partition(1)));
    for round in 0..3 {
        for n in 0..100 {
            topic.publish(&event(author, room, posted(&format!("{round}.{n}")))).await;
        }
        topic.server.restart().await;
    }
    topic.publish(&event(author, room, posted("the last"))).await;
    topic.complete().await;
}
