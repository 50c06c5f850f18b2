//! Stored texts that are sealed with newer keys, and keys that are removed when no text needs them.

use std::{collections::BTreeMap, num::NonZeroU32, time::Duration};

use crate::harness::{Harness, PARTITIONS, ROOT, edited, event, partition, posted, reacted, roots};
use natter_schemas::{
    event::{Body, LogEntry},
    id::{ConversationId, Partition, Seq, UserId},
    limits,
    rpc::Window,
};
use natter_seal::DataKeys;
use natter_store::{ConversationStore, EventStore, KeyPurpose::Messages, KeyStore, MessageStore};
use natter_testkit::until;
use natter_workers::{
    Job,
    services::keys::{MaintainError, Maintenance, Needed, Resealed, Roots, UpTo},
    verify::Verifier,
};

const FAST: NonZeroU32 = NonZeroU32::new(1_000_000).unwrap();

fn maintenance<'a>(harness: &'a Harness, roots: &'a Roots) -> Maintenance<'a> {
    Maintenance { store: &*harness.store, roots, publisher: &harness.dependencies.publisher }
}

async fn reseal(harness: &Harness, roots: &Roots) -> Resealed {
    maintenance(harness, roots).reseal(None, FAST, |_| ()).await.unwrap()
}

fn data_keys(harness: &Harness) -> DataKeys {
    DataKeys::new(harness.rpc.clone(), limits::KEY_CACHED)
}

/// Publishes a post as an edge does that seals.
async fn post_sealed(
    harness: &Harness,
    keys: &DataKeys,
    room: ConversationId,
    author: UserId,
    text: &str,
) -> Seq {
    let mut sealed = event(author, room, posted(text));
    let place = natter_seal::Place::of_event(&sealed);
    *sealed.body_mut().unwrap() = keys.seal(text, &place).await.unwrap();
    harness.publish(&sealed).await
}

/// How many texts are stored by the epoch that they are sealed with.
async fn epochs(harness: &Harness) -> BTreeMap<u32, usize> {
    let mut found = BTreeMap::new();
    for conversation in harness.store.conversations_after(None, 1_000).await.unwrap() {
        for entry in harness.store.events_from(conversation, 0, Seq::MAX, 100_000).await.unwrap() {
            if let Some(body) = entry.event.body() {
                *found.entry(body.key_version()).or_default() += 1;
            }
        }
    }
    found
}

/// What is shown of a conversation.
async fn shown(harness: &Harness, room: ConversationId) -> Vec<String> {
    let mut page = harness.store.messages(room, Window::Newest, Seq::MAX, 100).await.unwrap();
    data_keys(harness).open_messages(&mut page).await;
    let text = |body: Option<Body>| match body {
        Some(Body::Plain(text)) => text,
        Some(Body::Sealed { .. }) => "(sealed)".to_owned(),
        None => "(deleted)".to_owned(),
    };
    page.into_iter().map(|message| text(message.body)).collect()
}

/// Of the whole log: whether the store has it, and how many texts it has sealed again.
async fn verified(harness: &Harness) -> (bool, u64, u64) {
    let verifier = Verifier {
        store: harness.dependencies.store.clone(),
        log: harness.dependencies.log.clone(),
        partitions: PARTITIONS,
        keys: data_keys(harness),
    };
    let (mut equal, mut resealed, mut unopened) = (true, 0, 0);
    for p in Partition::all(PARTITIONS) {
        let end = harness.dependencies.log.last_seqs().await.unwrap()[usize::from(p.0)];
        let report = verifier.partition(p, end, |_| ()).await.unwrap();
        equal &= report.is_equal() && report.log == report.store;
        resealed += report.resealed.equal;
        unopened += report.resealed.unopened;
    }
    (equal, resealed, unopened)
}

/// The log as it is when it is seven days older.
async fn forget(harness: &Harness, p: Partition) {
    let js = harness.server.js().await;
    let name = natter_nats::topology::log_stream(p);
    let kept = js.get_stream(&name).await.unwrap().cached_info().config.clone();
    let soon = Duration::from_secs(1);
    let short = natter_nats::async_nats::jetstream::stream::Config {
        max_age: soon,
        duplicate_window: soon,
        ..kept.clone()
    };
    js.update_stream(short).await.unwrap();
    until("the log has forgotten everything", async || {
        js.get_stream(&name).await.unwrap().cached_info().state.messages == 0
    })
    .await;
    js.update_stream(kept).await.unwrap();
}

