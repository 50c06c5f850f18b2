//! Appending, against the log itself and against an answer that is lost.

use std::time::Duration;

use natter_nats::{
    clock::LogClock,
    connect::Purpose,
    event_log::{Appended, Duplicate, EventLog},
    log::{LogError, LogReader},
    publisher::{PublishError, Publisher},
    trace::TraceRing,
};
use natter_schemas::{
    event::{Body, Event, Kind, LogEntry, Timestamp},
    id::{ConversationId, EventId, Partition, UserId},
    limits,
};
use natter_testkit::TestServer;

const PARTITIONS: u16 = 2;

#[derive(Debug, thiserror::Error)]
enum Failure {
    #[error(transparent)]
    Publish(#[from] PublishError),
    #[error(transparent)]
    Log(#[from] LogError),
}

fn post(text: &str) -> Event {
    Event {
        id: EventId::fresh(),
        conversation: ConversationId::fresh(),
        author: UserId::fresh(),
        device: String::new(),
        client_id: None,
        at: Timestamp(1_700_000_000_000),
        kind: Kind::Posted { body: Body::Plain(text.to_owned()), reply_to: None },
        traceparent: None,
    }
}

struct Log {
    events: EventLog,
    reader: LogReader,
}

impl Log {
    async fn of(server: &TestServer) -> Self {
        server.provision(PARTITIONS).await;
        let publisher = Publisher::new(server.client(Purpose::Publish).await);
        let events = EventLog::new(publisher, PARTITIONS, LogClock::own(), TraceRing::default());
        Self { events, reader: LogReader::new(server.js().await, PARTITIONS) }
    }

    async fn append(&self, event: Event) -> Result<Appended, Failure> {
        self.events
            .append(event, |Duplicate { partition, seq, .. }| async move {
                Ok(self.reader.event_at(partition, seq).await?.unwrap().decode().unwrap())
            })
            .await
    }
}

#[tokio::test]
async fn an_appended_event_is_in_the_log_under_the_seq_it_was_given() {
    let server = TestServer::start().await;
    let log = Log::of(&server).await;
    let event = post("hi");
    let partition = Partition::of(event.conversation, PARTITIONS);
    let appended = log.append(event.clone()).await.unwrap();
    assert!(!appended.duplicate);
    let stored = log.reader.event_at(partition, appended.entry.seq).await.unwrap().unwrap();
    assert_eq!(stored.decode().unwrap(), LogEntry { seq: appended.entry.seq, event });
}

#[tokio::test]
async fn the_first_event_of_an_id_counts_whatever_is_appended_under_it_later() {
    let server = TestServer::start().await;
    let log = Log::of(&server).await;
    let first = post("first");
    let second = Event { id: first.id, conversation: first.conversation, ..post("second") };
    let stored = log.append(first).await.unwrap().entry;
    assert_eq!(log.append(second).await.unwrap(), Appended { entry: stored, duplicate: true });
}

#[tokio::test]
async fn the_same_event_appended_twice_is_a_duplicate() {
    let server = TestServer::start().await;
    let log = Log::of(&server).await;
    let event = post("hi");
    let stored = log.append(event.clone()).await.unwrap().entry;
    assert_eq!(log.append(event).await.unwrap(), Appended { entry: stored, duplicate: true });
}

#[tokio::test]
async fn an_own_attempt_whose_answer_was_lost_is_no_duplicate() {
    let server = TestServer::start().await;
    let log = Log::of(&server).await;
    let event = post("hi");
    server.pause();
    let mut append = std::pin::pin!(log.append(event.clone()));
    // The second attempt is under way: both reach the server when it goes on.
    let longer = limits::PUBLISH_ATTEMPT + Duration::from_millis(200);
    assert!(tokio::time::timeout(longer, &mut append).await.is_err());
    server.resume();
    let appended = append.await.unwrap();
    assert_eq!((appended.entry.event, appended.duplicate), (event, false));
}

#[tokio::test]
async fn a_duplicate_that_cannot_be_looked_up_fails_with_the_reason_of_the_look_up() {
    let server = TestServer::start().await;
    let log = Log::of(&server).await;
    let event = post("hi");
    let seq = log.append(event.clone()).await.unwrap().entry.seq;
    let expected = Duplicate {
        event: event.id,
        conversation: event.conversation,
        partition: Partition::of(event.conversation, PARTITIONS),
        seq,
    };
    let appended = log
        .events
        .append(event, |duplicate| async move {
            assert_eq!(duplicate, expected);
            Err(Failure::Log(LogError::Unavailable("away".to_owned())))
        })
        .await;
    assert!(matches!(appended, Err(Failure::Log(LogError::Unavailable(_)))), "{appended:?}");
}

#[tokio::test]
async fn what_was_decided_on_an_older_end_is_not_appended() {
    let server = TestServer::start().await;
    let log = Log::of(&server).await;
    let (first, second) = (post("1"), post("2"));
    let (room, head) = (first.conversation, log.append(first).await.unwrap().entry.seq);
    let of_room = |text: &str| Event { conversation: room, ..post(text) };
    // Another conversation does not count.
    log.append(second).await.unwrap();

    let two = log.events.append_after(head, vec![of_room("a"), of_room("b")]).await.unwrap();
    let late = log.events.append_after(head, vec![of_room("c"), of_room("d")]).await;
    assert_eq!(late, Err(PublishError::Moved));
    let one = log.events.append_after(two[1].seq, vec![of_room("e")]).await.unwrap();

    let stored = log.reader.from(room, head + 1, 10).await.unwrap();
    let stored: Vec<LogEntry> = stored.iter().map(|event| event.decode().unwrap()).collect();
    assert_eq!(stored, [two, one].concat());
}

#[tokio::test]
async fn of_changes_decided_on_the_same_end_one_is_appended() {
    let server = TestServer::start().await;
    let log = Log::of(&server).await;
    let room = ConversationId::fresh();
    let change = |n: usize| {
        let events = vec![Event { conversation: room, ..post(&n.to_string()) }; 1 + n % 2];
        let events = events.into_iter().map(|event| Event { id: EventId::fresh(), ..event });
        log.events.append_after(0, events.collect())
    };
    let answers = futures_util::future::join_all((0..20).map(change)).await;
    let stored: Vec<LogEntry> = answers.iter().flatten().flatten().cloned().collect();
    assert_eq!(answers.iter().filter(|answer| answer.is_ok()).count(), 1);
    assert!(answers.iter().all(|answer| matches!(answer, Ok(_) | Err(PublishError::Moved))), "{answers:?}");
    let found = log.reader.from(room, 1, 100).await.unwrap();
    let found: Vec<LogEntry> = found.iter().map(|event| event.decode().unwrap()).collect();
    assert_eq!(found, stored);
}
