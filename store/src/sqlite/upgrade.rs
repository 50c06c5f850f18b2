//! A file that an older version wrote is brought up to date with everything in it.

use natter_schemas::{
    event::{Kind, LogEntry},
    id::Seq,
    rpc::{User, Window},
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
    AccountStore, EventStore, MessageStore, Store,
    conformance::fixtures::{SampleLog, plain, posted, user},
    fold::fold,
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

/// As version 5 did.
fn insert_user(db: &Connection, user: &User) {
    let User { id, username, email, display_name, created_at } = user;
    db.execute(
        "INSERT INTO users (id, username, username_fold, email, email_fold, display_name, display_fold,
                            password_hash, created_at)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, 'h', ?8)",
        params![
            id.as_bytes(),
            username,
            username.as_bytes(),
            email,
            email.as_bytes(),
            display_name,
            fold(display_name).as_bytes(),
            created_at.0
        ],
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

#[tokio::test]
async fn users_of_version_5_are_found_by_every_word_of_their_names() {
    let folder = TempDir::new().unwrap();
    let path = folder.path().join("natter.db");
    let mut old = Connection::open(&path).unwrap();
    let older = open::embedded::migrations::runner().set_target(Target::Version(5));
    older.run(&mut old).unwrap();
    let zoe = User { display_name: "Zoë Smith-Jones".to_owned(), ..user("zsj") };
    insert_user(&old, &zoe);
    drop(old);

    let store = SqliteStore::open(&path).unwrap();
    for query in ["zoe", "smith", "JON", "zsj"] {
        assert_eq!(store.search_users(query, 5).await.unwrap(), std::slice::from_ref(&zoe), "{query}");
    }
    store.close().await;
    let change = |sql: &str| Connection::open(&path).unwrap().execute_batch(sql).unwrap();
    // The words are there in their present form: nothing is made again.
    change("DELETE FROM user_words");
    let store = SqliteStore::open(&path).unwrap();
    assert!(store.search_users("smith", 5).await.unwrap().is_empty());
    store.close().await;
    // Of another form they are.
    change("UPDATE user_words_form SET form = 0");
    let store = SqliteStore::open(&path).unwrap();
    assert_eq!(store.search_users("smith", 5).await.unwrap(), [zoe]);
}