const SERVICES: [Job; 4] = [Job::Keys, Job::Conversations, Job::History, Job::Persist];

#[tokio::test]
async fn texts_in_clear_and_of_earlier_keys_are_sealed_with_the_newest() {
    let mut harness = Harness::with(&SERVICES).await;
    let (room, alice, bob) = harness.group_of_two().await;
    let target = harness.post(alice, room, "in clear").await;
    harness.say(alice, room, edited(target, "edited in clear")).await;
    harness.say(bob, room, reacted(target, true)).await;
    post_sealed(&harness, &data_keys(&harness), room, bob, "with the first key").await;
    let set = roots(&[ROOT]);
    maintenance(&harness, &set).rotate_user(bob).await.unwrap();
    post_sealed(&harness, &data_keys(&harness), room, bob, "with the second key").await;
    harness.settle(&SERVICES).await;
    assert_eq!(epochs(&harness).await, [(0, 2), (1, 1), (2, 1)].into());

    let done = reseal(&harness, &set).await;
    assert_eq!((done.sealed, done.unchanged, done.without_key, done.unopened), (3, 1, 0, 0));
    assert_eq!(epochs(&harness).await, [(1, 2), (2, 2)].into(), "alice's first and bob's second");
    let expected = ["edited in clear", "with the first key", "with the second key"];
    assert_eq!(shown(&harness, room).await, expected);
    assert_eq!(verified(&harness).await, (true, 3, 0));
    let again = reseal(&harness, &set).await;
    assert_eq!((again.sealed, again.unchanged, again.conversations), (0, 4, 1));

    // What the log says once more undoes nothing.
    let log = harness.dependencies.log.in_order(partition(room), 1).await.unwrap();
    let entry = |message: natter_nats::log::StoredMessage| LogEntry {
        seq: message.seq,
        event: natter_schemas::codec::decode(&message.payload).unwrap(),
    };
    let log: Vec<LogEntry> = log.into_iter().map(entry).collect();
    harness.store.persist(partition(room), &log).await.unwrap();
    assert_eq!(epochs(&harness).await, [(1, 2), (2, 2)].into());
}

#[tokio::test]
async fn what_does_not_open_stays_as_it_is_and_is_counted() {
    let mut harness = Harness::with(&SERVICES).await;
    let (room, alice, bob) = harness.group_of_two().await;
    let carol = harness.person("carol").await;
    for author in [alice, bob, carol] {
        post_sealed(&harness, &data_keys(&harness), room, author, "hidden").await;
    }
    harness.post(bob, room, "in clear").await;
    harness.settle(&SERVICES).await;
    let set = roots(&[ROOT]);
    // Alice's first key is gone; Bob's own key is of a root that is not set.
    maintenance(&harness, &set).rotate_user(alice).await.unwrap();
    harness.store.remove_data_key(alice, Messages, 1).await.unwrap();
    let both = roots(&[8, ROOT]);
    maintenance(&harness, &both).rewrap(false, |_| ()).await.unwrap();
    let before = epochs(&harness).await;
    let others = roots(&[ROOT]);
    let done = reseal(&harness, &others).await;
    assert_eq!((done.sealed, done.unopened, done.without_key), (0, 4, 0), "no user's key opens");
    assert_eq!(epochs(&harness).await, before);
    let done = reseal(&harness, &both).await;
    assert_eq!((done.sealed, done.unchanged, done.unopened, done.without_key), (1, 2, 0, 1));

    // A damaged one does not stop the others.
    let (events, keys) =
        (harness.store.events_from(room, 0, Seq::MAX, 10).await.unwrap(), data_keys(&harness));
    let mut of_carol = events.into_iter().find(|entry| entry.event.author == carol).unwrap();
    let Some(Body::Sealed { ciphertext, key_version, .. }) = of_carol.event.body_mut() else {
        panic!("{of_carol:?}")
    };
    ciphertext[80] ^= 1;
    *key_version = 2;
    harness.store.reseal(room, &[of_carol]).await.unwrap();
    for _ in 0..2 {
        maintenance(&harness, &both).rotate_user(carol).await.unwrap();
    }
    harness.post(carol, room, "later").await;
    harness.settle(&[Job::Conversations, Job::History, Job::Persist]).await;
    let done = reseal(&harness, &both).await;
    assert_eq!((done.sealed, done.unopened), (1, 1));
    drop(keys);
}

