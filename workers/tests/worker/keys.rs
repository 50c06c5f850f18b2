//! The service of data keys: who gets which, and from whom nothing is got.

use std::{
    sync::atomic::{AtomicU64, Ordering::Relaxed},
    time::Duration,
};

use crate::harness::{Harness, ROOT, refusal, roots};
use futures_util::future::join_all;
use natter_nats::subject;
use natter_schemas::{
    code::Code,
    event::{Body, LogEntry},
    id::{ConversationId, EventId, UserId},
    limits,
    rpc::{
        GetDataKeys, GetKeysOfTexts, GetOwnKey, IssuedKey, KeyName, RemoveMember, RpcError, SealedText,
        TextKey,
    },
};
use natter_seal::{DataKeys, Key, KnownKeys, Place, follow_control, seal};
use natter_store::{KeyPurpose::Messages, KeyStore};
use natter_testkit::until;
use natter_workers::{
    Job,
    control::publish_keys_changed,
    services::keys::{Maintenance, Roots},
};

async fn keys(harness: &Harness, names: &[KeyName]) -> Result<Vec<Option<(u32, [u8; 32])>>, RpcError> {
    let answer = harness.rpc.call(&GetDataKeys { names: names.to_vec() }).await?;
    let plain = |key: Option<IssuedKey>| key.map(|key| (key.epoch, key.key));
    Ok(answer.into_iter().map(plain).collect())
}

fn newest(user: UserId) -> KeyName {
    KeyName { user, epoch: None }
}

fn first(user: UserId) -> KeyName {
    KeyName { user, epoch: Some(1) }
}

#[tokio::test]
async fn a_user_has_one_key_and_each_user_another() {
    let harness = Harness::with(&[Job::Keys]).await;
    let (alice, bob) = (UserId::fresh(), UserId::fresh());
    let made = keys(&harness, &[newest(alice), newest(bob), newest(alice)]).await.unwrap();
    assert_eq!(made[0].unwrap().0, 1);
    assert_eq!(made[0], made[2]);
    assert_ne!(made[0], made[1]);
    let read = keys(&harness, &[first(bob), first(alice)]).await.unwrap();
    assert_eq!(read, [made[1], made[0]]);
}

#[tokio::test]
async fn of_many_that_ask_for_a_new_key_all_get_the_same() {
    let harness = Harness::with(&[Job::Keys]).await;
    harness.start(&[Job::Keys]).await;
    let names = [newest(UserId::fresh())];
    let answers = join_all((0..16).map(|_| keys(&harness, &names))).await;
    let first = answers[0].clone().unwrap();
    assert!(first[0].is_some() && answers.iter().all(|answer| *answer == Ok(first.clone())), "{answers:?}");
}

#[tokio::test]
async fn reading_makes_no_key() {
    let harness = Harness::with(&[Job::Keys]).await;
    let user = UserId::fresh();
    assert_eq!(keys(&harness, &[first(user)]).await.unwrap(), [None]);
    let stored = harness.store.keys(&[user], Messages).await.unwrap();
    assert!(stored[0].own.is_none() && stored[0].data.is_empty());
    let made = keys(&harness, &[newest(user)]).await.unwrap();
    let later = KeyName { user, epoch: Some(2) };
    assert_eq!(keys(&harness, &[later, first(user)]).await.unwrap(), [None, made[0]]);
}

#[tokio::test]
async fn keys_of_a_former_root_are_issued_while_it_is_set() {
    let mut harness = Harness::with(&[Job::Keys]).await;
    let (before, after) = (UserId::fresh(), UserId::fresh());
    let made = keys(&harness, &[newest(before)]).await.unwrap();

    harness.stop().await;
    harness.dependencies.roots = Some(roots(&[8, ROOT]));
    harness.start(&[Job::Keys]).await;
    assert_eq!(keys(&harness, &[newest(before), first(before)]).await.unwrap(), [made[0], made[0]]);
    keys(&harness, &[newest(after)]).await.unwrap();
    let stored = harness.store.keys(&[before, after], Messages).await.unwrap();
    let root = |at: usize| stored[at].own.as_ref().unwrap().root.clone();
    assert_ne!(root(0), root(1), "new keys are wrapped by the first");

    harness.stop().await;
    harness.dependencies.roots = Some(roots(&[8]));
    harness.start(&[Job::Keys]).await;
    let without = keys(&harness, &[first(before), first(after)]).await.unwrap();
    assert!(without[0].is_none() && without[1].is_some(), "{without:?}");
    let newest = keys(&harness, &[newest(before), newest(after)]).await.unwrap();
    assert!(newest[0].is_none(), "no second key takes its place");
    assert_eq!(newest[1], without[1], "others have theirs");
}

