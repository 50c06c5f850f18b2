use std::{collections::HashMap, time::Duration};

use futures_util::{StreamExt, future::join_all};
use natter_nats::{
    apply,
    async_nats::jetstream::{self, consumer::pull},
    connect::Purpose,
    log::{LogError, LogReader, Portion},
    publisher::Publisher,
    topology,
};
use natter_schemas::{
    event::{Event, Kind, Timestamp},
    id::{ConversationId, EventId, Partition, Seq, UserId},
};
use natter_testkit::{TestServer, small};

struct Fixture {
    server: TestServer,
    publisher: Publisher,
    log: LogReader,
    js: jetstream::Context,
    partitions: u16,
}

async fn fixture(partitions: u16) -> Fixture {
    let server = TestServer::start().await;
    server.provision(partitions).await;
    let publisher = Publisher::new(server.client(Purpose::Publish).await);
    let js = jetstream::new(server.client(Purpose::Work).await);
    Fixture { server, publisher, log: LogReader::new(js.clone(), partitions), js, partitions }
}

impl Fixture {
    async fn publish(&self, c: ConversationId, payload: impl Into<bytes::Bytes>) -> Seq {
        super::publish(&self.publisher, self.partitions, c, payload).await
    }

    /// Several events of one conversation, in no particular order.
    async fn publish_many(&self, c: ConversationId, count: usize, bytes: usize) -> Vec<Seq> {
        let mut seqs = join_all((0..count).map(|_| self.publish(c, vec![7; bytes]))).await;
        seqs.sort_unstable();
        seqs
    }
}

fn seqs(events: &[natter_nats::log::RawEvent]) -> Vec<Seq> {
    events.iter().map(|event| event.seq).collect()
}

#[tokio::test]
async fn a_conversation_is_read_whole_over_several_batches() {
    let f = fixture(1).await;
    let (c, other) = (ConversationId::fresh(), ConversationId::fresh());
    let (wanted, _) = tokio::join!(f.publish_many(c, 1_250, 10), f.publish_many(other, 700, 10));

    assert_eq!(seqs(&f.log.from(c, 0, 5_000).await.unwrap()), wanted);
    assert_eq!(seqs(&f.log.from(c, 0, 1_100).await.unwrap()), wanted[..1_100]);
    assert_eq!(seqs(&f.log.from(c, wanted[600], 600).await.unwrap()), wanted[600..1_200]);
    assert_eq!(seqs(&f.log.from(c, wanted[600] + 1, 1).await.unwrap()), wanted[601..602]);
    let last = wanted[wanted.len() - 1];
    assert_eq!(seqs(&f.log.from(c, last, 10).await.unwrap()), [last]);
    assert!(f.log.from(c, last + 1, 10).await.unwrap().is_empty());
    assert!(f.log.from(c, 0, 0).await.unwrap().is_empty());
    assert!(f.log.from(ConversationId::fresh(), 0, 10).await.unwrap().is_empty());
}

#[tokio::test]
async fn the_end_of_a_conversation_is_the_same_read_in_a_batch_or_one_by_one() {
    let f = fixture(1).await;
    let c = ConversationId::fresh();
    let wanted = f.publish_many(c, 600, 10).await;
    f.publish(ConversationId::fresh(), "x").await;
    let last = wanted[wanted.len() - 1];
    for near in [true, false] {
        let read = async |from, limit| {
            let portion = Portion { events: limit, bytes: usize::MAX };
            let end = f.log.end(c, from, portion, near).await.unwrap();
            (seqs(&end.events), end.newest, end.cut)
        };
        assert_eq!(read(0, 5_000).await, (wanted.clone(), Some(last), false));
        assert_eq!(read(0, 600).await, (wanted.clone(), Some(last), false));
        assert_eq!(read(wanted[3], 20).await, (wanted[3..23].to_vec(), Some(last), true));
        assert_eq!(read(last, 10).await, (vec![last], Some(last), false));
        assert_eq!(read(last + 1, 10).await, (vec![], Some(last), false));
        let all = Portion { events: 10, bytes: usize::MAX };
        let nothing = f.log.end(ConversationId::fresh(), 0, all, near).await.unwrap();
        assert!(nothing.events.is_empty() && nothing.newest.is_none() && !nothing.cut);
    }
}

