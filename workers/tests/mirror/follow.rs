//! Every event, in order, as the contract says.

use natter_nats::{async_nats::jetstream, connect::Purpose, publisher::Publisher, subject, topology};
use natter_schemas::{
    cloudevent::{Content, types},
    event::{Body, Event, Kind, Member, Role, Shape},
    id::{ConversationId, Partition, UserId},
    limits,
    trace_context::TraceContext,
};
use natter_seal::{DataKeys, Place};
use natter_spans::{Position, within};
use natter_testkit::{until, until_some};
use natter_workers::Job;
use rdkafka::{Offset, TopicPartitionList, admin::AdminOptions};
use serde_json::Value;

use crate::{
    harness::{PARTITIONS, event, posted},
    topic::{KafkaRecord, Topic, room, rooms},
};

/// One event of every kind.
fn kinds(author: UserId, room: ConversationId) -> Vec<Event> {
    let user = UserId::fresh();
    let plain = |text: &str| Body::Plain(text.to_owned());
    let sealed = || Body::Sealed { key_version: 2, nonce: [7; 12], ciphertext: vec![1, 2, 0xff] };
    let members = vec![Member { user: author, role: Role::Owner }];
    let kinds = [
        Kind::Created { shape: Shape::Group, name: Some("Küche".to_owned()), members },
        Kind::MemberAdded { user, role: Role::Member },
        Kind::RoleChanged { user, role: Role::Admin },
        Kind::Renamed { name: "Kitchen".to_owned() },
        Kind::Posted { body: plain("Grüße 👋\n\"zusammen\""), reply_to: None },
        Kind::Posted { body: sealed(), reply_to: Some(5) },
        Kind::Edited { target: 5, body: plain("besser") },
        Kind::Edited { target: 6, body: sealed() },
        Kind::Reacted { target: 5, emoji: "👍🏽".to_owned(), on: true },
        Kind::Deleted { target: 5 },
        Kind::MemberRemoved { user },
    ];
    let mut events: Vec<Event> = kinds.into_iter().map(|kind| event(author, room, kind)).collect();
    events[4].client_id = Some("c-1".to_owned());
    events[4].traceparent = Some("00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01".to_owned());
    events
}

#[tokio::test]
async fn every_event_lands_in_its_partition_in_order_with_all_headers() {
    let topic = Topic::shared().await;
    topic.mirror().await;
    for room in rooms() {
        for event in kinds(UserId::fresh(), room) {
            topic.publish(&event).await;
        }
    }
    topic.complete().await;
    for p in Partition::all(PARTITIONS) {
        let log = topic.log(p).await;
        let expected = log.iter().map(|kept| topic.expected(p, kept, Content::Sealed));
        assert_eq!(topic.records(p).await, expected.collect::<Vec<_>>());
        assert_eq!(log.len(), 22);
    }
    let records = topic.records(Partition(0)).await;
    let posted = records.iter().find(|record| record.header("ce_type") == types::POSTED).unwrap();
    assert_eq!(posted.key.as_deref(), Some(posted.header("ce_subject")));
    assert_eq!(posted.header("natter-epoch"), topic.dependencies.deployment.epoch);
    assert_eq!(posted.header("traceparent"), "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01");
}

#[tokio::test]
async fn a_record_names_the_span_that_published_its_event() {
    const SPAN: &str = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-00";
    let topic = Topic::shared().await;
    let mut message = event(UserId::fresh(), room(Partition(0)), posted("traced"));
    // The request that caused it, as an edge writes it into the event.
    message.traceparent = Some("00-4bf92f3577b34da6a3ce929d0e0e4736-0000000000000001-00".to_owned());
    let position = TraceContext::parse(SPAN).map(Position::given);
    within(position, topic.publish(&message)).await;
    topic.publish(&event(message.author, message.conversation, posted("untraced"))).await;
    topic.mirror().await;
    topic.complete().await;
    let records = topic.records(Partition(0)).await;
    assert_eq!(records[0].header("traceparent"), SPAN);
    assert!(!records[1].headers.iter().any(|(name, _)| name == "traceparent"), "{:?}", records[1].headers);
}

