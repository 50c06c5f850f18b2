//! The embedded store on real files: the suite every store passes, and what only a file can get wrong.
#![allow(clippy::unwrap_used)]

mod sqlite {
    mod damage; // what a hand or a disk did to the file
}

use std::{path::PathBuf, sync::Arc};

use futures_util::future::join_all;
use natter_schemas::{
    event::Timestamp,
    id::{EventId, SessionId, UserId},
    rpc::Window,
};
use natter_store::{
    AccountStore, AddSession, ConversationStore, ErasureStore, EventStore, KeyStore, MemberStore,
    MessageStore, NewSession, ReadMarkStore, SessionStore, Store, StoreError, WrappedUserKey,
    conformance::fixtures::{self, SampleLog, posted},
    sqlite::SqliteStore,
};
use rusqlite::Connection;
use tempfile::TempDir;

async fn fresh() -> (Arc<dyn Store>, TempDir) {
    let (store, folder) = opened();
    (Arc::new(store), folder)
}

natter_store::conformance!(fresh);

fn opened() -> (SqliteStore, TempDir) {
    let folder = TempDir::new().unwrap();
    (SqliteStore::open(&file(&folder)).unwrap(), folder)
}

fn file(folder: &TempDir) -> PathBuf {
    folder.path().join("natter.db")
}

#[tokio::test]
async fn what_was_stored_is_there_after_reopening() {
    let (store, folder) = opened();
    let (user, session) = (fixtures::user(&fixtures::unique_name()), SessionId::fresh());
    let mut sample = SampleLog::of(&[user.id]);
    let seq = sample.add(user.id, posted("hi"));
    store.add_user(&user, "hash").await.unwrap();
    let opened = NewSession {
        session,
        user: user.id,
        password_hash: "hash".to_owned(),
        token: [1; 32],
        now: Timestamp(1),
        expires_at: Timestamp(2),
    };
    assert_eq!(store.add_session(&opened).await.unwrap(), AddSession::Added);
    sample.persist(&store).await;
    store.close().await;

    let store = SqliteStore::open(&file(&folder)).unwrap();
    assert_eq!(store.users(&[user.id]).await.unwrap(), std::slice::from_ref(&user));
    assert_eq!(store.sessions_of(user.id, Timestamp(1)).await.unwrap(), [session]);
    assert_eq!(store.highest(sample.partition).await.unwrap(), seq);
    assert_eq!(store.read_mark(sample.id, user.id).await.unwrap(), seq);
    assert_eq!(store.messages(sample.id, Window::Newest, seq, 10).await.unwrap()[0].seq, seq);
    assert_eq!(store.members(sample.id).await.unwrap().len(), 2);
}

/// All calls are queued while another connection holds the file, so the count does not depend on timing.
#[tokio::test]
async fn two_hundred_concurrent_persists_are_committed_in_a_few_transactions() {
    let (store, folder) = opened();
    let other = Connection::open(file(&folder)).unwrap();
    other.execute_batch("BEGIN IMMEDIATE").unwrap();
    let samples: Vec<SampleLog> = (0..200).map(|_| SampleLog::of(&[])).collect();
    let before = store.commits();
    let persists = join_all(samples.iter().map(|sample| sample.persist(&store)));
    let let_go = async { other.execute_batch("COMMIT").unwrap() };
    // Polled in this order: the lock is let go when every persist has been queued.
    tokio::join!(biased; persists, let_go);
    let commits = store.commits() - before;
    assert!((1..=5).contains(&commits), "{commits} transactions for 200 calls");
    let ids: Vec<_> = samples.iter().map(|sample| sample.id).collect();
    assert_eq!(store.heads(&ids).await.unwrap(), [10; 200]);
}

#[tokio::test]
async fn one_failing_call_does_not_spoil_those_committed_with_it() {
    let (store, folder) = opened();
    let (good, mut bad) = (SampleLog::of(&[]), SampleLog::of(&[]));
    let taken = bad.add(bad.owner, posted("hi"));
    bad.persist(&store).await;
    // An event that is fine, then a stranger at a seq that is taken: neither may stay.
    let mut events = vec![bad.log[1].clone(), bad.log[1].clone()];
    for logged in &mut events {
        logged.event.id = EventId::fresh();
    }
    events[0].seq = taken - 1;

    let other = Connection::open(file(&folder)).unwrap();
    other.execute_batch("BEGIN IMMEDIATE").unwrap();
    let let_go = async { other.execute_batch("COMMIT").unwrap() };
    let failing = store.persist(bad.partition, &events);
    let ((), failed, ()) = tokio::join!(biased; good.persist(&store), failing, let_go);
    assert!(matches!(failed, Err(StoreError::Corrupt(_))), "{failed:?}");
    assert_eq!(store.heads(&[good.id, bad.id]).await.unwrap(), [10, taken]);
    assert_eq!(store.message(bad.id, taken - 1, taken).await.unwrap(), None);
}

