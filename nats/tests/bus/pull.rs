//! Pulling from the durable consumers of the topology.

use std::time::Duration;

use natter_nats::{
    async_nats::jetstream::{self, Message},
    connect::Purpose,
    publisher::Publisher,
    pull::{Pull, PullError, PullRequest},
    topology::{MIRROR, PERSIST, log_stream},
};
use natter_schemas::id::{ConversationId, Partition};
use natter_testkit::{TestServer, until};
use tokio::time::{Instant, timeout};

/// The server and a publisher of events into its one log.
async fn log() -> (TestServer, Publisher) {
    let server = TestServer::start().await;
    server.provision(1).await;
    let publisher = Publisher::new(server.client(Purpose::Publish).await);
    (server, publisher)
}

async fn js(server: &TestServer) -> jetstream::Context {
    jetstream::new(server.client(Purpose::Work).await)
}

/// Everything a request brings.
async fn drain(pull: &mut Pull, request: PullRequest) -> Vec<Message> {
    pull.request(request).await.unwrap();
    let mut events = Vec::new();
    while pull.is_requested() {
        events.extend(pull.receive().await.unwrap());
    }
    events
}

/// The next event, over as many requests as it takes.
async fn next(pull: &mut Pull) -> Result<Message, PullError> {
    loop {
        if !pull.is_requested() {
            pull.request(PullRequest { batch: 10, expires: Some(Duration::from_secs(4)) }).await?;
        }
        if let Some(event) = pull.receive().await? {
            return Ok(event);
        }
    }
}

#[tokio::test]
async fn a_request_that_does_not_wait_gets_at_most_what_it_asked_for() {
    let (server, publisher) = log().await;
    let mut pull = Pull::open(&js(&server).await, &log_stream(Partition(0)), PERSIST).await.unwrap();
    let now = |batch| PullRequest { batch, expires: None };
    assert!(drain(&mut pull, now(10)).await.is_empty());
    for body in ["1", "2", "3"] {
        super::publish(&publisher, 1, ConversationId::fresh(), body).await;
    }
    assert_eq!(pull.waiting().await.unwrap(), 3);
    let first: Vec<_> = drain(&mut pull, now(2)).await.into_iter().map(|m| m.payload.clone()).collect();
    assert_eq!(first, ["1", "2"]);
    let rest: Vec<_> = drain(&mut pull, now(10)).await.into_iter().map(|m| m.payload.clone()).collect();
    assert_eq!(rest, ["3"]);
}

#[tokio::test]
async fn what_was_sent_to_a_pull_that_is_closed_is_handed_over() {
    let (server, publisher) = log().await;
    let mut pull = Pull::open(&js(&server).await, &log_stream(Partition(0)), PERSIST).await.unwrap();
    pull.request(PullRequest { batch: 10, expires: Some(Duration::from_secs(4)) }).await.unwrap();
    super::publish(&publisher, 1, ConversationId::fresh(), "1").await;
    super::publish(&publisher, 1, ConversationId::fresh(), "2").await;
    let first = pull.receive().await.unwrap().unwrap();
    until("the server has sent both", async || pull.waiting().await.unwrap() == 0).await;
    let rest = pull.close().await;
    let seqs: Vec<u64> =
        [&first].into_iter().chain(&rest).map(|m| m.info().unwrap().stream_sequence).collect();
    assert_eq!(seqs, [1, 2]);
}

#[tokio::test]
async fn a_consumer_that_is_missing_is_reported_at_once() {
    let (server, _) = log().await;
    let opened = Pull::open(&js(&server).await, &log_stream(Partition(0)), "other").await;
    assert!(matches!(opened.err(), Some(PullError::Consumer(_))));
}

#[tokio::test]
async fn a_server_that_answers_no_more_ends_the_pull_within_seconds() {
    let (server, _) = log().await;
    let mut pull = Pull::open(&js(&server).await, &log_stream(Partition(0)), PERSIST).await.unwrap();
    server.pause();
    let started = Instant::now();
    let ended = timeout(Duration::from_secs(10), next(&mut pull)).await.unwrap();
    server.resume();
    assert!(matches!(ended, Err(PullError::Silent)), "{ended:?}");
    assert!(started.elapsed() < Duration::from_secs(4));
}

#[tokio::test]
async fn of_two_clients_of_a_group_one_is_pinned_until_it_gives_the_pin_back() {
    let (server, publisher) = log().await;
    let stream = log_stream(Partition(0));
    let (first, second) = (js(&server).await, js(&server).await);
    let mut first = Pull::open_pinned(&first, &stream, MIRROR, MIRROR).await.unwrap();
    let mut second = Pull::open_pinned(&second, &stream, MIRROR, MIRROR).await.unwrap();
    super::publish(&publisher, 1, ConversationId::fresh(), "1").await;
    assert_eq!(next(&mut first).await.unwrap().payload, "1");
    assert!(first.is_pinned() && !second.is_pinned());

    super::publish(&publisher, 1, ConversationId::fresh(), "2").await;
    {
        let mut standing_by = std::pin::pin!(next(&mut second));
        tokio::select! {
            biased;
            event = &mut standing_by => panic!("two clients are pinned: {event:?}"),
            event = next(&mut first) => assert_eq!(event.unwrap().payload, "2"),
        }
        first.close().await;
        first.unpin().await;
        super::publish(&publisher, 1, ConversationId::fresh(), "3").await;
        assert_eq!(standing_by.await.unwrap().payload, "3");
    }
    assert!(second.is_pinned());
}

#[tokio::test]
async fn a_client_whose_pin_was_given_to_another_learns_it_with_its_next_request() {
    let (server, publisher) = log().await;
    let stream = log_stream(Partition(0));
    let js = js(&server).await;
    let mut first = Pull::open_pinned(&js, &stream, MIRROR, MIRROR).await.unwrap();
    super::publish(&publisher, 1, ConversationId::fresh(), "1").await;
    next(&mut first).await.unwrap();
    // An operator unpins it while it is pulling.
    first.unpin().await;
    let mut second = Pull::open_pinned(&js, &stream, MIRROR, MIRROR).await.unwrap();
    let lost = async {
        loop {
            if let Err(error) = next(&mut first).await {
                return error;
            }
        }
    };
    let pinned = async {
        super::publish(&publisher, 1, ConversationId::fresh(), "2").await;
        next(&mut second).await
    };
    let (lost, pinned) = tokio::join!(timeout(Duration::from_secs(10), lost), pinned);
    assert!(matches!(lost.unwrap(), PullError::PinLost));
    assert_eq!(pinned.unwrap().payload, "2");
}