#[tokio::test]
async fn an_undecodable_event_keeps_the_chain_whole() {
    let topic = Topic::shared().await;
    topic.mirror().await;
    let (author, home) = (UserId::fresh(), room(Partition(0)));
    topic.post(author, home, "before").await;
    let publisher = &topic.dependencies.publisher;
    let noise = bytes::Bytes::from_static(b"\x01not an event");
    publisher.publish(subject::conv(Partition(0), home), "poison", noise.clone()).await.unwrap();
    // Under a subject that says nothing, and an event that is not at home where it lies.
    publisher.publish("conv.0.elsewhere".to_owned(), "nowhere", noise).await.unwrap();
    let stray = natter_schemas::codec::encode(&event(author, room(Partition(1)), posted("stray")));
    publisher.publish(subject::conv(Partition(0), home), "stray", stray.into()).await.unwrap();
    topic.post(author, home, "after").await;

    topic.complete().await;
    let records = topic.records(Partition(0)).await;
    let kinds: Vec<_> = records.iter().map(|record| record.header("ce_type")).collect();
    let unreadable = types::UNREADABLE;
    assert_eq!(kinds, [types::POSTED, unreadable, unreadable, unreadable, types::POSTED]);
    let home = home.to_string();
    let keys: Vec<_> = records.iter().map(|record| record.key.as_deref()).collect();
    assert_eq!(keys, [Some(home.as_str()), Some(&home), None, Some(&home), Some(&home)]);
    assert!(records[1..4].iter().all(|record| !record.value.contains("stray")));
}

#[tokio::test]
async fn sealed_texts_go_out_plain_and_wait_while_there_are_no_keys() {
    let mut topic = Topic::shared().await;
    topic.options().kafka.content = Content::Plain;
    topic.start(&[Job::Keys]).await;
    let home = room(Partition(1));
    let mut sealed = event(UserId::fresh(), home, posted("opened"));
    let place = Place::of_event(&sealed);
    let body = DataKeys::new(topic.rpc.clone(), limits::KEY_CACHED).seal("opened", &place).await.unwrap();
    sealed.kind = Kind::Posted { body, reply_to: None };

    topic.store.set_away(true);
    topic.post(sealed.author, home, "plain anyway").await;
    topic.publish(&sealed).await;
    topic.mirror().await;
    let failures = topic.store.failures();
    until("the mirror asks for the key in vain", async || topic.store.failures() > failures + 1).await;
    assert_eq!(topic.records(Partition(1)).await.len(), 1, "nothing goes out sealed");

    topic.store.set_away(false);
    topic.complete().await;
    let records = topic.records(Partition(1)).await;
    let contents: Vec<Value> = records
        .iter()
        .map(|record| serde_json::from_str::<Value>(&record.value).unwrap()["content"].clone())
        .collect();
    assert_eq!(contents, ["plain anyway", "opened"]);
    let checked = crate::verify::check(&topic, Partition(1)).await;
    assert!(checked.is_whole() && checked.other_content == 0, "{:?}", checked.faults);
}

#[tokio::test]
async fn content_goes_out_by_the_setting() {
    for content in [Content::Omitted, Content::Plain] {
        let mut topic = Topic::shared().await;
        topic.options().kafka.content = content;
        topic.start(&[Job::Keys, Job::Mirror]).await;
        for event in kinds(UserId::fresh(), room(Partition(1))) {
            topic.publish(&event).await;
        }
        topic.complete().await;
        let expected: Vec<KafkaRecord> =
            topic.log(Partition(1)).await.iter().map(|k| topic.expected(Partition(1), k, content)).collect();
        assert_eq!(topic.records(Partition(1)).await, expected);
        let has_content = expected.iter().any(|record| record.value.contains("content"));
        assert_eq!(has_content, content == Content::Plain);
    }
}

#[tokio::test]
async fn a_backlog_of_thousands_is_mirrored() {
    let topic = Topic::shared().await;
    let room = room(Partition(1));
    let author = UserId::fresh();
    let posts = (0..3_000).map(|n| event(author, room, posted(&n.to_string())));
    futures_util::future::join_all(posts.map(|event| {
        let topic = &topic;
        async move { topic.publish(&event).await }
    }))
    .await;
    topic.mirror().await;
    topic.complete().await;
}

#[tokio::test]
async fn a_topic_that_is_made_again_gets_all_the_log_has() {
    let mut topic = Topic::shared().await;
    topic.mirror().await;
    topic.fill(&rooms(), 20).await;
    topic.complete().await;
    topic.harness.stop().await;

    topic.delete().await;
    topic.mirror().await;
    topic.fill(&rooms(), 8).await;
    topic.complete().await;
}

