use std::{
    collections::HashSet,
    ops::Range,
    sync::{Arc, atomic::Ordering},
    time::{Duration, Instant},
};

use futures_util::{StreamExt, future::join_all};
use natter_nats::{
    apply,
    async_nats::{Client, jetstream},
    connect::{Purpose, round_trip},
    header, live,
    log::LogReader,
    publisher::{PublishError, Publisher, Stored},
    subject,
    topology::{Topology, log_stream},
};
use natter_schemas::{
    id::{ConversationId, EventId, Partition},
    limits,
};
use natter_testkit::{TestServer, small, until};
use tokio::sync::Barrier;

#[tokio::test]
async fn a_stored_event_comes_back_live_and_names_the_one_before_it() {
    let server = TestServer::start().await;
    server.provision(2).await;
    let publisher = Publisher::new(server.client(Purpose::Publish).await);
    let (c, other) = (ConversationId::fresh(), ConversationId::fresh());
    let p = Partition::of(c, 2);
    let listener = server.client(Purpose::Live).await;
    let mut events = listener.subscribe(subject::live(p)).await.unwrap();
    round_trip(&listener).await;

    let mut prev = 0;
    for body in ["one", "two", "three"] {
        // Another conversation in between: the chain is one conversation's.
        super::publish(&publisher, 2, other, "noise").await;
        let seq = super::publish(&publisher, 2, c, body).await;
        let event = loop {
            let event = live::parse(events.next().await.unwrap()).unwrap();
            if event.conversation == c {
                break event;
            }
        };
        assert_eq!((event.partition, event.seq, event.prev), (p, seq, prev));
        assert_eq!(event.payload, body);
        prev = seq;
    }
}

#[tokio::test]
async fn a_read_mark_comes_back_live_on_its_own_subject() {
    let server = TestServer::start().await;
    server.provision(1).await;
    let publisher = Publisher::new(server.client(Purpose::Publish).await);
    let listener = server.client(Purpose::Live).await;
    let mut marks = listener.subscribe(subject::LIVE_READS_ALL).await.unwrap();
    round_trip(&listener).await;
    let (c, u) = (ConversationId::fresh(), natter_schemas::id::UserId::fresh());
    publisher.publish(subject::reads(Partition(0), c, u), "mark", "7".into()).await.unwrap();
    let message = marks.next().await.unwrap();
    assert_eq!(subject::parse_conversation(&message.subject), Some((Partition(0), c)));
    assert_eq!(subject::parse_reader(&message.subject), Some(u));
}

#[tokio::test]
async fn the_same_id_twice_is_stored_once_and_answered_with_one_seq() {
    let server = TestServer::start().await;
    server.provision(1).await;
    let publisher = Publisher::new(server.client(Purpose::Publish).await);
    let subject = subject::conv(Partition(0), ConversationId::fresh());
    let id = EventId::fresh().to_string();
    let first = publisher.publish(subject.clone(), &id, "a".into()).await.unwrap();
    let second = publisher.publish(subject.clone(), &id, "a".into()).await.unwrap();
    assert!(!first.duplicate && second.duplicate);
    assert_eq!(first.seq, second.seq);
    let many = join_all((0..50).map(|_| publisher.publish(subject.clone(), "another", "b".into()))).await;
    let seqs: HashSet<_> = many.into_iter().map(|stored| stored.unwrap().seq).collect();
    assert_eq!(seqs.len(), 1);
}

#[tokio::test]
async fn a_full_log_refuses_with_the_reason_and_keeps_what_it_has() {
    let server = TestServer::start().await;
    let topology = Topology { log_max_bytes: 64 * 1024, ..small(1) };
    let js = server.js().await;
    apply::apply(&js, &topology, &[]).await.unwrap();
    let publisher = Publisher::new(server.client(Purpose::Publish).await);
    let c = ConversationId::fresh();
    let subject = subject::conv(Partition(0), c);
    let mut stored = 0;
    let error = loop {
        match publisher.publish(subject.clone(), &EventId::fresh().to_string(), vec![0; 4096].into()).await {
            Ok(_) => stored += 1,
            Err(error) => break error,
        }
        assert!(stored < 64, "64 KiB do not hold this much");
    };
    assert_eq!(error, PublishError::Full);
    assert_eq!(LogReader::new(js, 1).from(c, 0, 100).await.unwrap().len(), stored);
}

#[tokio::test]
async fn a_subject_no_stream_takes_is_not_acked() {
    let server = TestServer::start().await;
    let publisher = Publisher::new(server.client(Purpose::Publish).await);
    let subject = "a subject with blanks".to_owned();
    let refused = publisher.publish(subject, "id", "x".into()).await;
    assert!(matches!(refused, Err(PublishError::Rejected(_))), "{refused:?}");
}