#[tokio::test]
async fn a_key_in_the_record_of_another_user_is_not_issued() {
    let harness = Harness::with(&[Job::Keys]).await;
    let (alice, bob, thief) = (UserId::fresh(), UserId::fresh(), UserId::fresh());
    keys(&harness, &[newest(alice), newest(bob)]).await.unwrap();
    let stored = harness.store.keys(&[alice], Messages).await.unwrap().remove(0);
    let (own, mut data) = (stored.own.unwrap(), stored.data[0].clone());
    harness.store.add_user_key(thief, &own).await.unwrap();
    harness.store.add_data_key(thief, Messages, &data).await.unwrap();
    data.epoch = 2;
    harness.store.add_data_key(alice, Messages, &data).await.unwrap();
    harness.store.add_data_key(bob, Messages, &data).await.unwrap();
    let second = |user| KeyName { user, epoch: Some(2) };
    let issued = keys(&harness, &[first(thief), second(alice), second(bob), first(alice)]).await.unwrap();
    assert!(issued[..3].iter().all(Option::is_none) && issued[3].is_some(), "{issued:?}");
}

#[tokio::test]
async fn without_a_store_keys_are_unavailable_and_too_many_are_refused() {
    let harness = Harness::with(&[Job::Keys]).await;
    let many: Vec<KeyName> = (0..=limits::KEYS_IN_CALL).map(|_| first(UserId::fresh())).collect();
    assert_eq!(refusal(keys(&harness, &many).await).0, Code::TooLarge);
    assert_eq!(keys(&harness, &many[1..]).await.unwrap().len(), limits::KEYS_IN_CALL);
    harness.store.set_away(true);
    assert_eq!(refusal(keys(&harness, &many[..1]).await).0, Code::Unavailable);
}

/// A text that this user seals as an edge does.
async fn sealed_text(harness: &Harness, author: UserId, conversation: ConversationId) -> SealedText {
    let IssuedKey { epoch, key } = harness.rpc.call(&GetOwnKey { user: author }).await.unwrap().unwrap();
    let place = Place { conversation, event: EventId::fresh(), author, edits: None };
    place.text(&seal("for members", &place, epoch, &Key::from(key)).unwrap())
}

/// What a reader gets for each text: a key, none, or nothing because it is refused.
async fn shown(harness: &Harness, reader: UserId, texts: &[&SealedText]) -> Vec<&'static str> {
    let call = GetKeysOfTexts { reader, texts: texts.iter().copied().cloned().collect() };
    let keys = harness.rpc.call(&call).await.unwrap();
    let name = |(key, text): (TextKey, &&SealedText)| match key {
        TextKey::Issued(key) => {
            natter_seal::open(&text.body, &Place::of_text(text), &Key::from(key.key)).unwrap();
            "issued"
        }
        TextKey::Absent => "absent",
        TextKey::Refused => "refused",
    };
    keys.into_iter().zip(texts).map(name).collect()
}

#[tokio::test]
async fn a_key_is_shown_to_members_where_it_has_sealed_a_text() {
    let (harness, [alice, bob, mallory]) = Harness::with_three(&[Job::Conversations, Job::Keys]).await;
    let (room, hers) = (harness.group(alice, &[bob]).await, harness.group(mallory, &[alice]).await);
    let text = sealed_text(&harness, alice, room).await;
    assert_eq!(shown(&harness, bob, &[&text]).await, ["issued"]);
    assert_eq!(shown(&harness, alice, &[&text]).await, ["issued"]);
    assert_eq!(
        shown(&harness, mallory, &[&text]).await,
        ["refused"],
        "she is in another conversation with the author"
    );

    // As if it were of that one; of another author; changed; in clear.
    let moved = SealedText { conversation: hers, ..text.clone() };
    let of_another = SealedText { author: bob, ..text.clone() };
    let Body::Sealed { key_version, nonce, mut ciphertext } = text.body.clone() else {
        panic!("it is sealed")
    };
    let later = SealedText {
        body: Body::Sealed { key_version: key_version + 1, nonce, ciphertext: ciphertext.clone() },
        ..text.clone()
    };
    *ciphertext.last_mut().unwrap() ^= 1;
    let changed = SealedText { body: Body::Sealed { key_version, nonce, ciphertext }, ..text.clone() };
    let in_clear = SealedText { body: Body::Plain("for members".to_owned()), ..text.clone() };
    assert_eq!(shown(&harness, mallory, &[&moved, &text]).await, ["refused", "refused"]);
    let tried = [&of_another, &changed, &in_clear, &later, &text];
    assert_eq!(shown(&harness, bob, &tried).await, ["absent", "refused", "refused", "absent", "issued"]);

    let leave = RemoveMember { by: bob, conversation: room, user: bob, traceparent: None };
    harness.rpc.call(&leave).await.unwrap();
    until("who has left is refused", async || shown(&harness, bob, &[&text]).await == ["refused"]).await;
    assert_eq!(shown(&harness, alice, &[&text]).await, ["issued"]);
    let texts = vec![text; limits::KEYS_IN_CALL + 1];
    assert_eq!(refusal(harness.rpc.call(&GetKeysOfTexts { reader: alice, texts }).await).0, Code::TooLarge);
}

