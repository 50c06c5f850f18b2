use natter_nats::{
    apply::{self, ApplyError, Difference},
    async_nats::jetstream::{self, Context},
    connect::Purpose,
    publisher::Publisher,
    topology::{MIRROR, PERSIST, log_stream},
};
use natter_schemas::id::{ConversationId, Partition};
use natter_testkit::{TestServer, small};

async fn provisioned(partitions: u16) -> (TestServer, Context, apply::Deployment) {
    let server = TestServer::start().await;
    let deployment = server.provision(partitions).await;
    let js = server.js().await;
    (server, js, deployment)
}

fn texts(differences: &[Difference]) -> Vec<String> {
    differences.iter().map(ToString::to_string).collect()
}

#[tokio::test]
async fn applying_twice_changes_nothing_the_second_time() {
    let server = TestServer::start().await;
    let js = server.js().await;
    let (first, made) = apply::apply(&js, &small(2), &[]).await.unwrap();
    let made = texts(&made);
    for expected in ["stream CONV_1: created", "consumer CONV_0/persist: created", "key partitions: set"] {
        assert!(made.iter().any(|text| text == expected), "{expected} is not in {made:?}");
    }
    let (second, differences) = apply::apply(&js, &small(2), &[]).await.unwrap();
    assert_eq!(texts(&differences), [] as [&str; 0]);
    assert_eq!((second.epoch, second.event_key.0), (first.epoch.clone(), first.event_key.0));
    let checked = apply::check(&js, &small(2)).await.unwrap();
    assert_eq!((checked.epoch, checked.event_key.0), (first.epoch, first.event_key.0));
}

#[tokio::test]
async fn a_changed_setting_is_refused_by_check_and_repaired_by_apply() {
    let (_server, js, _) = provisioned(1).await;
    let mut config = js.get_stream("CONV_0").await.unwrap().cached_info().config.clone();
    config.max_bytes = 123_456;
    js.update_stream(config).await.unwrap();

    let refused = apply::check(&js, &small(1)).await.err().unwrap().to_string();
    assert_eq!(
        refused,
        "stream CONV_0: max_bytes is 123456, but this version wants 67108864: run `natter migrate`"
    );
    let (_, differences) = apply::apply(&js, &small(1), &[]).await.unwrap();
    assert_eq!(texts(&differences), ["stream CONV_0: max_bytes 123456 -> 67108864"]);
    apply::check(&js, &small(1)).await.unwrap();
}

#[tokio::test]
async fn a_changed_consumer_is_refused_by_check_and_repaired_by_apply() {
    let (_server, js, _) = provisioned(1).await;
    let stream = js.get_stream("CONV_0").await.unwrap();
    let consumer = stream.get_consumer::<jetstream::consumer::pull::Config>(PERSIST).await.unwrap();
    let mut config = consumer.cached_info().config.clone();
    config.max_ack_pending = 5;
    js.update_consumer_on_stream(config, "CONV_0").await.unwrap();

    let refused = apply::check(&js, &small(1)).await.err().unwrap().to_string();
    assert!(refused.starts_with("consumer CONV_0/persist: max_ack_pending is 5"), "{refused}");
    let (_, differences) = apply::apply(&js, &small(1), &[]).await.unwrap();
    assert_eq!(texts(&differences), ["consumer CONV_0/persist: max_ack_pending 5 -> 20000"]);
    stream.delete_consumer(PERSIST).await.unwrap();
    let refused = apply::check(&js, &small(1)).await.err().unwrap().to_string();
    assert_eq!(refused, "consumer CONV_0/persist is missing: run `natter migrate`");
}

