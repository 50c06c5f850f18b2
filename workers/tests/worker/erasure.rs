//! Users erased by workers: what is gone, what stays, and what a crash leaves.

use std::sync::Arc;

use crate::harness::{Harness, PARTITIONS, edited, event, opening, partition, posted, refusal, texts};
use natter_nats::{event_log::EventLog, service::RpcClient};
use natter_schemas::{
    code::Code,
    event::{Body, Kind, Role, Shape, Timestamp},
    id::{ConversationId, SessionId, UserId},
    rpc::{AddMembers, GetDataKeys, GetPage, KeyName, LogIn, MarkRead, Page, RegisterUser, Window},
};
use natter_store::{BlockStore, Erasure, ErasureStore, EventStore, KeyPurpose, KeyStore, MemberStore, Store};
use natter_testkit::until_some;
use natter_workers::{
    Job, close,
    erasure::{Eraser, Record, Step},
    services::history::History,
    verify::Verifier,
};
use tokio_util::{sync::CancellationToken, task::TaskTracker};

const SERVICES: [Job; 6] =
    [Job::Persist, Job::Accounts, Job::Conversations, Job::History, Job::Inbox, Job::Keys];

/// Without the job: steps are done by hand.
async fn eraser(harness: &Harness, stop: &CancellationToken) -> Eraser {
    let of = harness.dependencies.clone();
    let store: Arc<dyn Store> = of.store;
    let tracker = TaskTracker::new();
    let history = History::start(store.clone(), of.log.clone(), PARTITIONS, &tracker, stop.clone());
    Eraser {
        store,
        publisher: of.publisher.clone(),
        events: EventLog::new(of.publisher, PARTITIONS, of.clock, of.trace),
        log: of.log,
        history: history.await.unwrap(),
        rpc: RpcClient::new(of.client.clone()),
        shared: of.shared,
        bus: of.client,
        partitions: PARTITIONS,
    }
}

/// A user with something of everything, and the group that they own.
async fn settled(harness: &Harness, name: &str, other: UserId) -> (UserId, ConversationId) {
    let (username, email, password) =
        (name.to_owned(), format!("{name}@example.org"), "correct horse".to_owned());
    let register = RegisterUser { username, email, password, display_name: None };
    let user = harness.rpc.call(&register).await.unwrap().user.id;
    let room = harness.group(user, &[other]).await;
    harness.rpc.call(&opening(user, Shape::Direct, &[other])).await.unwrap();
    let first = harness.post(user, room, "in clear").await;
    harness.say(user, room, edited(first, "still in clear")).await;
    harness.post(other, room, "of the other").await;
    harness.post(user, room, "another").await;
    harness.rpc.call(&GetDataKeys { names: vec![KeyName { user, epoch: None }] }).await.unwrap();
    harness.store.block(user, UserId::fresh(), Timestamp(1), 10).await.unwrap();
    harness.store.block(user, other, Timestamp(1), 10).await.unwrap();
    for reader in [user, other] {
        let read = MarkRead { user: reader, conversation: room, seq: first, private: false, unread: false };
        harness.rpc.call(&read).await.unwrap();
    }
    (user, room)
}

async fn request(harness: &Harness, user: UserId) {
    let (store, publisher) = (&*harness.dependencies.store, &harness.dependencies.publisher);
    assert!(close::account(store, publisher, user, Timestamp::now()).await.unwrap());
}

async fn done(harness: &Harness, user: UserId) -> Record {
    let done = until_some("the erasure is done", async || {
        harness.store.erasure(user).await.unwrap().filter(|erasure| erasure.done)
    });
    Record::read(&done.await.record).unwrap()
}

async fn open(harness: &Harness, user: UserId) -> Erasure {
    harness.store.erasure(user).await.unwrap().unwrap()
}