#[tokio::test]
async fn a_portion_of_the_log_ends_at_its_bytes_and_the_next_one_goes_on() {
    let f = fixture(1).await;
    let c = ConversationId::fresh();
    let wanted = f.publish_many(c, 60, 9_000).await;
    let (mut next, mut read) = (0, Vec::new());
    loop {
        let end = f.log.end(c, next, Portion { events: 500, bytes: 100_000 }, false).await.unwrap();
        assert!(end.events.iter().map(|event| event.payload.len()).sum::<usize>() <= 200_000);
        read.extend(seqs(&end.events));
        next = read[read.len() - 1] + 1;
        if !end.cut {
            break;
        }
    }
    assert_eq!(read, wanted);
}

#[tokio::test]
async fn big_events_are_read_whole_although_a_batch_is_cut_by_its_bytes() {
    let f = fixture(1).await;
    let c = ConversationId::fresh();
    let wanted = f.publish_many(c, 600, 9_000).await;
    assert_eq!(seqs(&f.log.from(c, 0, 600).await.unwrap()), wanted);
}

#[tokio::test]
async fn heads_of_many_conversations_come_from_few_questions() {
    let f = fixture(3).await;
    let mut wanted = HashMap::new();
    let rooms: Vec<ConversationId> = (0..3_300).map(|_| ConversationId::fresh()).collect();
    for some in rooms.chunks(400) {
        join_all(some.iter().map(|c| f.publish(*c, "old"))).await;
        let seqs = join_all(some.iter().map(|c| f.publish(*c, "new"))).await;
        wanted.extend(some.iter().copied().zip(seqs));
    }
    let silent = ConversationId::fresh();
    let asked: Vec<_> = rooms.iter().copied().chain([silent]).collect();
    assert_eq!(f.log.heads(&asked).await.unwrap(), wanted);
    assert!(f.log.heads(&[silent]).await.unwrap().is_empty());
    assert!(f.log.heads(&[]).await.unwrap().is_empty());
}

#[tokio::test]
async fn heads_are_whole_although_an_answer_is_cut_by_its_bytes() {
    let f = fixture(1).await;
    let rooms: Vec<ConversationId> = (0..700).map(|_| ConversationId::fresh()).collect();
    let seqs = join_all(rooms.iter().map(|c| f.publish(*c, vec![0; 9_000]))).await;
    let wanted: HashMap<_, _> = rooms.iter().copied().zip(seqs).collect();
    assert_eq!(f.log.heads(&rooms).await.unwrap(), wanted);
}

#[tokio::test]
async fn a_partition_is_read_in_order_whatever_the_conversation_and_size() {
    let f = fixture(1).await;
    let (a, b) = (ConversationId::fresh(), ConversationId::fresh());
    tokio::join!(f.publish_many(a, 700, 10), f.publish_many(b, 700, 9_000));
    let (mut next, mut read) = (0, Vec::new());
    loop {
        let some = f.log.in_order(Partition(0), next).await.unwrap();
        let Some(last) = some.last() else { break };
        assert!(some.len() <= 500);
        next = last.seq + 1;
        read.extend(
            some.into_iter().map(|kept| (kept.seq, natter_nats::subject::parse_conversation(&kept.subject))),
        );
    }
    assert_eq!(read.iter().map(|(seq, _)| *seq).collect::<Vec<_>>(), (1..=1_400).collect::<Vec<_>>());
    for c in [a, b] {
        assert_eq!(read.iter().filter(|(_, of)| *of == Some((Partition(0), c))).count(), 700);
    }
}

#[tokio::test]
async fn parked_events_are_read_by_job_and_partition_with_the_time_they_were_parked() {
    let f = fixture(2).await;
    let begun = Timestamp::now();
    for (job, p) in [("persist", 0), ("mirror", 0), ("persist", 1)] {
        let subject = natter_nats::subject::parked(job, Partition(p));
        f.publisher.publish(subject, &EventId::fresh().to_string(), "x".into()).await.unwrap();
    }
    let numbers = async |job: Option<&str>, p: Option<u16>| -> Vec<Seq> {
        let subjects = natter_nats::subject::parked_by(job, p.map(Partition));
        let kept = f.log.parked_in_order(&subjects, 1).await.unwrap();
        kept.iter().map(|kept| kept.seq).collect()
    };
    assert_eq!(numbers(None, None).await, [1, 2, 3]);
    assert_eq!(numbers(Some("persist"), None).await, [1, 3]);
    assert_eq!(numbers(Some("persist"), Some(1)).await, [3]);
    assert!(numbers(Some("mirror"), Some(1)).await.is_empty());
    let one = f.log.parked_at(2).await.unwrap().unwrap();
    assert_eq!(natter_nats::subject::parse_parked(&one.subject), Some(("mirror", Partition(0))));
    let at = one.at().unwrap();
    assert!(at.0 >= begun.0 - 1_000 && at.0 <= Timestamp::now().0 + 1_000, "{at}");
    assert!(f.log.parked_at(4).await.unwrap().is_none());
}