#[tokio::test]
async fn records_that_kafka_has_forgotten_are_not_written_again() {
    let mut topic = Topic::shared().await;
    let rooms = [room(Partition(0))];
    topic.mirror().await;
    topic.fill(&rooms, 10).await;
    topic.complete().await;
    until_some("all of it is acked", || async {
        (topic.dependencies.log.mirror_floor(Partition(0)).await.unwrap() == 10).then_some(())
    })
    .await;
    topic.harness.stop().await;

    let mut before = TopicPartitionList::new();
    before.add_partition_offset(&topic.name, 0, Offset::Offset(10)).unwrap();
    topic.admin().delete_records(&before, &AdminOptions::new()).await.unwrap();
    topic.mirror().await;
    topic.fill(&rooms, 3).await;
    let seqs = until_some("the new events are there", || async {
        let seqs: Vec<_> = topic.records(Partition(0)).await.iter().map(KafkaRecord::seq).collect();
        (seqs.last() == Some(&13)).then_some(seqs)
    })
    .await;
    assert_eq!(seqs, [11, 12, 13]);
}

/// The log of a partition created again, beginning at `first`.
async fn make_log_anew(topic: &mut Topic, p: Partition, first: u64) {
    let js = topic.server.js().await;
    let wanted = natter_testkit::small(PARTITIONS);
    let name = topology::log_stream(p);
    js.delete_stream(&name).await.unwrap();
    let config = wanted.streams().into_iter().find(|stream| stream.name == name).unwrap();
    js.create_stream(jetstream::stream::Config { first_sequence: Some(first), ..config }).await.unwrap();
    for (stream, consumer) in wanted.consumers().into_iter().filter(|(stream, _)| *stream == name) {
        js.create_consumer_on_stream(consumer, stream).await.unwrap();
    }
    // Who publishes after that has been started again.
    let publisher = Publisher::new(topic.server.client(Purpose::Publish).await);
    topic.harness.dependencies.publisher = publisher;
}

#[tokio::test]
async fn a_log_that_no_longer_reaches_back_is_gone_on_with_and_the_jump_is_seen() {
    let mut topic = Topic::shared().await;
    let rooms = [room(Partition(0))];
    topic.mirror().await;
    topic.fill(&rooms, 5).await;
    topic.complete().await;
    topic.harness.stop().await;

    make_log_anew(&mut topic, Partition(0), 10).await;
    topic.mirror().await;
    topic.fill(&rooms, 3).await;
    let seqs = until_some("the new events are there", || async {
        let seqs: Vec<_> = topic.records(Partition(0)).await.iter().map(KafkaRecord::seq).collect();
        (seqs.last() == Some(&12)).then_some(seqs)
    })
    .await;
    assert_eq!(seqs, [1, 2, 3, 4, 5, 10, 11, 12]);
}

#[tokio::test]
async fn a_new_epoch_begins_a_new_chain() {
    let mut topic = Topic::shared().await;
    let rooms = [room(Partition(0))];
    topic.mirror().await;
    topic.fill(&rooms, 5).await;
    topic.complete().await;
    topic.harness.stop().await;

    make_log_anew(&mut topic, Partition(0), 3).await;
    let mut deployment = (*topic.dependencies.deployment).clone();
    deployment.epoch = "another".to_owned();
    topic.harness.dependencies.deployment = std::sync::Arc::new(deployment);
    topic.harness.start(&[Job::Mirror]).await;
    topic.fill(&rooms, 3).await;
    let records = until_some("the new events are there", || async {
        let records = topic.records(Partition(0)).await;
        (records.len() == 8).then_some(records)
    })
    .await;
    let places: Vec<_> = records[4..].iter().map(|r| (r.header("natter-epoch"), r.seq())).collect();
    assert_eq!(places[0].1, 5);
    assert_eq!(places[1..], [("another", 3), ("another", 4), ("another", 5)]);
}

#[tokio::test]
async fn a_log_that_was_rolled_back_is_not_mirrored_over_what_kafka_has() {
    let mut topic = Topic::shared().await;
    let rooms = [room(Partition(0))];
    topic.mirror().await;
    topic.fill(&rooms, 5).await;
    topic.complete().await;
    topic.harness.stop().await;

    // The same epoch, other events: fewer than before, then more.
    make_log_anew(&mut topic, Partition(0), 1).await;
    topic.mirror().await;
    topic.fill(&rooms, 3).await;
    topic.fill(&[room(Partition(1))], 3).await;
    until_some("the other partition goes on", || async {
        (topic.records(Partition(1)).await.len() == 3).then_some(())
    })
    .await;
    topic.fill(&rooms, 5).await;
    topic.fill(&[room(Partition(1))], 3).await;
    until_some("the other partition goes on", || async {
        (topic.records(Partition(1)).await.len() == 6).then_some(())
    })
    .await;
    assert_eq!(topic.records(Partition(0)).await.len(), 5);
}