#[tokio::test]
async fn an_erasure_goes_on_after_a_crash_at_any_step() {
    let harness = Harness::with(&SERVICES).await;
    let other = harness.person("bob").await;
    let stop = CancellationToken::new();
    let mut users = Vec::new();
    for (at, crashed) in Step::ALL.into_iter().enumerate() {
        let (user, room) = settled(&harness, &format!("user{at}"), other).await;
        request(&harness, user).await;
        let by_hand = eraser(&harness, &stop).await;
        let mut erasure = open(&harness, user).await;
        for _ in 0..at {
            erasure = by_hand.advance(erasure).await.unwrap().unwrap();
        }
        // Killed between what the step does and its record: what is known of it is lost.
        let mut record = Record::read(&erasure.record).unwrap();
        assert_eq!(record.next(), Some(crashed));
        by_hand.perform(user, crashed, &mut record).await.unwrap();
        assert_eq!(open(&harness, user).await, erasure);
        users.push((user, room));
    }
    harness.start(&[Job::Erasures]).await;
    for (user, room) in users {
        let record = done(&harness, user).await;
        let before = record.before.unwrap();
        assert!(record.after.unwrap().is_none(), "{record:?}");
        assert_eq!((before.sessions, before.groups, before.blocks, before.user_keys), (1, 1, 2, 1));
        assert_eq!((record.texts.emptied, record.texts.sealed), (3, 0));
        assert_eq!(record.steps, Step::ALL);
        assert_eq!(before.published_marks, 1);
        let marks = &harness.dependencies.log;
        let left = (marks.read_marks(user).await.unwrap(), marks.read_marks(other).await.unwrap());
        assert_eq!(left, (0, u64::try_from(Step::ALL.len()).unwrap()), "the other's are as they were");
        assert!(harness.store.traces(user).await.unwrap().is_none());
        let page = Page { conversation: room, window: Window::Newest, limit: 10 };
        let page = harness.rpc.call(&GetPage { user: other, page }).await.unwrap();
        assert_eq!(texts(&page), ["(deleted)", "of the other", "(deleted)"]);
    }
    stop.cancel();
}

#[tokio::test]
async fn texts_in_clear_are_empty_in_the_store_and_the_log_is_equal() {
    let mut harness = Harness::with(&SERVICES).await;
    let other = harness.person("bob").await;
    let (user, room) = settled(&harness, "alice", other).await;
    request(&harness, user).await;
    harness.start(&[Job::Erasures]).await;
    done(&harness, user).await;
    harness.settle(&[]).await;
    let events = harness.store.events_from(room, 0, u64::MAX, 100).await.unwrap();
    for entry in &events {
        let (Kind::Posted { body: Body::Plain(text), .. } | Kind::Edited { body: Body::Plain(text), .. }) =
            &entry.event.kind
        else {
            continue;
        };
        assert_eq!(text.is_empty(), entry.event.author == user, "{entry:?}");
    }
    let floor = harness.dependencies.log.floors().await.unwrap()[usize::from(partition(room).0)];
    let verifier = Verifier {
        store: harness.dependencies.store.clone(),
        log: harness.dependencies.log.clone(),
        partitions: PARTITIONS,
        keys: natter_seal::DataKeys::new(harness.rpc.clone(), natter_schemas::limits::KEY_CACHED),
    };
    let report = verifier.partition(partition(room), floor, |_| ()).await.unwrap();
    assert!(report.is_equal() && report.events > 0, "{report:?}");
}