#[tokio::test]
async fn a_consumer_that_a_later_version_brings_is_added_to_a_deployment() {
    let (_server, js, _) = provisioned(2).await;
    for stream in ["CONV_0", "CONV_1"] {
        js.delete_consumer_from_stream(MIRROR, stream).await.unwrap();
    }
    let refused = apply::check(&js, &small(2)).await.err().unwrap().to_string();
    assert_eq!(refused, "consumer CONV_0/mirror is missing: run `natter migrate`");
    let (_, differences) = apply::apply(&js, &small(2), &[]).await.unwrap();
    assert_eq!(texts(&differences), ["consumer CONV_0/mirror: created", "consumer CONV_1/mirror: created"]);
    apply::check(&js, &small(2)).await.unwrap();
    assert!(apply::apply(&js, &small(2), &[]).await.unwrap().1.is_empty());
}

#[tokio::test]
async fn a_setting_the_server_cannot_change_is_refused_with_its_reason() {
    let server = TestServer::start().await;
    let js = server.js().await;
    let in_memory = jetstream::stream::Config {
        name: "CONTROL".to_owned(),
        subjects: vec!["control.user.*".to_owned(), "control.session.*".to_owned()],
        storage: jetstream::stream::StorageType::Memory,
        ..jetstream::stream::Config::default()
    };
    js.create_stream(in_memory).await.unwrap();
    let refused = apply::apply(&js, &small(1), &[]).await.err().unwrap();
    assert!(matches!(&refused, ApplyError::Rejected { what, .. } if what == "stream CONTROL"), "{refused}");
}

#[tokio::test]
async fn drift_is_everything_at_once_and_a_look_changes_nothing() {
    let server = TestServer::start().await;
    let js = server.js().await;
    let drift = async || {
        let found = apply::drift(&js, &small(2)).await.unwrap();
        found.iter().map(ToString::to_string).collect::<Vec<_>>()
    };
    let missing = drift().await;
    assert!(missing.iter().all(|line| line.contains("is missing")), "{missing:?}");
    for expected in ["stream CONV_1", "stream READS", "consumer CONV_0/persist"] {
        assert!(missing.iter().any(|line| line.starts_with(expected)), "{expected} is not in {missing:?}");
    }
    assert_eq!(drift().await, missing);

    apply::apply(&js, &small(2), &[]).await.unwrap();
    assert_eq!(drift().await, [] as [&str; 0]);
    js.delete_stream("READS").await.unwrap();
    js.get_stream("CONV_1").await.unwrap().delete_consumer(PERSIST).await.unwrap();
    let expected = ["stream READS is missing", "consumer CONV_1/persist is missing"];
    assert_eq!(drift().await, expected.map(|line| format!("{line}: run `natter migrate`")));
}

#[tokio::test]
async fn nothing_starts_on_a_server_that_was_not_provisioned() {
    let server = TestServer::start().await;
    let refused = apply::check(&server.js().await, &small(1)).await.err().unwrap().to_string();
    assert_eq!(refused, "stream KV_natter is missing: run `natter migrate`");
}

#[tokio::test]
async fn another_number_of_partitions_is_refused() {
    let (_server, js, _) = provisioned(2).await;
    for refused in [
        apply::apply(&js, &small(3), &[]).await.err().unwrap(),
        apply::check(&js, &small(1)).await.err().unwrap(),
    ] {
        let text = refused.to_string();
        assert!(text.contains("but 2 is stored for this deployment and cannot change"), "{text}");
    }
    assert!(js.get_stream("CONV_2").await.is_err(), "nothing was made");
    js.delete_stream("KV_natter").await.unwrap();
    let refused = apply::apply(&js, &small(1), &[]).await.err().unwrap();
    assert!(matches!(refused, ApplyError::Partitions { wanted: 1, .. }), "also when the bucket is lost");
    for partitions in [0, 257] {
        let refused = apply::apply(&js, &small(partitions), &[]).await.err().unwrap();
        assert!(matches!(refused, ApplyError::PartitionsRange(_)), "{refused}");
    }
}