#[tokio::test]
async fn an_event_is_found_by_its_seq_alone() {
    let f = fixture(1).await;
    let event = Event {
        id: EventId::fresh(),
        conversation: ConversationId::fresh(),
        author: UserId::fresh(),
        device: "phone".to_owned(),
        client_id: None,
        at: Timestamp(1),
        kind: Kind::Renamed { name: "name".to_owned() },
        traceparent: None,
    };
    let seq = f.publish(event.conversation, natter_schemas::codec::encode(&event)).await;
    let found = f.log.event_at(Partition(0), seq).await.unwrap().unwrap();
    let logged = found.decode().unwrap();
    assert_eq!((logged.seq, logged.event), (seq, event));
    assert_eq!(f.log.event_at(Partition(0), seq + 1).await.unwrap(), None);
}

#[tokio::test]
async fn the_floor_follows_the_acks_of_the_persister() {
    let f = fixture(2).await;
    let c = ConversationId::fresh();
    let p = usize::from(Partition::of(c, 2).0);
    let wanted = f.publish_many(c, 20, 10).await;
    assert_eq!(f.log.last_seqs().await.unwrap()[p], 20);
    assert_eq!(f.log.floors().await.unwrap(), [0, 0]);

    let stream = topology::log_stream(Partition::of(c, 2));
    let persist: jetstream::consumer::Consumer<pull::Config> =
        f.js.get_consumer_from_stream(topology::PERSIST, stream).await.unwrap();
    let batch = persist.fetch().max_messages(20).messages().await.unwrap();
    let messages: Vec<_> = batch.map(Result::unwrap).collect().await;
    // All but the tenth: everything above it waits.
    for (n, message) in messages.iter().enumerate().filter(|(n, _)| *n != 9) {
        message.double_ack().await.unwrap_or_else(|e| panic!("ack {n}: {e}"));
    }
    assert_eq!(f.log.floors().await.unwrap()[p], wanted[8]);
    messages[9].double_ack().await.unwrap();
    assert_eq!(f.log.floors().await.unwrap()[p], wanted[19]);
}

#[tokio::test]
async fn a_log_made_again_starts_above_the_store_and_its_floor_is_the_store() {
    let server = TestServer::start().await;
    let js = server.js().await;
    apply::apply(&js, &small(2), &[500, 0]).await.unwrap();
    let log = LogReader::new(js, 2);
    assert_eq!(log.last_seqs().await.unwrap(), [500, 0]);
    assert_eq!(log.floors().await.unwrap(), [500, 0]);
    let publisher = Publisher::new(server.client(Purpose::Publish).await);
    let c = std::iter::repeat_with(ConversationId::fresh).find(|c| Partition::of(*c, 2).0 == 0).unwrap();
    assert_eq!(super::publish(&publisher, 2, c, "x").await, 501);
    assert_eq!(log.floors().await.unwrap(), [500, 0]);
}

#[tokio::test]
async fn the_log_is_read_again_after_the_server_was_killed() {
    let f = fixture(1).await;
    let c = ConversationId::fresh();
    let wanted = f.publish_many(c, 10, 10).await;
    f.server.restart().await;
    let read = async {
        loop {
            match f.log.from(c, 0, 100).await {
                Ok(events) => break events,
                // Until this connection has noticed.
                Err(LogError::Unavailable(_)) => {}
                Err(error) => panic!("{error}"),
            }
        }
    };
    let events = tokio::time::timeout(Duration::from_secs(20), read)
        .await
        .expect("the log is read again within 20 s of the restart");
    assert_eq!(seqs(&events), wanted);
}

#[tokio::test]
async fn a_log_that_is_not_there_is_unavailable_and_not_empty() {
    let server = TestServer::start().await;
    let log = LogReader::new(server.js().await, 1);
    assert!(matches!(log.from(ConversationId::fresh(), 0, 1).await, Err(LogError::Unavailable(_))));
    assert!(matches!(log.heads(&[ConversationId::fresh()]).await, Err(LogError::Unavailable(_))));
    assert!(log.last_seqs().await.is_err() && log.floors().await.is_err());
}
