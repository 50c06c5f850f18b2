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
    conformance::scene::{Room, plain, posted},
};

/// As version 3 kept an event and its conversation.
fn keep(db: &Connection, LogEntry { seq, event }: &LogEntry) {
    let (kind, target) = of_kind(&event.kind);
    let (room, seq, data) = (event.conversation.as_bytes(), int(*seq), natter_schemas::codec::encode(event));
    let (id, author) = (event.id.as_bytes(), event.author.as_bytes());
    db.execute(
        "INSERT INTO events (conversation, seq, id, kind, target, author, at, data)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8)",
        params![room, seq, id, kind, target, author, event.at.0, data],
    )
    .unwrap();
    db.execute(
        "INSERT INTO conversations (id, shape, created_seq, created_at, head) VALUES (?1, 2, 10, 1, ?2)
         ON CONFLICT (id) DO UPDATE SET head = excluded.head",
        params![room, seq],
    )
    .unwrap();
}

fn talkative() -> Room {
    let mut room = Room::of(&[]);
    for n in 0..20 {
        let seq = room.add(room.owner, posted(&format!("message {n}")));
        room.add(room.owner, Kind::Edited { target: seq, body: plain("edited") });
    }
    room
}

#[tokio::test]
async fn a_file_of_version_3_keeps_its_history_and_goes_on() {
    let folder = TempDir::new().unwrap();
    let path = folder.path().join("natter.db");
    let mut rooms = [talkative(), talkative()];
    let mut old = Connection::open(&path).unwrap();
    let older = open::embedded::migrations::runner().set_target(Target::Version(3));
    older.run(&mut old).unwrap();
    rooms.iter().flat_map(|room| &room.log).for_each(|logged| keep(&old, logged));
    drop(old);

    let store = SqliteStore::open(&path).unwrap();
    for room in &mut rooms {
        // Everything again, and something new.
        let new = room.add(room.owner, posted("new"));
        room.persist(&store).await;
        assert_eq!(store.events_from(room.id, 0, Seq::MAX, 100).await.unwrap(), room.log);
        let page = store.messages(room.id, Window::Newest, Seq::MAX, 100).await.unwrap();
        assert_eq!((page.len(), page.last().map(|message| message.seq)), (21, Some(new)));
        assert!(page[..20].iter().all(|message| message.body == Some(plain("edited"))));
        for logged in &room.log {
            let found = store.find_event(room.id, logged.event.id).await.unwrap();
            assert_eq!(found.as_ref(), Some(logged));
        }
    }
}