#[tokio::test]
async fn a_log_that_has_to_be_made_again_begins_a_new_epoch_above_the_store() {
    let (server, js, before) = provisioned(2).await;
    let publisher = Publisher::new(server.client(Purpose::Publish).await);
    let c = ConversationId::fresh();
    for _ in 0..3 {
        super::publish(&publisher, 2, c, "x").await;
    }
    let p = Partition::of(c, 2);
    let mut highest = [0, 0];
    highest[usize::from(p.0)] = 3;
    js.delete_stream(log_stream(p)).await.unwrap();

    let (after, differences) = apply::apply(&js, &small(2), &highest).await.unwrap();
    assert_ne!(after.epoch, before.epoch);
    assert_eq!(after.event_key.0, before.event_key.0);
    let texts = texts(&differences);
    assert!(texts.contains(&format!(
        "stream {}: created again, above 3, the highest seq in the store",
        log_stream(p)
    )));
    assert_eq!(super::publish(&publisher, 2, c, "x").await, 4);
    let (again, differences) = apply::apply(&js, &small(2), &highest).await.unwrap();
    assert!(again.epoch == after.epoch && differences.is_empty());
}

#[tokio::test]
async fn what_is_gone_of_a_deployment_is_found_before_it_is_made_again() {
    let (server, js, _) = provisioned(2).await;
    let nothing = apply::lost(&js, &small(2), &[0, 0]).await.unwrap();
    assert!(!nothing.anything(), "{nothing:?}");
    let publisher = Publisher::new(server.client(Purpose::Publish).await);
    let c = ConversationId::fresh();
    super::publish(&publisher, 2, c, "x").await;
    let p = Partition::of(c, 2);

    js.delete_stream("KV_natter").await.unwrap();
    let bucket = apply::lost(&js, &small(2), &[0, 0]).await.unwrap();
    assert!(bucket.bucket && bucket.logs.is_empty() && bucket.logged == 1, "{bucket:?}");
    let text = bucket.to_string();
    assert!(text.contains("stream KV_natter") && text.contains("1 events"), "{text}");

    js.delete_stream(log_stream(p)).await.unwrap();
    let fresh = apply::lost(&js, &small(2), &[0, 0]).await.unwrap();
    assert!(!fresh.anything(), "a server without an event has lost none: {fresh:?}");
    let mut highest = [0, 0];
    highest[usize::from(p.0)] = 7;
    let both = apply::lost(&js, &small(2), &highest).await.unwrap();
    assert!(both.bucket && both.logs == [p] && both.highest == 7, "{both:?}");
}

#[tokio::test]
async fn a_log_that_lies_behind_the_store_is_refused() {
    let (_server, js, _) = provisioned(1).await;
    let refused = apply::apply(&js, &small(1), &[5]).await.err().unwrap();
    assert!(matches!(refused, ApplyError::Behind { last: 0, highest: 5, .. }), "{refused}");
    let refused = apply::check_reach(&js, &small(1), &[5]).await.unwrap_err();
    assert!(matches!(refused, ApplyError::Behind { last: 0, highest: 5, .. }), "{refused}");
    apply::check_reach(&js, &small(1), &[0]).await.unwrap();
}

#[tokio::test]
async fn a_log_that_was_rolled_back_is_made_again_above_the_store() {
    let (_server, js, before) = provisioned(2).await;
    let lost = apply::lost(&js, &small(2), &[0, 5]).await.unwrap();
    assert!(lost.needs_consent() && lost.behind == [Partition(1)] && lost.logs.is_empty(), "{lost:?}");
    assert!(lost.to_string().contains("the last events of 1 of 2 partitions"), "{lost}");
    apply::discard(&js, &lost.behind).await.unwrap();
    let (after, _) = apply::apply(&js, &small(2), &[0, 5]).await.unwrap();
    assert_ne!(after.epoch, before.epoch);
    apply::check_reach(&js, &small(2), &[0, 5]).await.unwrap();
    assert!(!apply::lost(&js, &small(2), &[0, 5]).await.unwrap().anything());
}
