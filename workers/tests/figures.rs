//! What workers report of themselves, for alerts.
#![allow(clippy::unwrap_used)]

mod harness;

use std::future::Future;

use harness::{Harness, partition};
use metrics_exporter_prometheus::{PrometheusBuilder, PrometheusHandle};
use natter_nats::{async_nats::jetstream::Context, subject, topology};
use natter_schemas::{
    id::UserId,
    rpc::{GetDataKeys, KeyName},
};
use natter_testkit::{OpenBao, until};
use natter_workers::{
    Job,
    services::keys::{Roots, TransitRoot},
};

/// Runs a test and everything that it starts on one thread, whose figures are its own.
fn with_figures<F: Future<Output = ()>>(test: impl FnOnce(PrometheusHandle) -> F) {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let recorder = PrometheusBuilder::new().build_recorder();
    let figures = recorder.handle();
    metrics::with_local_recorder(&recorder, || runtime.block_on(test(figures)));
}

/// `None`: it is not reported.
fn figure(figures: &PrometheusHandle, name: &str) -> Option<f64> {
    let page = figures.render();
    page.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(' ')?.parse().ok())
}

#[test]
fn an_event_that_waits_for_the_store_shows_its_age() {
    with_figures(async |figures| {
        let harness = Harness::with(&[Job::Persist, Job::Conversations]).await;
        let (alice, bob) = (harness.person("alice").await, harness.person("bob").await);
        let room = harness.group(alice, &[bob]).await;
        harness.store.set_away(true);
        harness.post(alice, room, "while it is away").await;
        let oldest = format!(
            "natter_consume_oldest_seconds{{consumer=\"persist\",partition=\"{}\"}}",
            partition(room)
        );
        let oldest = || figure(&figures, &oldest);
        until("it is older at each try", async || oldest().is_some_and(|age| age > 1.0)).await;

        harness.store.set_away(false);
        until("nothing waits", async || oldest() == Some(0.0)).await;
        let sum = figure(&figures, "natter_consumed_age_seconds_sum{consumer=\"persist\"}");
        assert!(sum.is_some_and(|sum| sum > 1.0), "{sum:?}");
    });
}

async fn remove(js: &Context, number: u64) {
    let stream = js.get_stream(topology::PARKED).await.unwrap();
    assert!(stream.delete_message(number).await.unwrap());
}

#[test]
fn parked_events_are_counted_until_they_are_removed() {
    with_figures(async |figures| {
        let harness = Harness::with(&[Job::Persist, Job::Conversations]).await;
        let (alice, bob) = (harness.person("alice").await, harness.person("bob").await);
        let room = harness.group(alice, &[bob]).await;
        let parked = || figure(&figures, "natter_parked_events");
        until("none is parked", async || parked() == Some(0.0)).await;
        let noise = bytes::Bytes::from_static(b"\x01not an event");
        let publisher = &harness.dependencies.publisher;
        publisher.publish(subject::conv(partition(room), room), "noise", noise).await.unwrap();
        until("it is counted", async || parked() == Some(1.0)).await;
        remove(&harness.dependencies.js, 1).await;
        until("it is no longer counted", async || parked() == Some(0.0)).await;
    });
}

#[test]
fn calls_of_a_kms_and_their_failures_are_counted() {
    with_figures(async |figures| {
        let bao = OpenBao::start().await;
        let mut harness = Harness::with(&[]).await;
        harness.dependencies.roots = Roots::new(vec![Box::new(TransitRoot::new(bao.settings()).unwrap())]);
        harness.start(&[Job::Keys]).await;
        let names = vec![KeyName { user: UserId::fresh(), epoch: None }];
        let newest = async || harness.rpc.call(&GetDataKeys { names: names.clone() }).await;
        assert!(newest().await.is_ok());
        let calls = |call: &str| figure(&figures, &format!("natter_kms_seconds_count{{call=\"{call}\"}}"));
        let failures =
            |call: &str| figure(&figures, &format!("natter_kms_failures_total{{call=\"{call}\"}}"));
        assert_eq!((calls("encrypt"), failures("encrypt")), (Some(1.0), None));
        bao.pause();
        assert!(newest().await.is_err());
        bao.resume();
        assert_eq!(failures("decrypt"), Some(1.0));
    });
}
