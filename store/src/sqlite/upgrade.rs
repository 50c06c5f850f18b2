//! A file that an older version wrote is brought up to date with everything in it.

use natter_schemas::{
    event::{Kind, LogEntry},
    id::Seq,
    rpc::Window,
};
use refinery::Target;
use rusqlite::{Connection, params};
use tempfile::TempDir;

use super::{
    SqliteStore,
    columns::{int, of_kind},
    open,
};
use crate::{
    EventStore, MessageStore,
    conformance::fixtures::{SampleLog, plain, posted},
};

/// Stores an event and its conversation as version 3 did.
fn insert(db: &Connection, LogEntry { seq, event }: &LogEntry) {
    let (kind, target) = of_kind(&event.kind);
    let (sample, seq, data) =
        (event.conversation.as_bytes(), int(*seq), natter_schemas::codec::encode(event));
    let (id, author) = (event.id.as_bytes(), event.author.as_bytes());
    db.execute(
        "INSERT INTO events (conversation, seq, id, kind, target, author, at, data)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8)",
        params![sample, seq, id, kind, target, author, event.at.0, data],
    )
    .unwrap();
    db.execute(
        "INSERT INTO conversations (id, shape, created_seq, created_at, head) VALUES (?1, 2, 10, 1, ?2)
         ON CONFLICT (id) DO UPDATE SET head = excluded.head",
        params![sample, seq],
    )
    .unwrap();
}

fn sample_with_edits() -> SampleLog {
    let mut sample = SampleLog::of(&[]);
    for n in 0..20 {
        let seq = sample.add(sample.owner, posted(&format!("message {n}")));
        sample.add(sample.owner, Kind::Edited { target: seq, body: plain("edited") });
    }
    sample
}

#[tokio::test]
async fn a_file_of_version_3_keeps_its_history_and_goes_on() {
    let folder = TempDir::new().unwrap();
    let path = folder.path().join("natter.db");
    let mut samples = [sample_with_edits(), sample_with_edits()];
    let mut old = Connection::open(&path).unwrap();
    let older = open::embedded::migrations::runner().set_target(Target::Version(3));
    older.run(&mut old).unwrap();
    samples.iter().flat_map(|sample| &sample.log).for_each(|logged| insert(&old, logged));
    drop(old);

    let store = SqliteStore::open(&path).unwrap();
    for sample in &mut samples {
        // Everything again, and something new.
        let new = sample.add(sample.owner, posted("new"));
        sample.persist(&store).await;
        assert_eq!(store.events_from(sample.id, 0, Seq::MAX, 100).await.unwrap(), sample.log);
        let page = store.messages(sample.id, Window::Newest, Seq::MAX, 100).await.unwrap();
        assert_eq!((page.len(), page.last().map(|message| message.seq)), (21, Some(new)));
        assert!(page[..20].iter().all(|message| message.body == Some(plain("edited"))));
        for logged in &sample.log {
            let found = store.find_event(sample.id, logged.event.id).await.unwrap();
            assert_eq!(found.as_ref(), Some(logged));
        }
    }
}