#[tokio::test]
async fn a_full_disk_is_unavailable_and_the_store_recovers_when_there_is_space() {
    let (store, _folder) = opened();
    let kept = SampleLog::of(&[]);
    kept.persist(&store).await;
    store.limit_size(1).await.unwrap();
    let mut sample = SampleLog::of(&[]);
    for _ in 0..100 {
        sample.add(sample.owner, posted(&"x".repeat(8 * 1024)));
    }
    for _ in 0..3 {
        let full = store.persist(sample.partition, &sample.log).await;
        assert!(matches!(full, Err(StoreError::Unavailable(_))), "{full:?}");
    }
    // Nothing of it stayed, reads still work.
    assert_eq!(store.heads(&[sample.id, kept.id]).await.unwrap(), [0, 10]);
    store.ready().await.unwrap();

    store.limit_size(u64::MAX).await.unwrap();
    sample.persist(&store).await;
    assert_eq!(store.events_from(sample.id, 0, u64::MAX, 1_000).await.unwrap(), sample.log);
}

#[tokio::test]
async fn a_closed_store_has_finished_its_queue_and_is_unavailable() {
    let (store, folder) = opened();
    let samples: Vec<SampleLog> = (0..50).map(|_| SampleLog::of(&[])).collect();
    let persists = join_all(samples.iter().map(|sample| sample.persist(&store)));
    tokio::join!(biased; persists, store.close());
    assert!(matches!(store.ready().await, Err(StoreError::Unavailable(_))));
    let late = store.advance_read(samples[0].id, UserId::fresh(), 1, Timestamp(1)).await;
    assert!(matches!(late, Err(StoreError::Unavailable(_))));
    store.close().await;

    let store = SqliteStore::open(&file(&folder)).unwrap();
    let ids: Vec<_> = samples.iter().map(|sample| sample.id).collect();
    assert_eq!(store.heads(&ids).await.unwrap(), [10; 50]);
}

#[tokio::test]
async fn a_user_with_thousands_of_conversations_gets_a_page_of_them() {
    let (store, _folder) = opened();
    let anna = UserId::fresh();
    let partition = fixtures::partition();
    let samples: Vec<SampleLog> = (0..3_000).map(|_| SampleLog::of(&[anna])).collect();
    let created: Vec<_> = samples.iter().flat_map(|sample| sample.log.clone()).collect();
    store.persist(partition, &created).await.unwrap();
    let mut ids: Vec<_> = samples.iter().map(|sample| sample.id).collect();
    ids.sort_by(|a, b| b.cmp(a));
    let page = store.list_conversations(anna, None, 50).await.unwrap();
    let listed: Vec<_> = page.iter().map(|row| row.conversation.id).collect();
    assert_eq!(listed, ids[..50]);
    assert_eq!(store.memberships(anna).await.unwrap().len(), 3_000);
}

/// The newest ids of a conversation are looked through, the others are entered in a tree, some hundred at a time.
#[tokio::test]
async fn an_event_is_found_by_its_id_however_many_there_are_and_whenever_it_came() {
    let (store, _folder) = opened();
    let (mut ahead, mut backwards) = (SampleLog::of(&[]), SampleLog::of(&[]));
    for sample in [&mut ahead, &mut backwards] {
        for _ in 0..700 {
            sample.add(sample.owner, posted("hi"));
        }
        // The log holds an id twice, near and far from its end: the first counts.
        sample.log[695].event.id = sample.log[690].event.id;
        sample.log[95].event.id = sample.log[90].event.id;
    }
    for hundred in ahead.log.chunks(100) {
        store.persist(ahead.partition, hundred).await.unwrap();
    }
    for hundred in backwards.log.chunks(100).rev() {
        store.persist(backwards.partition, hundred).await.unwrap();
    }
    for sample in [&ahead, &backwards] {
        for (n, logged) in sample.log.iter().enumerate() {
            let first = if n == 695 || n == 95 { &sample.log[n - 5] } else { logged };
            assert_eq!(store.find_event(sample.id, logged.event.id).await.unwrap().as_ref(), Some(first));
        }
        assert_eq!(store.find_event(sample.id, EventId::fresh()).await.unwrap(), None);
    }
    assert_eq!(store.find_event(ahead.id, backwards.log[1].event.id).await.unwrap(), None);
}

fn refused(folder: &TempDir) -> String {
    match SqliteStore::open(&file(folder)) {
        Err(StoreError::Corrupt(why)) => why,
        Err(other) => panic!("not corrupt: {other}"),
        Ok(_) => panic!("it was opened"),
    }
}

#[tokio::test]
async fn a_database_of_a_newer_version_is_refused_with_a_sentence() {
    let (store, folder) = opened();
    store.close().await;
    drop(store);
    let newer = "INSERT INTO refinery_schema_history VALUES (9999, 'later', '2030-01-01T00:00:00Z', '1')";
    Connection::open(file(&folder)).unwrap().execute_batch(newer).unwrap();
    let why = refused(&folder);
    assert!(why.contains("a newer version of this program has changed it"), "{why}");
    assert!(why.contains("natter.db"), "{why}");
}