#[tokio::test]
async fn a_damaged_text_hides_no_other_of_its_author() {
    let (harness, [alice, bob, _]) = Harness::with_three(&[Job::Conversations, Job::Keys]).await;
    let room = harness.group(alice, &[bob]).await;
    let IssuedKey { epoch, key } = harness.rpc.call(&GetOwnKey { user: alice }).await.unwrap().unwrap();
    let entry = |seq| {
        let mut event = crate::harness::event(alice, room, crate::harness::posted("text"));
        *event.body_mut().unwrap() = seal("text", &Place::of_event(&event), epoch, &Key::from(key)).unwrap();
        LogEntry { seq, event }
    };
    let mut entries = [1, 2, 3].map(entry);
    if let Some(Body::Sealed { ciphertext, .. }) = entries[0].event.body_mut() {
        *ciphertext.last_mut().unwrap() ^= 1;
    }
    let keys = DataKeys::of_readers(harness.rpc.clone(), limits::KEY_CACHED);
    keys.open_entries(&mut entries).await;
    assert!(entries.iter().all(|entry| entry.event.key_version() == 1), "no one reads");
    keys.for_reader(bob).open_entries(&mut entries).await;
    let sealed: Vec<bool> = entries.iter().map(|entry| entry.event.key_version() != 0).collect();
    assert_eq!(sealed, [true, false, false]);
}

fn maintenance<'a>(harness: &'a Harness, roots: &'a Roots) -> Maintenance<'a> {
    Maintenance { store: &*harness.store, roots, publisher: &harness.dependencies.publisher }
}

/// Whose root wraps how many.
async fn wrapped(harness: &Harness, roots: &Roots) -> Vec<u64> {
    let found = maintenance(harness, roots).wrapped().await.unwrap().by_root;
    roots.names().map(|root| found.get(root).copied().unwrap_or(0)).collect()
}

#[tokio::test]
async fn keys_wrapped_by_a_new_root_are_the_same_keys() {
    let mut harness = Harness::with(&[Job::Keys]).await;
    // More than one page.
    let users: Vec<UserId> = (0..600).map(|_| UserId::fresh()).collect();
    let names: Vec<KeyName> = users.iter().map(|user| newest(*user)).collect();
    let mut made = Vec::new();
    for some in names.chunks(100) {
        made.extend(keys(&harness, some).await.unwrap());
    }
    let both = roots(&[8, ROOT]);
    assert_eq!(wrapped(&harness, &both).await, [0, 600]);

    // Two at once, one of which ends in the middle.
    let maintenance = maintenance(&harness, &both);
    let seen = AtomicU64::new(0);
    let whole = maintenance.rewrap(false, |done| {
        seen.fetch_max(done.looked_at(), Relaxed);
    });
    let ends =
        async { tokio::time::timeout(Duration::from_millis(20), maintenance.rewrap(false, |_| ())).await };
    let (whole, _) = tokio::join!(whole, ends);
    assert_eq!((whole.unwrap().looked_at(), seen.into_inner()), (600, 600));
    assert_eq!(wrapped(&harness, &both).await, [600, 0]);
    let again = maintenance.rewrap(false, |_| ()).await.unwrap();
    assert_eq!((again.changed, again.unchanged, again.unopened), (0, 600, 0));

    harness.stop().await;
    harness.dependencies.roots = Some(roots(&[8]));
    harness.start(&[Job::Keys]).await;
    let mut kept = keys(&harness, &names[..300]).await.unwrap();
    kept.extend(keys(&harness, &names[300..]).await.unwrap());
    assert_eq!(kept, made, "without the former root");
}