#[tokio::test]
async fn a_reseal_goes_on_where_it_was_cut_off() {
    let mut harness = Harness::with(&SERVICES).await;
    let (alice, bob) = (harness.person("alice").await, harness.person("bob").await);
    for n in 0..10 {
        let room = harness.group(alice, &[bob]).await;
        for text in 0..n {
            harness.post(alice, room, &text.to_string()).await;
        }
    }
    harness.settle(&SERVICES).await;
    let set = roots(&[ROOT]);
    let tool = maintenance(&harness, &set);
    let slow = NonZeroU32::new(20).unwrap();
    let cut = tokio::time::timeout(Duration::from_millis(700), tool.reseal(None, slow, |_| ())).await;
    assert!(cut.is_err(), "45 texts take two seconds");
    let sealed = epochs(&harness).await[&1] as u64;
    assert!(sealed > 0 && sealed < 45, "{sealed}");
    let (rest, other) = tokio::join!(tool.reseal(None, FAST, |_| ()), tool.reseal(None, FAST, |_| ()));
    assert_eq!(rest.as_ref().unwrap().texts(), 45);
    assert_eq!(epochs(&harness).await, [(1, 45)].into());
    assert!(rest.unwrap().sealed + other.unwrap().sealed >= 45 - sealed);
    // Behind one of them are only those after it.
    let half = harness.store.conversations_after(None, 5).await.unwrap()[4];
    assert_eq!(tool.reseal(Some(half), FAST, |_| ()).await.unwrap().conversations, 5);
    assert_eq!(verified(&harness).await, (true, 45, 0));
}

#[tokio::test]
async fn without_a_store_a_reseal_ends_with_what_is_wrong() {
    let mut harness = Harness::with(&SERVICES).await;
    let (room, alice, _) = harness.group_of_two().await;
    harness.post(alice, room, "in clear").await;
    harness.settle(&SERVICES).await;
    let set = roots(&[ROOT]);
    harness.store.set_away(true);
    let ended = maintenance(&harness, &set).reseal(None, FAST, |_| ()).await;
    assert!(matches!(ended, Err(MaintainError::Store(_))), "{ended:?}");
    harness.store.set_away(false);
    assert_eq!(reseal(&harness, &set).await.sealed, 1);
}

#[tokio::test]
async fn a_key_is_needed_while_a_text_in_store_or_log_is_sealed_with_it() {
    let mut harness = Harness::with(&SERVICES).await;
    let (room, alice, bob) = harness.group_of_two().await;
    let keys = data_keys(&harness);
    for text in ["one", "two"] {
        post_sealed(&harness, &keys, room, alice, text).await;
    }
    harness.settle(&SERVICES).await;
    let set = roots(&[ROOT]);
    let (log, old) = (harness.dependencies.log.clone(), UpTo(1));
    let needed = async || maintenance(&harness, &set).needed(old, &log, PARTITIONS).await.unwrap();
    assert_eq!(needed().await, Needed::default(), "it is the newest");

    maintenance(&harness, &set).rotate(None, |_| ()).await.unwrap();
    // Of Bob, who came later, the first key is the newest.
    post_sealed(&harness, &data_keys(&harness), room, bob, "three").await;
    assert_eq!(needed().await, Needed { keys: 1, store: 2, log: 2, ..Needed::default() });
    reseal(&harness, &set).await;
    assert_eq!(needed().await, Needed { keys: 1, store: 0, log: 2, ..Needed::default() });
    forget(&harness, partition(room)).await;
    let free = needed().await;
    assert!(free.by_none() && free.keys == 1, "{free:?}");

    assert_eq!(maintenance(&harness, &set).remove(old).await.unwrap(), 1);
    let stored = harness.store.keys(&[alice, bob], Messages).await.unwrap();
    let epochs = |at: usize| stored[at].data.iter().map(|key| key.epoch).collect::<Vec<_>>();
    assert_eq!([epochs(0), epochs(1)], [vec![2], vec![1]]);
    assert_eq!(shown(&harness, room).await[..2], ["one", "two"]);
    assert_eq!(needed().await, Needed::default());
}
