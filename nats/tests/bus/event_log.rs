//! Appending, against the log itself and against an answer that is lost.

use std::time::Duration;

use natter_nats::{
    connect::Purpose,
    event_log::{Appended, Duplicate, EventLog},
    log::{LogError, LogReader},
    publisher::{PublishError, Publisher},
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
        let events = EventLog::new(publisher, PARTITIONS);
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
