//! Whoever has an edge's NATS user and no user at hand is answered nothing about one: every call, asked of real workers.

use std::{collections::HashSet, sync::Arc, time::Duration};

use natter_nats::{
    connect::{Address, Purpose, connect},
    publisher::Publisher,
    service::{ProofSource, RpcClient},
    subject,
};
use natter_runtime::{access_token::Keys, config::TokenKeys};
use natter_schemas::{
    code::Code,
    codec,
    event::{Event, Kind, Role, Shape, Timestamp},
    id::{ConversationId, EventId, Partition, SessionId, UserId},
    rpc::{
        AddMembers, Blocks, Call, ChangeEmail, EndSession, EraseUser, EraseUserByLogIn, EventsAfter,
        FindEvent, FindOlderEvents, FindSharingUsers, FindUser, FindUsers, FinishProviderLogIn,
        GetConversation, GetDataKeys, GetHead, GetKeysOfTexts, GetLogInOptions, GetMailOption, GetMembership,
        GetMessage, GetOwnKey, GetOwnUser, GetPage, GetProfileKeys, GetTarget, KeyName,
        ListBlockedConversations, ListConversations, ListInbox, ListParticipants, ListReactors, ListSessions,
        LogHeads, LogIn, LogOut, MarkRead, Memberships, NewPassword, OpenConversation, Page, Proof,
        ReadMarkHead, ReadMarksAfter, RefreshSession, RegisterUser, RemoveMember, Rename, ReplayPart,
        RequestEmailChange, RequestPasswordReset, ResetPassword, RoomEventsAfter, RoomHeads, SealedText,
        SearchUsers, SeeCall, Service, SetBlock, SetRole, StartProviderLogIn, TextKey, UpdateUser, Window,
        each_call,
    },
};
use natter_seal::{DataKeys, Place};
use natter_testkit::{Cluster, Folder, until};

use super::rights::{guarded, register};
use crate::{
    NATTER,
    deployment::{CommandOutput, PARTITIONS},
};

/// As the settings of a cluster have it.
pub const SECRET: &[u8] = b"0123456789abcdef0123456789abcdef";

/// One token, presented whoever is asked for.
struct One(Arc<str>);

impl ProofSource for One {
    fn of(&self, _: UserId) -> Option<Arc<str>> {
        Some(Arc::clone(&self.0))
    }

    fn of_anyone(&self) -> Option<Arc<str>> {
        Some(Arc::clone(&self.0))
    }
}

pub fn token(secret: &[u8], user: UserId, at: Timestamp) -> Arc<str> {
    token_of((user, SessionId::fresh()), secret, at)
}

fn token_of(of: (UserId, SessionId), secret: &[u8], at: Timestamp) -> Arc<str> {
    let keys = Keys::new(&TokenKeys::unnamed(secret.to_vec())).unwrap();
    keys.issue(of, Duration::from_mins(10), at).unwrap().into()
}

/// Clients with an edge's NATS user.
struct Clients {
    without: RpcClient,
    forged: RpcClient,
    expired: RpcClient,
    /// Of someone else, who is in no conversation.
    of_another: RpcClient,
    own: RpcClient,
}

impl Clients {
    async fn of(url: &str, user: UserId, another: UserId) -> Self {
        let client = connect(&Address::new(url.to_owned()), Purpose::Rpc).await.unwrap();
        let now = Timestamp::now();
        let with = |token| RpcClient::of_users(client.clone(), Arc::new(One(token)));
        Self {
            without: RpcClient::new(client.clone()),
            forged: with(token(b"another secret of thirty-two bytes", user, now)),
            expired: with(token(SECRET, user, Timestamp(now.0 - 3_600_000))),
            of_another: with(token(SECRET, another, now)),
            own: with(token(SECRET, user, now)),
        }
    }

