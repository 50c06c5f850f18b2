//! CONTROL read in order, whatever happens to the server that sends it.

use std::{sync::atomic::Ordering, time::Duration};

use futures_util::TryStreamExt;
use natter_nats::{
    async_nats::jetstream,
    connect::Purpose,
    control::{ControlError, ControlFeed, Notice},
    message,
    publisher::Publisher,
    subject,
    topology::CONTROL,
};
use natter_schemas::{id::SessionId, rpc::Control};
use natter_testkit::{TestServer, until_some};
use tokio::time::{Instant, timeout};

/// Of guarantee 7, in which whoever follows has to begin another feed as well.
const NOTICED_WITHIN: Duration = Duration::from_millis(1_300);

async fn server() -> (TestServer, jetstream::Context, Publisher) {
    let server = TestServer::start().await;
    server.provision(1).await;
    let js = jetstream::new(server.client(Purpose::Live).await);
    let publisher = Publisher::new(server.client(Purpose::Publish).await);
    (server, js, publisher)
}

async fn end_session(publisher: &Publisher, id: &str) -> u64 {
    let subject = subject::control_session(SessionId::fresh());
    let payload = message::encode(&Control::SessionEnded);
    publisher.publish(subject, id, payload).await.unwrap().seq
}

async fn next(feed: &mut ControlFeed) -> Result<Notice, ControlError> {
    timeout(Duration::from_secs(20), feed.next()).await.expect("something comes").expect("it goes on")
}

/// What followers do: read on until the feed ends.
async fn end_of(feed: &mut ControlFeed, position: &mut u64) {
    while let Ok(notice) = next(feed).await {
        *position = notice.seq;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_feed_that_the_server_has_lost_ends_at_once() {
    let (_server, js, publisher) = server().await;
    let mut feed = ControlFeed::after(&js, 0).await.unwrap();
    let first = end_session(&publisher, "first").await;
    assert_eq!(next(&mut feed).await.unwrap().seq, first);
    // As when the server dies that has it, and this connection is to another one.
    let stream = js.get_stream_no_info(CONTROL).await.unwrap();
    let names: Vec<String> = stream.consumer_names().try_collect().await.unwrap();
    for name in names {
        stream.delete_consumer(&name).await.unwrap();
    }
    let second = end_session(&publisher, "second").await;
    let (lost, mut position) = (Instant::now(), first);
    end_of(&mut feed, &mut position).await;
    assert!(lost.elapsed() < NOTICED_WITHIN, "noticed after {:?}", lost.elapsed());
    let mut feed = ControlFeed::after(&js, position).await.unwrap();
    assert_eq!(next(&mut feed).await.unwrap().seq, second);
    assert!(!feed.missed);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_feed_ends_with_its_connection_and_the_next_goes_on() {
    let (server, js, publisher) = server().await;
    let mut feed = ControlFeed::after(&js, 0).await.unwrap();
    let mut position = end_session(&publisher, "first").await;
    assert_eq!(next(&mut feed).await.unwrap().seq, position);
    let connects = || js.client().statistics().connects.load(Ordering::Relaxed);
    let before = connects();
    server.restart().await;
    let ended = tokio::join!(
        async {
            end_of(&mut feed, &mut position).await;
            Instant::now()
        },
        until_some("the connection is made again", async || (connects() > before).then(Instant::now)),
    );
    assert!(ended.0 < ended.1 + NOTICED_WITHIN, "{:?} later", ended.0 - ended.1);
    let second = end_session(&publisher, "second").await;
    let mut feed = ControlFeed::after(&js, position).await.unwrap();
    assert_eq!(next(&mut feed).await.unwrap().seq, second);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_feed_that_has_nothing_to_say_goes_on() {
    let (_server, js, publisher) = server().await;
    let mut feed = ControlFeed::after(&js, 0).await.unwrap();
    // Longer than a request waits at the server.
    assert!(timeout(Duration::from_secs(32), feed.next()).await.is_err());
    let seq = end_session(&publisher, "late").await;
    assert_eq!(next(&mut feed).await.unwrap().seq, seq);
}
