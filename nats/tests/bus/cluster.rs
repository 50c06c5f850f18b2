//! Three servers with three copies of everything.

use std::{collections::HashSet, sync::atomic::Ordering};

use natter_nats::{
    apply,
    async_nats::{Client, jetstream},
    log::{LogError, LogReader},
    publisher::Publisher,
    subject,
    topology::{Topology, log_stream},
};
use natter_schemas::id::{ConversationId, EventId, Partition};
use natter_testkit::{NatsCluster, leader_of, small, until, until_some};

#[tokio::test(flavor = "multi_thread")]
async fn what_was_acked_is_read_from_every_server_of_a_cluster() {
    let cluster = NatsCluster::new();
    let topology = Topology { replicas: 3, ..small(1) };
    let js = cluster.provision(&topology).await;
    apply::check(&js, &topology).await.unwrap();
    let publisher = Publisher::new(cluster.client().await);
    let mut logs = Vec::new();
    for node in 0..3 {
        logs.push(LogReader::new(jetstream::new(cluster.client_of(node).await), 1));
    }
    let (mut misses, mut stale) = (0, 0);
    for _ in 0..300 {
        let c = ConversationId::fresh();
        let seq = super::publish(&publisher, 1, c, "x").await;
        for log in &logs {
            let (events, heads, whole) = tokio::join!(
                log.from(c, 0, 10),
                log.heads(std::slice::from_ref(&c)),
                log.in_order(Partition(0), seq)
            );
            misses += usize::from(events.unwrap().last().map(|event| event.seq) != Some(seq));
            misses += usize::from(whole.unwrap().last().map(|kept| kept.seq) != Some(seq));
            stale += usize::from(heads.unwrap().get(&c) != Some(&seq));
        }
    }
    assert_eq!((misses, stale), (0, 0), "of 1,800 and 900");
}

/// Kills the leader halfway, and starts it again at once if asked to.
async fn publish_over_the_death_of_a_leader(restarted: bool) {
    let mut cluster = NatsCluster::new();
    let js = cluster.provision(&Topology { replicas: 3, ..small(1) }).await;
    let publisher = Publisher::new(cluster.client().await);
    let c = ConversationId::fresh();
    let subject = subject::conv(Partition(0), c);
    for n in 0..200 {
        if n == 100 {
            let leader = leader_of(&js, &log_stream(Partition(0))).await;
            cluster.kill(leader);
            if restarted {
                cluster.restart(leader);
            }
        }
        let id = EventId::fresh().to_string();
        publisher.publish(subject.clone(), &id, n.to_string().into()).await.unwrap();
    }
    let log = LogReader::new(js, 1);
    // A server that has not seen the election yet cannot read; that it says so is no defect of the reader.
    let events =
        until_some("the log is read after the election", async || match log.from(c, 0, 1_000).await {
            Ok(events) => Some(events),
            Err(LogError::Unavailable(_)) => None,
            Err(error) => panic!("{error}"),
        })
        .await;
    let bodies: Vec<String> =
        events.iter().map(|event| String::from_utf8(event.payload.to_vec()).unwrap()).collect();
    assert_eq!(bodies, (0..200).map(|n| n.to_string()).collect::<Vec<_>>());
}

#[tokio::test(flavor = "multi_thread")]
async fn connections_leave_a_server_that_is_cut_off_and_no_other() {
    let cluster = NatsCluster::that_can_be_cut().await;
    cluster.provision(&Topology { replicas: 3, ..small(1) }).await;
    let server_of = |client: &Client| client.server_info().server_name;
    let mut clients = Vec::new();
    while clients.iter().map(server_of).collect::<HashSet<_>>().len() < 3 {
        clients.push(cluster.client().await);
    }
    let (cut, safe): (Vec<_>, Vec<_>) = clients.into_iter().partition(|client| server_of(client) == "n0");
    // Whoever is missed afterwards was seen before.
    let reached = async |client: &Client| {
        let known = client.statistics().in_messages.load(Ordering::Relaxed);
        known >= 3
    };
    for client in cut.iter().chain(&safe) {
        until("the connection has looked around", async || reached(client).await).await;
    }
    cluster.cut_off();
    for client in &cut {
        until("the connection leaves", async || server_of(client) != "n0").await;
    }
    let publisher = Publisher::new(cut[0].clone());
    super::publish(&publisher, 1, ConversationId::fresh(), "x").await;
    let connects = |client: &Client| client.statistics().connects.load(Ordering::Relaxed);
    assert!(safe.iter().all(|client| connects(client) == 1));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_publisher_that_starts_during_an_election_waits_for_its_end() {
    let mut cluster = NatsCluster::new();
    let js = cluster.provision(&Topology { replicas: 3, ..small(1) }).await;
    let leader = leader_of(&js, &log_stream(Partition(0))).await;
    cluster.kill(leader);
    // It sees two servers that run, of three that ran.
    let publisher = Publisher::new(cluster.client_of((leader + 1) % 3).await);
    super::publish(&publisher, 1, ConversationId::fresh(), "x").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn publishes_ride_over_the_death_of_a_leader() {
    publish_over_the_death_of_a_leader(false).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn publishes_ride_over_a_leader_that_is_back_at_once() {
    publish_over_the_death_of_a_leader(true).await;
}
