//! A log whose disk is full.

use std::time::Duration;

use bytes::Bytes;
use natter_nats::{
    async_nats::jetstream,
    connect::{Address, Purpose, connect},
    publisher::{PublishError, Publisher},
    server::{self, Options, Server},
    subject,
};
use natter_schemas::id::{ConversationId, EventId, Partition, Seq};
use natter_testkit::{SmallDisk, small, until_some};
use tokio::time::Instant;

async fn server(disk: &SmallDisk, always_sync: bool) -> Server {
    let binary = server::find().unwrap();
    let data_dir = disk.path().join("nats");
    Server::start(Options { binary, data_dir, always_sync, max_store_bytes: 1 << 34 }).await.unwrap()
}

/// Publishes until the first failure; the seqs acked, the failure and how long that publish took.
async fn until_refused(publisher: &Publisher, c: ConversationId) -> (Vec<Seq>, PublishError, Duration) {
    let mut acked = Vec::new();
    loop {
        let began = Instant::now();
        let payload = Bytes::from(vec![7; 16 * 1024]);
        match publisher.publish(subject::conv(Partition(0), c), &EventId::fresh().to_string(), payload).await
        {
            Ok(stored) => acked.push(stored.seq),
            Err(error) => return (acked, error, began.elapsed()),
        }
        assert!(acked.len() < 10_000, "the disk never fills");
    }
}

async fn full_and_free_again(always_sync: bool) {
    let disk = SmallDisk::mount(96);
    let server = server(&disk, always_sync).await;
    let address = Address::new(server.url().to_owned());
    let js = jetstream::new(connect(&address, Purpose::Provision).await.unwrap());
    natter_nats::apply::apply(&js, &small(1), &[]).await.unwrap();
    let client = connect(&address, Purpose::Publish).await.unwrap();
    let publisher = if always_sync { Publisher::grouping(client) } else { Publisher::new(client) };
    let (c, before) = (ConversationId::fresh(), server.pid());
    assert!(publisher.health().is_up());

    disk.fill(2 << 20);
    let (acked, error, took) = until_refused(&publisher, c).await;
    assert_eq!(error, PublishError::NotWritten);
    assert!(took < Duration::from_secs(3), "refused after {took:?}");
    assert!(!acked.is_empty() && !publisher.health().is_up());
    // Many at once, of which most would wait for each other, no longer than one alone.
    let crowd = (0..100).map(|_| until_refused(&publisher, c));
    for (_, error, took) in futures_util::future::join_all(crowd).await {
        assert_eq!(error, PublishError::NotWritten);
        assert!(took < Duration::from_secs(3), "refused after {took:?}");
    }

    disk.make_room();
    let room = Instant::now();
    let id = EventId::fresh().to_string();
    let stored = until_some("sending works again", async || {
        let payload = Bytes::from_static(b"after");
        publisher.publish(subject::conv(Partition(0), c), &id, payload).await.ok()
    })
    .await;
    assert!(room.elapsed() < Duration::from_secs(10), "sending works after {:?}", room.elapsed());
    assert!(publisher.health().is_up());
    assert_ne!(server.pid(), before);
    let last = *acked.last().unwrap();
    assert!(stored.seq > last, "{} after {last}", stored.seq);
    for seq in acked {
        js.get_stream("CONV_0")
            .await
            .unwrap()
            .direct_get(seq)
            .await
            .unwrap_or_else(|error| panic!("acked {seq}: {error}"));
    }
    server.stop().await;
}

#[tokio::test]
async fn a_full_disk_refuses_in_time_and_stores_again_when_there_is_room() {
    full_and_free_again(false).await;
}

#[tokio::test]
async fn a_log_that_syncs_at_every_commit_does_the_same() {
    full_and_free_again(true).await;
}