#[tokio::test]
async fn a_database_is_opened_whose_newer_migrations_say_that_it_may_be() {
    let (store, folder) = opened();
    store.close().await;
    drop(store);
    let db = Connection::open(file(&folder)).unwrap();
    let newest = "SELECT max(version) FROM refinery_schema_history";
    let newest: i64 = db.query_row(newest, [], |row| row.get(0)).unwrap();
    let newer = |version: i64, since: i64| {
        let row = format!("({version}, 'later_since_{since:04}', '2030-01-01T00:00:00Z', '1')");
        db.execute_batch(&format!("INSERT INTO refinery_schema_history VALUES {row}")).unwrap();
    };
    newer(9998, newest);
    SqliteStore::open(&file(&folder)).unwrap().close().await;
    newer(9999, newest + 1);
    let why = refused(&folder);
    assert!(why.contains("(migration 9999_later_since_"), "{why}");
}

#[test]
fn a_file_that_is_not_a_database_is_refused_and_left_alone() {
    let folder = TempDir::new().unwrap();
    let text = "this is a diary, not a database. ".repeat(100);
    std::fs::write(file(&folder), &text).unwrap();
    let why = refused(&folder);
    assert!(why.contains("not a database"), "{why}");
    assert_eq!(std::fs::read_to_string(file(&folder)).unwrap(), text);
}

#[test]
fn the_database_of_another_program_is_refused_and_left_alone() {
    let folder = TempDir::new().unwrap();
    let other = Connection::open(file(&folder)).unwrap();
    other.execute_batch("CREATE TABLE recipes (name TEXT)").unwrap();
    let why = refused(&folder);
    assert!(why.contains("another program"), "{why}");
    let tables: i64 = other.query_row("SELECT count(*) FROM sqlite_schema", [], |row| row.get(0)).unwrap();
    assert_eq!(tables, 1);
}

#[test]
fn a_folder_that_does_not_exist_is_unavailable_and_named() {
    let folder = TempDir::new().unwrap();
    let path = folder.path().join("missing").join("natter.db");
    match SqliteStore::open(&path) {
        Err(StoreError::Unavailable(why)) => assert!(why.contains("missing"), "{why}"),
        Err(other) => panic!("{other}"),
        Ok(_) => panic!("it was opened"),
    }
}

/// Names, keys and texts are on pages that were split, overwritten and freed before they are erased.
#[tokio::test]
async fn no_page_of_the_file_has_what_was_erased() {
    const KEY: &[u8] = b"a wrapped key that is looked for";
    const TEXT: &str = "a text in clear that is looked for";
    let (store, folder) = opened();
    let mut erased = Vec::new();
    let mut sample = SampleLog::of(&[]);
    for n in 0..400 {
        let mut user = fixtures::user(&fixtures::unique_name());
        if n % 40 == 7 {
            user.display_name = format!("Canary Bird {n}");
            user.email = format!("canary.{n}@example.org");
        }
        store.add_user(&user, "hash").await.unwrap();
        if n % 40 == 7 {
            let own = WrappedUserKey { root: "root".to_owned(), wrapped: KEY.to_vec() };
            store.add_user_key(user.id, &own).await.unwrap();
            let seq = sample.add(user.id, posted(TEXT));
            erased.push((user, seq));
        } else {
            let own = WrappedUserKey { root: "root".to_owned(), wrapped: vec![1; 60] };
            store.add_user_key(user.id, &own).await.unwrap();
            sample.add(user.id, posted("anything else"));
        }
    }
    sample.persist(&store).await;
    let sought: Vec<Vec<u8>> = erased
        .iter()
        .flat_map(|(user, _)| [user.username.clone().into_bytes(), user.email.clone().into_bytes()])
        .chain([KEY.to_vec(), TEXT.as_bytes().to_vec(), b"Canary".to_vec(), b"canary".to_vec()])
        .collect();
    let found = || sought.iter().filter(|text| is_in_files(&folder, text)).count();
    assert_eq!(found(), sought.len(), "all of it is there before");
    for (user, seq) in &erased {
        store.request_erasure(user.id, Timestamp(1)).await.unwrap();
        store.erase_keys(user.id).await.unwrap();
        store.erase_texts(sample.id, &[*seq]).await.unwrap();
        store.erase_profile(user.id).await.unwrap();
    }
    store.overwrite_erased().await.unwrap();
    assert_eq!(found(), 0);
    assert_eq!(store.users(&[erased[0].0.id]).await.unwrap().len(), 1, "the ids are still there");
}

fn is_in_files(folder: &TempDir, text: &[u8]) -> bool {
    std::fs::read_dir(folder.path()).unwrap().any(|file| {
        let bytes = std::fs::read(file.unwrap().path()).unwrap();
        bytes.windows(text.len()).any(|window| window == text)
    })
}
