//! A log whose server has lost what it had acked: its files were put back, as after a power cut without an fsync.

use std::{path::Path, process::Command};

use natter_nats::{
    connect::Purpose,
    publisher::{PublishError, Publisher, Stored},
    subject,
};
use natter_schemas::id::{ConversationId, EventId, Partition};
use natter_testkit::TestServer;

const P: Partition = Partition(0);

async fn publish(publisher: &Publisher, room: ConversationId) -> Result<Stored, PublishError> {
    publisher.publish(subject::conv(P, room), &EventId::fresh().to_string(), "x".into()).await
}

fn copy(from: &Path, to: &Path) {
    let copied = Command::new("cp").arg("-a").args([from, to]).status().unwrap();
    assert!(copied.success(), "{} is not copied", from.display());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_log_that_was_rolled_back_takes_nothing_more() {
    let server = TestServer::durable().await;
    server.provision(1).await;
    let (room, spare) = (ConversationId::fresh(), tempfile::tempdir().unwrap());
    let publisher = Publisher::new(server.client(Purpose::Publish).await);
    let reader = Publisher::new(server.client(Purpose::Publish).await);
    let stranger = Publisher::new(server.client(Purpose::Publish).await);
    for _ in 0..5 {
        publish(&publisher, room).await.unwrap();
    }
    let files = server.folder().join("nats/jetstream");
    copy(&files, &spare.path().join("early"));
    for seq in 6..11 {
        assert_eq!(publish(&publisher, room).await.unwrap().seq, seq);
        reader.health().reaches(P, seq);
    }

    server.pause();
    std::fs::rename(&files, spare.path().join("late")).unwrap();
    copy(&spare.path().join("early"), &files);
    server.restart().await;
    assert_eq!(publish(&stranger, room).await.unwrap().seq, 6, "it knows of no later one");
    for publisher in [publisher, reader] {
        for _ in 0..2 {
            assert_eq!(publish(&publisher, room).await, Err(PublishError::RolledBack));
        }
        let conditional = publisher.publish_after(&subject::conv(P, room), 6, &[]).await;
        assert_eq!(conditional.unwrap_err(), PublishError::RolledBack);
        assert!(!publisher.health().is_up());
    }
    assert_eq!(publish(&stranger, room).await.unwrap().seq, 9, "of each of the two only the first was sent");
}