    /// What a call is answered with each of them.
    async fn probe<C: Call>(&self, asked: &mut HashSet<(Service, &'static str)>, call: C) {
        asked.insert((C::SERVICE, C::NAME));
        let code = async |rpc: &RpcClient| {
            rpc.by_member(UserId::fresh()).call(&call).await.err().map(|refused| refused.code)
        };
        for (what, rpc) in [("no", &self.without), ("a forged", &self.forged), ("an expired", &self.expired)]
        {
            assert_eq!(code(rpc).await, Some(Code::Unauthenticated), "{} with {what} token", C::NAME);
        }
        let expected = match call.proof() {
            Proof::Anyone => None,
            Proof::MemberOf(_) => Some(Code::NotFound),
            _ => Some(Code::Unauthenticated),
        };
        assert_eq!(code(&self.of_another).await, expected, "{} with another user's token", C::NAME);
        let own = code(&self.own).await;
        let refused = own == Some(Code::Unauthenticated);
        assert_eq!(refused, call.proof() == Proof::Worker, "{} with the user's own token: {own:?}", C::NAME);
    }
}

/// Those that need no proof.
const OPEN: [(Service, &str); 11] = [
    (Service::Accounts, RegisterUser::NAME),
    (Service::Accounts, LogIn::NAME),
    (Service::Accounts, RefreshSession::NAME),
    (Service::Accounts, RequestPasswordReset::NAME),
    (Service::Accounts, ResetPassword::NAME),
    (Service::Accounts, ChangeEmail::NAME),
    (Service::Accounts, GetMailOption::NAME),
    (Service::Accounts, GetLogInOptions::NAME),
    (Service::Accounts, FinishProviderLogIn::NAME),
    (Service::History, LogHeads::NAME),
    (Service::Inbox, ReadMarkHead::NAME),
];

struct All(HashSet<(Service, &'static str)>);

impl SeeCall for All {
    fn call<C: Call>(&mut self) {
        self.0.insert((C::SERVICE, C::NAME));
    }
}

async fn probe_users(clients: &Clients, asked: &mut HashSet<(Service, &'static str)>, user: UserId) {
    clients.probe(asked, ListSessions { user, limit: 5 }).await;
    clients.probe(asked, EndSession { user, session: SessionId::fresh() }).await;
    clients.probe(asked, GetOwnUser { user }).await;
    clients.probe(asked, FindUser { user }).await;
    clients.probe(asked, FindUsers { users: vec![user] }).await;
    clients.probe(asked, SearchUsers { query: "al".to_owned(), limit: 5 }).await;
    clients.probe(asked, UpdateUser { user, display_name: "Alice".to_owned() }).await;
    let (session, password) = (SessionId::fresh(), "not it".to_owned());
    let (current, next) = (password.clone(), "battery staple".to_owned());
    clients.probe(asked, NewPassword { user, session, current, next }).await;
    let (email, language) = ("alice@example.net".to_owned(), String::new());
    let wanted = RequestEmailChange { user, session, email, password: password.clone(), language };
    clients.probe(asked, wanted).await;
    clients.probe(asked, EraseUserByLogIn { user, session }).await;
    clients.probe(asked, EraseUser { user, password }).await;
    clients.probe(asked, StartProviderLogIn { link: Some(user) }).await;
    clients.probe(asked, SetBlock { user, other: UserId::fresh(), on: false }).await;
    clients.probe(asked, Blocks { user, after: None, limit: 5 }).await;
    clients.probe(asked, ListBlockedConversations { user, after: None }).await;
    clients.probe(asked, FindSharingUsers { user, others: vec![UserId::fresh()] }).await;
    clients.probe(asked, Memberships { user, after: None }).await;
    clients.probe(asked, ListConversations { user, limit: 5, after: None }).await;
    clients.probe(asked, ListInbox { user, after: None }).await;
    let names = vec![KeyName { user, epoch: None }];
    clients.probe(asked, GetOwnKey { user }).await;
    clients.probe(asked, GetKeysOfTexts { reader: user, texts: Vec::new() }).await;
    clients.probe(asked, GetDataKeys { names: names.clone() }).await;
    clients.probe(asked, GetProfileKeys { names }).await;
    clients.probe(asked, LogOut { user, session: Some(SessionId::fresh()) }).await;
}

async fn probe_conversations(
    clients: &Clients,
    asked: &mut HashSet<(Service, &'static str)>,
    (user, conversation): (UserId, ConversationId),
) {
    let (by, traceparent, seq) = (user, None, 1);
    clients.probe(asked, GetConversation { user, conversation }).await;
    clients.probe(asked, ListParticipants { user, conversation, after: None, limit: 5 }).await;
    clients.probe(asked, GetMembership { user, conversation }).await;
    clients.probe(asked, Rename { user, conversation, name: "other".to_owned(), traceparent }).await;
    let users = vec![UserId::fresh()];
    clients.probe(asked, AddMembers { by, conversation, users, traceparent: None }).await;
    let (other, role) = (UserId::fresh(), Role::Admin);
    clients.probe(asked, SetRole { by, conversation, user: other, role, traceparent: None }).await;
    clients.probe(asked, RemoveMember { by, conversation, user: other, traceparent: None }).await;
    clients
        .probe(asked, GetPage { user, page: Page { conversation, window: Window::Newest, limit: 5 } })
        .await;
    let part = ReplayPart { conversation, after: 0, limit: 5, scanned: 0 };
    clients.probe(asked, EventsAfter { user, part }).await;
    clients.probe(asked, RoomEventsAfter { part }).await;
    clients.probe(asked, RoomHeads { conversations: vec![conversation] }).await;
    clients.probe(asked, ReadMarksAfter { after: 0 }).await;
    clients.probe(asked, GetHead { user, conversation }).await;
    let event = FindEvent { user, conversation, event: EventId::fresh() };
    clients.probe(asked, event).await;
    clients.probe(asked, FindOlderEvents { events: vec![event] }).await;
    clients.probe(asked, GetMessage { user, conversation, seq }).await;
    clients.probe(asked, GetTarget { user, conversation, seq }).await;
    let emoji = "👍".to_owned();
    clients.probe(asked, ListReactors { user, conversation, seq, emoji, after: None, limit: 5 }).await;
    clients.probe(asked, MarkRead { user, conversation, seq, private: false, unread: false }).await;
}

#[tokio::test]
async fn an_edges_nats_user_alone_is_answered_no_call_of_a_user() {
    let (mut cluster, home) = (Cluster::bare(NATTER).await, Folder::new());
    let nats = guarded(&home).await;
    let url = |user: &str| format!("nats://{user}:secret@{}", nats.address);
    CommandOutput::of(&cluster.run(&["migrate"], &[("NATS_URL", &url("provision"))])).ok();
    let settings = [
        ("NATS_URL", url("worker")),
        ("CHAT_MESSAGE_KEY", "8f1d2c3b4a5968778695a4b3c2d1e0f00123456789abcdeffedcba9876543210".to_owned()),
    ];
    let worker = cluster.spawn("worker", &settings.each_ref().map(|(name, value)| (*name, value.as_str())));
    let admin = worker.wait_for_event("worker is ready").await["admin"].as_str().unwrap().to_owned();

    let anyone = RpcClient::new(connect(&Address::new(url("edge")), Purpose::Rpc).await.unwrap());
    let (alice, mallory) = (register(&anyone, "alice").await, register(&anyone, "mallory").await);
    let clients = Clients::of(&url("edge"), alice, mallory).await;
    let (shape, name) = (Shape::Group, Some("room".to_owned()));
    let open = OpenConversation {
        creator: alice,
        shape,
        name,
        participants: vec![mallory],
        key: None,
        traceparent: None,
    };
    let conversation = clients.own.call(&open).await.unwrap().conversation.id;
    let leave = RemoveMember { by: alice, conversation, user: mallory, traceparent: None };
    clients.own.call(&leave).await.unwrap();

    let mut asked: HashSet<(Service, &'static str)> = OPEN.into();
    clients.probe(&mut asked, open).await;
    probe_conversations(&clients, &mut asked, (alice, conversation)).await;
    probe_users(&clients, &mut asked, alice).await;
    let mut all = All(HashSet::new());
    each_call(&mut all);
    assert_eq!(asked, all.0, "every call is here");

    // A member is proven for a room, and workers ask where no edge may.
    let part = ReplayPart { conversation, after: 0, limit: 5, scanned: 0 };
    let room = RoomEventsAfter { part };
    assert!(clients.own.by_member(alice).call(&room).await.is_ok());
    let names = vec![KeyName { user: alice, epoch: None }];
    let of_worker = async |user: &str| {
        let client = connect(&Address::new(url(user)), Purpose::Rpc).await.unwrap();
        RpcClient::of_worker(client).call(&GetProfileKeys { names: names.clone() }).await
    };
    assert!(of_worker("worker").await.is_ok());
    assert!(of_worker("edge").await.is_err());
    let metrics = reqwest::get(format!("http://{admin}/metrics")).await.unwrap().text().await.unwrap();
    assert!(metrics.contains("natter_calls_unproven_total{call=\"page\"}"), "{metrics}");
    let line = worker.wait_for_line("does not carry a token").await;
    assert!(!line.contains(&alice.to_string()), "{line}");
}

/// Who has an edge's NATS user hears what is live, and may register.
#[tokio::test]
async fn an_edges_credentials_and_an_account_open_no_text_of_others() {
    let (mut cluster, home) = (Cluster::bare(NATTER).await, Folder::new());
    let nats = guarded(&home).await;
    let url = |user: &str| format!("nats://{user}:secret@{}", nats.address);
    CommandOutput::of(&cluster.run(&["migrate"], &[("NATS_URL", &url("provision"))])).ok();
    let (worker, root) = (url("worker"), "8f1d2c3b4a5968778695a4b3c2d1e0f00123456789abcdeffedcba9876543210");
    let sealed =
        [("NATS_URL", worker.as_str()), ("CHAT_ENCRYPTION_ENABLED", "true"), ("CHAT_MESSAGE_KEY", root)];
    let worker = cluster.spawn("worker", &sealed);
    worker.wait_for_event("worker is ready").await;

    let client = connect(&Address::new(url("edge")), Purpose::Rpc).await.unwrap();
    let none = RpcClient::new(client.clone());
    let [alice, bob, mallory] =
        [register(&none, "alice").await, register(&none, "bob").await, register(&none, "mallory").await];
    let of = |user| RpcClient::of_users(client.clone(), Arc::new(One(token(SECRET, user, Timestamp::now()))));
    let open = |creator, other| OpenConversation {
        creator,
        shape: Shape::Direct,
        name: None,
        participants: vec![other],
        key: None,
        traceparent: None,
    };
    let room = of(alice).call(&open(alice, bob)).await.unwrap().conversation.id;
    let hers = of(mallory).call(&open(mallory, alice)).await.unwrap().conversation.id;
    let keys = |user| DataKeys::of_readers(of(user), Duration::from_mins(1)).for_reader(user);
    let place = Place { conversation: room, event: EventId::fresh(), author: alice, edits: None };
    let text = place.text(&keys(alice).seal("for bob", &place).await.unwrap());

    let wanted = async |reader, asker, text: &SealedText| {
        let answer = of(asker).call(&GetKeysOfTexts { reader, texts: vec![text.clone()] }).await;
        answer.map(|keys| matches!(keys[0], TextKey::Issued(_))).map_err(|refused| refused.code)
    };
    assert_eq!(wanted(bob, bob, &text).await, Ok(true));
    assert_eq!(wanted(mallory, mallory, &text).await, Ok(false), "she is not in the conversation");
    assert_eq!(wanted(bob, mallory, &text).await, Err(Code::Unauthenticated));
    let moved = SealedText { conversation: hers, ..text };
    assert_eq!(wanted(mallory, mallory, &moved).await, Ok(false), "it was not sealed for hers");
    let names = vec![KeyName { user: alice, epoch: Some(1) }];
    let by_name = of(mallory).call(&GetDataKeys { names }).await;
    assert_eq!(by_name.err().map(|refused| refused.code), Some(Code::Unauthenticated));
    let found = of(mallory).call(&FindUser { user: alice }).await.unwrap();
    assert_eq!((found.username.as_str(), found.email.as_str()), ("alice", ""));
    let own = of(alice).call(&GetOwnUser { user: alice }).await.unwrap();
    assert_eq!(own.email, "alice@example.org");
}

#[tokio::test]
async fn an_edges_credentials_and_an_account_join_no_conversation() {
    let (mut cluster, home) = (Cluster::bare(NATTER).await, Folder::new());
    let nats = guarded(&home).await;
    let url = |user: &str| format!("nats://{user}:secret@{}", nats.address);
    CommandOutput::of(&cluster.run(&["migrate"], &[("NATS_URL", &url("provision"))])).ok();
    let worker = [("NATS_URL", url("worker"))];
    let worker = worker.each_ref().map(|(name, value)| (*name, value.as_str()));
    let running = cluster.spawn("worker", &worker);
    running.wait_for_event("worker is ready").await;

    let edge = async |purpose| connect(&Address::new(url("edge")), purpose).await.unwrap();
    let client = edge(Purpose::Rpc).await;
    let none = RpcClient::new(client.clone());
    let [alice, bob, mallory] =
        [register(&none, "alice").await, register(&none, "bob").await, register(&none, "mallory").await];
    let of = |user| RpcClient::of_users(client.clone(), Arc::new(One(token(SECRET, user, Timestamp::now()))));
    let open = OpenConversation {
        creator: alice,
        shape: Shape::Group,
        name: Some("not for all".to_owned()),
        participants: vec![bob],
        key: None,
        traceparent: None,
    };
    let room = of(alice).call(&open).await.unwrap().conversation.id;
    let joins = Kind::MemberAdded { user: mallory, role: Role::Owner };
    let event = record(room, alice, joins);
    let subject = subject::conv(Partition::of(room, PARTITIONS), room);
    let publisher = Publisher::new(edge(Purpose::Publish).await);
    publisher.publish(subject, &event.id.to_string(), codec::encode(&event).into()).await.unwrap();

    let reads = async || of(mallory).call(&GetConversation { user: mallory, conversation: room }).await;
    assert_eq!(reads().await.err().map(|refused| refused.code), Some(Code::NotFound), "by the log");
    until("the persister has set it aside", async || {
        let parked = CommandOutput::of(&cluster.run(&["parked", "list", "--json"], &worker)).json_lines();
        parked.iter().any(|event| event["reason"] == "no worker decided it")
    })
    .await;
    assert_eq!(reads().await.err().map(|refused| refused.code), Some(Code::NotFound), "by the store");
}

fn record(conversation: ConversationId, author: UserId, kind: Kind) -> Event {
    let (id, at, device) = (EventId::fresh(), Timestamp::now(), String::new());
    Event { id, conversation, author, device, client_id: None, at, kind, traceparent: None }
}

#[tokio::test]
async fn a_token_of_an_ended_session_is_answered_no_call() {
    let (mut cluster, home) = (Cluster::bare(NATTER).await, Folder::new());
    let nats = guarded(&home).await;
    let url = |user: &str| format!("nats://{user}:secret@{}", nats.address);
    CommandOutput::of(&cluster.run(&["migrate"], &[("NATS_URL", &url("provision"))])).ok();
    let client = connect(&Address::new(url("edge")), Purpose::Rpc).await.unwrap();
    let worker = async |cluster: &mut Cluster| {
        let worker = cluster.spawn("worker", &[("NATS_URL", &url("worker"))]);
        worker.wait_for_event("worker is ready").await;
        worker
    };
    let first = worker(&mut cluster).await;
    let login = RegisterUser {
        username: "alice".to_owned(),
        email: "alice@example.org".to_owned(),
        password: "correct horse".to_owned(),
        display_name: None,
    };
    let opened = RpcClient::new(client.clone()).call(&login).await.unwrap();
    let (alice, session) = (opened.user.id, opened.session);
    let of = |session| {
        let token = token_of((alice, session), SECRET, Timestamp::now());
        RpcClient::of_users(client.clone(), Arc::new(One(token)))
    };
    let (stolen, other) = (of(session), of(SessionId::fresh()));
    let code = async |rpc: &RpcClient| {
        rpc.call(&ListSessions { user: alice, limit: 5 }).await.err().map(|refused| refused.code)
    };
    assert_eq!(code(&stolen).await, None);
    other.call(&LogOut { user: alice, session: Some(session) }).await.unwrap();
    until("workers have heard", async || code(&stolen).await == Some(Code::Unauthenticated)).await;
    assert_eq!(code(&other).await, None, "other sessions go on");
    // One that starts later hears of the last hour.
    drop(first);
    let _second = worker(&mut cluster).await;
    until("it has heard too", async || code(&stolen).await == Some(Code::Unauthenticated)).await;
}

#[tokio::test]
async fn without_a_key_of_tokens_a_worker_does_not_start() {
    let cluster = Cluster::bare(NATTER).await;
    CommandOutput::of(&cluster.run(&["migrate"], &[])).ok();
    let refused = CommandOutput::of(&cluster.run(&["worker"], &[("JWT_SECRET", "")])).error();
    assert!(refused.contains("no key verifies the tokens of calls"), "{refused}");
    let wrong = CommandOutput::of(&cluster.run(&["worker"], &[("CALL_PROOF", "off")])).error();
    assert!(wrong.contains("CALL_PROOF is 'off'; allowed: required, or accepted"), "{wrong}");
}