#[tokio::test]
async fn an_attempt_without_an_answer_is_repeated_and_stored_once() {
    let server = TestServer::start().await;
    server.provision(1).await;
    let publisher = Publisher::new(server.client(Purpose::Publish).await);
    let c = ConversationId::fresh();
    server.pause();
    let subject = subject::conv(Partition(0), c);
    let mut publish = std::pin::pin!(publisher.publish(subject, "id", "x".into()));
    // The second attempt is under way: both reach the server when it goes on.
    let longer = limits::PUBLISH_ATTEMPT + Duration::from_millis(200);
    assert!(tokio::time::timeout(longer, &mut publish).await.is_err());
    server.resume();
    let stored = publish.await.unwrap();
    assert_eq!((stored.seq, stored.duplicate, stored.attempts), (1, true, 2));
    assert_eq!(LogReader::new(server.js().await, 1).from(c, 0, 10).await.unwrap().len(), 1);
}

/// Publishes while the server answers nothing, kills it, and returns how long after its return the last one is acked.
async fn acked_after_a_kill(make: fn(Client) -> Publisher, count: usize) -> Duration {
    let server = TestServer::durable().await;
    server.provision(1).await;
    let client = server.client(Purpose::Publish).await;
    let sent = client.statistics();
    let publisher = make(client);
    let subject = subject::conv(Partition(0), ConversationId::fresh());
    at_once(&publisher, &subject, 1).await;
    server.pause();
    let before = sent.out_messages.load(Ordering::Relaxed);
    let waiting = tokio::spawn(async move { ids_at_once(&publisher, &subject, 1..count + 1).await });
    let all = before + 8.min(count as u64);
    until("the publishes are in flight", async || sent.out_messages.load(Ordering::Relaxed) >= all).await;
    server.restart().await;
    let back = Instant::now();
    let stored = waiting.await.unwrap();
    let seqs: HashSet<_> = stored.iter().map(|stored| stored.seq).collect();
    assert_eq!(seqs.len(), count);
    back.elapsed()
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_in_flight_when_the_server_was_killed_is_acked_when_it_is_back() {
    for (make, count) in [(Publisher::new as fn(Client) -> Publisher, 5), (Publisher::grouping, 100)] {
        let took = acked_after_a_kill(make, count).await;
        assert!(took < Duration::from_secs(1), "{count} were acked {took:?} after the server was back");
    }
}

/// 2,000 publishes, 8 conversations at a time, while the server is killed twice.
#[tokio::test(flavor = "multi_thread")]
async fn every_publish_across_kills_of_the_server_is_stored_once_and_in_order() {
    const ROOMS: usize = 8;
    const EACH: usize = 250;
    let server = Arc::new(TestServer::durable().await);
    server.provision(4).await;
    let client = server.client(Purpose::Publish).await;
    let sent = client.statistics();
    let publisher = Publisher::new(client);
    let rooms: Vec<ConversationId> = (0..ROOMS).map(|_| ConversationId::fresh()).collect();
    // Every room is at the same place when the server dies, and its next publish is on its way.
    let halfway = Arc::new(Barrier::new(ROOMS + 1));
    let senders: Vec<_> = rooms
        .iter()
        .map(|room| {
            let (publisher, halfway, room) = (publisher.clone(), Arc::clone(&halfway), *room);
            tokio::spawn(async move {
                let mut attempts = 0;
                for n in 0..EACH {
                    if n == EACH / 3 || n == 2 * EACH / 3 {
                        halfway.wait().await;
                        halfway.wait().await;
                    }
                    let subject = subject::conv(Partition::of(room, 4), room);
                    let id = EventId::fresh().to_string();
                    let stored = publisher.publish(subject, &id, n.to_string().into()).await.unwrap();
                    attempts += stored.attempts;
                }
                attempts
            })
        })
        .collect();
    for _ in 0..2 {
        halfway.wait().await;
        // It answers nothing from here on.
        server.pause();
        let before = sent.out_messages.load(Ordering::Relaxed);
        halfway.wait().await;
        let all = before + ROOMS as u64;
        let sending = async || sent.out_messages.load(Ordering::Relaxed) >= all;
        until("every room sends into the silence", sending).await;
        server.restart().await;
    }
    let attempts: u32 = join_all(senders).await.into_iter().map(Result::unwrap).sum();
    assert!(attempts as usize >= ROOMS * (EACH + 2), "a publish did not meet the kill: {attempts} attempts");

    let log = LogReader::new(jetstream::new(server.client(Purpose::Work).await), 4);
    for room in rooms {
        let events = log.from(room, 0, 10 * EACH).await.unwrap();
        let bodies: Vec<String> =
            events.iter().map(|e| String::from_utf8(e.payload.to_vec()).unwrap()).collect();
        let expected: Vec<String> = (0..EACH).map(|n| n.to_string()).collect();
        assert_eq!(bodies, expected);
        assert!(events.is_sorted_by(|a, b| a.seq < b.seq));
    }
}

/// Publishes `count` events of one conversation at once, under ids "0", "1", …; answers them in that order.
async fn at_once(publisher: &Publisher, subject: &str, count: usize) -> Vec<Stored> {
    ids_at_once(publisher, subject, 0..count).await
}

async fn ids_at_once(publisher: &Publisher, subject: &str, ids: Range<usize>) -> Vec<Stored> {
    let publishes = ids.map(|n| {
        let (publisher, subject, id) = (publisher.clone(), subject.to_owned(), n.to_string());
        tokio::spawn(async move { publisher.publish(subject, &id, id.clone().into()).await })
    });
    join_all(publishes).await.into_iter().map(|stored| stored.unwrap().unwrap()).collect()
}

/// What the log holds, by payload, in its order.
async fn logged(server: &TestServer, c: ConversationId) -> Vec<(u64, String)> {
    let events = LogReader::new(server.js().await, 1).from(c, 0, 5_000).await.unwrap();
    let text = |payload: &[u8]| String::from_utf8(payload.to_vec()).unwrap();
    events.iter().map(|event| (event.seq, text(&event.payload))).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn events_that_wait_go_together_and_each_learns_its_own_seq() {
    let server = TestServer::durable().await;
    server.provision(1).await;
    let publisher = Publisher::grouping(server.client(Purpose::Publish).await);
    let c = ConversationId::fresh();
    let stored = at_once(&publisher, &subject::conv(Partition(0), c), 1_000).await;
    let logged = logged(&server, c).await;
    assert_eq!(logged.len(), 1_000);
    for (seq, payload) in &logged {
        assert_eq!(stored[payload.parse::<usize>().unwrap()].seq, *seq);
    }
    let js = server.js().await;
    let stream = js.get_stream(log_stream(Partition(0))).await.unwrap();
    let last = stream.get_raw_message(logged[999].0).await.unwrap();
    assert!(last.headers.get(header::BATCH_SEQUENCE).is_some(), "a thousand at once went one by one");
}

#[tokio::test(flavor = "multi_thread")]
async fn where_a_commit_costs_no_sync_events_go_one_by_one_however_many_there_are() {
    let server = TestServer::start().await;
    server.provision(1).await;
    let publisher = Publisher::new(server.client(Purpose::Publish).await);
    let c = ConversationId::fresh();
    at_once(&publisher, &subject::conv(Partition(0), c), 1_000).await;
    let stream = server.js().await.get_stream(log_stream(Partition(0))).await.unwrap();
    for (seq, _) in logged(&server, c).await {
        let event = stream.get_raw_message(seq).await.unwrap();
        assert!(event.headers.get(header::BATCH_SEQUENCE).is_none(), "seq {seq} went with others");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_known_id_among_those_who_wait_stops_none_of_the_others() {
    let server = TestServer::durable().await;
    server.provision(1).await;
    let publisher = Publisher::grouping(server.client(Purpose::Publish).await);
    let c = ConversationId::fresh();
    let subject = subject::conv(Partition(0), c);
    let mut first = Vec::new();
    for known in ["100", "300"] {
        first.push((known, publisher.publish(subject.clone(), known, known.into()).await.unwrap().seq));
    }
    let stored = at_once(&publisher, &subject, 500).await;
    for (known, seq) in first {
        let again = stored[known.parse::<usize>().unwrap()];
        assert_eq!((again.seq, again.duplicate), (seq, true));
    }
    let payloads: HashSet<String> =
        logged(&server, c).await.into_iter().map(|(_, payload)| payload).collect();
    assert_eq!(payloads.len(), 500);
    assert_eq!(logged(&server, c).await.len(), 500);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_killed_under_a_full_queue_loses_and_doubles_nothing() {
    let server = TestServer::durable().await;
    server.provision(1).await;
    let publisher = Publisher::grouping(server.client(Purpose::Publish).await);
    let c = ConversationId::fresh();
    let subject = subject::conv(Partition(0), c);
    let (publishes, ()) = tokio::join!(at_once(&publisher, &subject, 2_000), async {
        // In the middle: some are stored by now, most are not.
        while logged(&server, c).await.len() < 200 {}
        server.kill9();
    });
    let logged = logged(&server, c).await;
    assert_eq!(logged.len(), 2_000);
    for (seq, payload) in logged {
        assert_eq!(publishes[payload.parse::<usize>().unwrap()].seq, seq);
    }
}
