//! Spans reach a collector: from a client's request to those who follow the log.

use std::time::{Duration, Instant};

use natter_testkit::{Cluster, CollectedSpan, Collector, Room, User, until};
use nix::sys::signal::Signal;
use reqwest::Method;
use serde_json::{Value, json};

use crate::NATTER;

const TRACE: &str = "4bf92f3577b34da6a3ce929d0e0e4736";
/// A send that takes this long is exported whether it is sampled or not.
const SLOW: Duration = Duration::from_millis(1_200);
const CLIENT: &str = "00f067aa0ba902b7";

fn traceparent(flags: &str) -> String {
    format!("00-{TRACE}-{CLIENT}-{flags}")
}

async fn cluster(collector: &Collector, ratio: &str) -> Cluster {
    let settings = [("OTLP_ENDPOINT", collector.url.as_str()), ("OTLP_SAMPLE_RATIO", ratio)];
    Cluster::start_with_settings(NATTER, &settings).await
}

/// Two users at an edge each, and their room.
async fn pair(cluster: &Cluster) -> (User, User, Room) {
    let (alice, bob) = (cluster.user(0, "alice").await, cluster.user(1, "bob").await);
    let room = alice.group(&[&bob]).await;
    (alice, bob, room)
}

fn traced(room: &Room, client_id: &str, traceparent: &str) -> Value {
    let mut frame = room.message_frame(client_id, "not for a span");
    frame["traceparent"] = json!(traceparent);
    frame
}

fn links_to(span: &CollectedSpan, cause: &CollectedSpan) -> bool {
    span.links.contains(&(cause.trace.clone(), cause.id.clone()))
}

#[tokio::test(flavor = "multi_thread")]
async fn a_send_is_followed_from_its_client_to_consumers() {
    let collector = Collector::start().await;
    let cluster = cluster(&collector, "0").await;
    let (alice, bob, room) = pair(&cluster).await;
    let (mut phone, laptop) = (alice.device("phone").await, bob.device("laptop").await);
    let acked = phone.call_acked(traced(&room, "traced", &traceparent("01"))).await;
    laptop.wait_for_seq(&room, acked["seq"].as_u64().unwrap()).await;

    let send = collector.wait_for("the frame", |span| span.name == "send").await;
    assert_eq!((send.trace.as_str(), send.parent.as_str()), (TRACE, CLIENT), "{send:?}");
    let publish = collector.wait_for("the publishing", |span| span.name == "publish conv").await;
    assert_eq!((publish.trace.as_str(), &publish.parent), (TRACE, &send.id), "{publish:?}");
    assert_eq!(publish.attributes["messaging.message.id"], acked["messageId"].as_str().unwrap());
    for (name, service) in [("persist", "natter-worker"), ("deliver live", "natter-edge")] {
        let consumer = collector.wait_for(name, |span| span.name == name && links_to(span, &publish)).await;
        assert_eq!((consumer.service.as_str(), consumer.parent.as_str()), (service, ""), "{consumer:?}");
        assert_ne!(consumer.trace, TRACE, "{consumer:?}");
    }

    // A call of a service is nested, whichever process answers it.
    let trace = traceparent("01");
    let path = room.path("?limit=1");
    let answer = alice.call_with(Method::GET, &path, &[("traceparent", &trace)], None).await;
    assert_eq!(answer.status, 200, "{answer:?}");
    let is = |span: &CollectedSpan| span.name == "GET /api/conversations/{id}" && span.parent == CLIENT;
    let request = collector.wait_for("the request", is).await;
    assert_eq!((request.trace.as_str(), request.parent.as_str()), (TRACE, CLIENT), "{request:?}");
    let call = collector.wait_for("the call", |span| span.parent == request.id).await;
    let answered = collector.wait_for("its answer", |span| span.parent == call.id).await;
    assert_eq!(call.attributes["rpc.method"], answered.attributes["rpc.method"]);
    assert_eq!((call.service.as_str(), answered.service.as_str()), ("natter-edge", "natter-worker"));

    // Nothing else is sampled.
    let all = collector.spans();
    let consumed =
        |span: &&CollectedSpan| all.iter().any(|root| root.trace == span.trace && !root.links.is_empty());
    let other: Vec<_> = all.iter().filter(|span| span.trace != TRACE && !consumed(span)).collect();
    assert!(other.iter().all(|span| span.took > Duration::from_secs(1) || span.failed), "{other:#?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_fails_or_takes_long_is_exported_unsampled() {
    let collector = Collector::start().await;
    let mut cluster = cluster(&collector, "0").await;
    let (alice, _bob, room) = pair(&cluster).await;
    let mut phone = alice.device("phone").await;
    phone.post(&room, "quick").await;
    cluster.pause_nats();
    let (slow, sent) = (phone.request(traced(&room, "slow", &traceparent("00"))).await, Instant::now());
    until("the send has waited for longer than a second", async || sent.elapsed() > SLOW).await;
    cluster.resume_nats();
    assert_eq!(phone.answer(slow).await["type"], "ack");
    let sends = |span: &CollectedSpan| span.name == "send";
    let slow = collector.wait_for("a send that took long", sends).await;
    assert!(slow.took > Duration::from_secs(1) && !slow.failed, "{slow:?}");
    assert_eq!(slow.trace, TRACE);

    for worker in 0..2 {
        cluster.kill_worker(worker);
    }
    let mut retry = room.message_frame("retried", "who knows whether it is there");
    retry["retry"] = json!(true);
    assert_eq!(phone.call(retry).await["code"], "unavailable");
    let failed = collector.wait_for("a send that failed", |span| sends(span) && span.failed).await;
    assert_eq!((failed.attributes["error.type"].as_str(), failed.parent.as_str()), ("unavailable", ""));
    let call = collector.wait_for("the call that failed", |span| span.parent == failed.id).await;
    assert!(call.failed, "{call:?}");
    let sends = collector.spans().into_iter().filter(sends).count();
    assert_eq!(sends, 2, "the quick one is not exported");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_last_spans_are_exported_when_a_process_stops() {
    let collector = Collector::start().await;
    let cluster = cluster(&collector, "1").await;
    let (alice, _bob, room) = pair(&cluster).await;
    let mut phone = alice.device("phone").await;
    phone.post(&room, "the last").await;
    let edge = cluster.edge(0);
    edge.signal(Signal::SIGTERM);
    until("the edge has ended", async || edge.has_ended()).await;
    assert!(edge.exit_status().unwrap().success(), "{}", edge.log());
    assert!(collector.spans().iter().any(|span| span.name == "send"), "{:#?}", collector.spans());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_collector_that_is_away_costs_spans_alone() {
    let collector = Collector::start().await;
    collector.refuse(true);
    let cluster = cluster(&collector, "1").await;
    let (alice, bob, room) = pair(&cluster).await;
    let (mut phone, laptop) = (alice.device("phone").await, bob.device("laptop").await);
    let lost = phone.post(&room, "lost").await;
    laptop.wait_for_seq(&room, lost).await;
    let metrics = format!("{}/metrics", cluster.edge_admin(0).await);
    until("dropped spans are counted", async || {
        let metrics = reqwest::get(&metrics).await.unwrap().text().await.unwrap();
        metrics.lines().any(|line| {
            line.starts_with("natter_spans_dropped_total{reason=\"refused\"}") && !line.ends_with(" 0")
        })
    })
    .await;
    assert!(cluster.edge(0).log().contains("the collector takes no spans"));
    assert!(collector.spans().is_empty());
    collector.refuse(false);
    phone.post(&room, "seen").await;
    collector.wait_for("a send", |span| span.name == "send").await;
}