#[tokio::test]
async fn keys_of_a_root_that_is_not_set_stay_as_they_are() {
    let harness = Harness::with(&[Job::Keys]).await;
    let user = UserId::fresh();
    keys(&harness, &[newest(user)]).await.unwrap();
    let before = harness.store.keys(&[user], Messages).await.unwrap();
    let other = roots(&[8]);
    let maintenance = maintenance(&harness, &other);
    for done in [maintenance.rewrap(true, |_| ()).await, maintenance.rotate(None, |_| ()).await] {
        let done = done.unwrap();
        assert_eq!((done.changed, done.unchanged, done.unopened), (0, 0, 1));
    }
    assert_eq!(harness.store.keys(&[user], Messages).await.unwrap(), before);
}

#[tokio::test]
async fn a_rotation_adds_a_key_and_keeps_those_before() {
    let harness = Harness::with(&[Job::Keys]).await;
    let (alice, bob, stranger) = (UserId::fresh(), UserId::fresh(), UserId::fresh());
    let before = keys(&harness, &[newest(alice), newest(bob)]).await.unwrap();
    let roots = roots(&[ROOT]);
    let maintenance = maintenance(&harness, &roots);
    let done = maintenance.rotate(None, |_| ()).await.unwrap();
    assert_eq!((done.changed, done.unopened), (2, 0));
    let after = keys(&harness, &[newest(alice), first(alice), newest(bob), first(bob)]).await.unwrap();
    assert_eq!((after[1], after[3]), (before[0], before[1]));
    assert_eq!((after[0].unwrap().0, after[2].unwrap().0), (2, 2));
    assert!(after[0].unwrap().1 != before[0].unwrap().1 && after[0] != after[2]);

    // Behind the last there is none; of one alone the others' stay.
    assert_eq!(maintenance.rotate(done.last, |_| ()).await.unwrap().changed, 0);
    assert_eq!(maintenance.rotate_user(alice).await.unwrap().changed, 1);
    assert_eq!(maintenance.rotate_user(stranger).await.unwrap().looked_at(), 0);
    let after = keys(&harness, &[newest(alice), newest(bob)]).await.unwrap();
    assert_eq!((after[0].unwrap().0, after[1].unwrap().0), (3, 2));
    let stored = harness.store.keys(&[stranger], Messages).await.unwrap();
    assert!(stored[0].own.is_none(), "no key is made for who has none");
}

/// An event of this user that is sealed with this key, as one that is live.
fn sealed(user: UserId, key: [u8; 32]) -> natter_schemas::event::Event {
    let mut event = crate::harness::event(user, ConversationId::fresh(), crate::harness::posted("text"));
    *event.body_mut().unwrap() = seal("text", &Place::of_event(&event), 1, &Key::from(key)).unwrap();
    event
}

#[tokio::test]
async fn who_follows_control_drops_the_keys_that_it_names() {
    let harness = Harness::with(&[]).await;
    let known = KnownKeys::keeping(limits::KEY_CACHED);
    let [alice, bob, probe] = [0; 3].map(|_| UserId::fresh());
    let put = |user| {
        let issued = IssuedKey { epoch: 1, key: [7; 32] };
        known.put(first(user), Some(issued), std::time::Instant::now());
    };
    let knows = |user| known.open_at_once(&mut sealed(user, [7; 32])).is_ok();
    let publisher = harness.dependencies.publisher.clone();
    let following = follow_control(known.clone(), harness.server.js().await);
    let following = tokio::spawn(following);
    until("it follows", async || {
        put(probe);
        publish_keys_changed(&publisher, &[probe]).await.unwrap();
        let dropped = until("the probe's key is dropped", async || !knows(probe));
        tokio::time::timeout(Duration::from_secs(1), dropped).await.is_ok()
    })
    .await;

    put(alice);
    put(bob);
    publish_keys_changed(&publisher, &[alice]).await.unwrap();
    until("the named user's key is dropped", async || !knows(alice)).await;
    assert!(knows(bob));
    // Who reads something that it does not know cannot say whose key it is about.
    put(alice);
    let noise = bytes::Bytes::from_static(b"\xff\xff of a later version");
    publisher.publish(subject::control_user(alice), "noise", noise).await.unwrap();
    until("all are dropped", async || !knows(alice) && !knows(bob)).await;
    // Before it followed anything may have been said.
    put(bob);
    following.abort();
    let following = tokio::spawn(follow_control(known.clone(), harness.server.js().await));
    until("who begins to follow drops all", async || !knows(bob)).await;
    following.abort();
}