#[tokio::test]
async fn an_erased_owner_is_followed_and_comes_back_nowhere() {
    let harness = Harness::with(&SERVICES).await;
    let (other, third) = (harness.person("bob").await, harness.person("carol").await);
    let (user, room) = settled(&harness, "alice", other).await;
    let direct = harness.store.memberships(user).await.unwrap();
    let direct = direct.iter().find(|of| of.shape == Shape::Direct).unwrap().conversation;
    request(&harness, user).await;
    harness.start(&[Job::Erasures]).await;
    done(&harness, user).await;
    let role = harness.store.membership(room, other).await.unwrap().unwrap().role;
    assert_eq!(role, Some(Role::Owner));
    assert_eq!(harness.store.membership(room, user).await.unwrap().unwrap().role, None);
    let view = harness.view(other, direct).await.unwrap();
    let shown: Vec<_> = view.participants.unwrap().into_iter().map(|of| (of.user, of.username)).collect();
    assert!(shown.contains(&(user, String::new())) && shown.len() == 2, "{shown:?}");
    assert!(harness.store.blocks_of(user).await.unwrap().is_empty());

    for by in [other, third] {
        let direct = harness.rpc.call(&opening(by, Shape::Direct, &[user])).await;
        let group = harness.rpc.call(&opening(by, Shape::Group, &[user])).await;
        for refused in [direct, group] {
            assert_eq!(refusal(refused), (Code::Invalid, Some("participantIds".to_owned())));
        }
    }
    let conversation = harness.group(other, &[third]).await;
    let add = AddMembers { by: other, conversation, users: vec![user], traceparent: None };
    assert_eq!(refusal(harness.rpc.call(&add).await), (Code::Invalid, Some("userIds".to_owned())));
    let names = vec![KeyName { user, epoch: None }, KeyName { user, epoch: Some(1) }];
    let keys = harness.rpc.call(&GetDataKeys { names }).await.unwrap();
    assert!(keys.iter().all(Option::is_none), "none is made again");
    let again = LogIn { login: "alice".to_owned(), password: "correct horse".to_owned() };
    assert_eq!(refusal(harness.rpc.call(&again).await).0, Code::BadCredentials);
}

#[tokio::test]
async fn what_came_meanwhile_is_erased_as_well() {
    let harness = Harness::with(&SERVICES).await;
    let other = harness.person("bob").await;
    let (user, room) = settled(&harness, "alice", other).await;
    request(&harness, user).await;
    let stop = CancellationToken::new();
    let by_hand = eraser(&harness, &stop).await;
    let mut erasure = open(&harness, user).await;
    for _ in 1..Step::ALL.len() {
        erasure = by_hand.advance(erasure).await.unwrap().unwrap();
    }
    // Of calls that were under way when the account was closed.
    let late = harness.publish(&event(user, room, posted("late"))).await;
    harness.store.block(user, other, Timestamp(1), 10).await.unwrap();
    harness.start(&[Job::Erasures]).await;
    let record = done(&harness, user).await;
    assert_eq!((record.repeated, record.texts.emptied), (1, 4));
    assert!(harness.store.traces(user).await.unwrap().is_none());
    let message = harness.store.events_from(room, late, late, 1).await.unwrap().remove(0);
    assert_eq!(message.event.kind, posted(""));
    stop.cancel();
}

#[tokio::test]
async fn workers_that_erase_at_once_do_it_once() {
    let harness = Harness::with(&SERVICES).await;
    let other = harness.person("bob").await;
    let mut users = Vec::new();
    for n in 0..6 {
        let (user, _) = settled(&harness, &format!("user{n}"), other).await;
        request(&harness, user).await;
        users.push(user);
    }
    for _ in 0..3 {
        harness.start(&[Job::Erasures]).await;
    }
    for user in users {
        let record = done(&harness, user).await;
        assert_eq!((record.steps, record.repeated), (Step::ALL.to_vec(), 0));
        assert_eq!(record.before.unwrap().sessions, 1);
    }
}

#[tokio::test]
async fn an_erasure_waits_for_a_store_that_is_away() {
    let harness = Harness::with(&SERVICES).await;
    let other = harness.person("bob").await;
    let (user, _) = settled(&harness, "alice", other).await;
    request(&harness, user).await;
    let failed = harness.store.failures();
    harness.store.set_away(true);
    harness.start(&[Job::Erasures]).await;
    until_some("it was tried", async || (harness.store.failures() > failed).then_some(())).await;
    harness.store.set_away(false);
    let record = done(&harness, user).await;
    assert!(record.after.unwrap().is_none());
    let stored = harness.store.keys(&[user], KeyPurpose::Messages).await.unwrap();
    assert!(stored[0].own.is_none() && stored[0].data.is_empty());
    let sessions: Vec<SessionId> =
        natter_store::SessionStore::sessions_of(&*harness.store, user, Timestamp(0)).await.unwrap();
    assert_eq!(sessions, []);
}
