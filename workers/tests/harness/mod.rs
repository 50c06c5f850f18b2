//! A deployment in small: a real server, a real store that fails on demand, and the jobs under test.
#![allow(dead_code, reason = "each test program uses its part of the harness")]

pub mod faulty;

use std::{collections::HashMap, sync::Arc, time::Duration};

use natter_nats::{
    apply, async_nats::jetstream, clock::LogClock, connect::Purpose, log::LogReader, publisher::Publisher,
    service::RpcClient, subject, trace::TraceRing,
};
use natter_runtime::{
    access_token::VerifyingKeys,
    audit::Audit,
    config::{CallProof, LogIns, TokenKeys},
};
use natter_schemas::{
    code::Code,
    codec,
    event::{Body, Event, Kind, Shape, Timestamp},
    id::{ConversationId, EventId, Partition, Seq, UserId},
    limits::{self, Limits},
    rpc::{
        Conversation, GetConversation, GetPage, OpenConversation, Page, PageReply, RpcError, User, Window,
    },
};
use natter_seal::Key;
use natter_store::{AccountStore, Store, sqlite::SqliteStore};
use natter_testkit::{TestServer, until_some};
use natter_workers::{
    Dependencies, Job, RefreshTokens,
    persist::PersistHealth,
    services::{
        keys::{LocalRoot, Root, Roots},
        proofs::Proofs,
    },
    start,
};
use parking_lot::Mutex;
use tempfile::TempDir;
use tokio_util::{sync::CancellationToken, task::TaskTracker};

use faulty::Faulty;

pub const PARTITIONS: u16 = 2;

pub struct Harness {
    pub dependencies: Dependencies,
    pub store: Arc<Faulty>,
    pub rpc: RpcClient,
    pub server: TestServer,
    /// Of the groups that were made here.
    owners: Mutex<HashMap<ConversationId, UserId>>,
    folder: TempDir,
    running: Running,
}

struct Running {
    tracker: TaskTracker,
    stop: CancellationToken,
}

impl Running {
    fn new() -> Self {
        Self { tracker: TaskTracker::new(), stop: CancellationToken::new() }
    }
}

/// The root of keys that harnesses have.
pub const ROOT: u8 = 7;

/// Roots with a key each.
pub fn roots(keys: &[u8]) -> Roots {
    let root = |key: &u8| Box::new(LocalRoot::new(Key::from([*key; 32]))) as Box<dyn Root>;
    Roots::new(keys.iter().map(root).collect()).unwrap()
}

impl Harness {
    pub async fn with(jobs: &[Job]) -> Self {
        Self::with_grace(jobs, Duration::from_mins(1)).await
    }

    /// Refresh tokens may be presented again so long.
    pub async fn with_grace(jobs: &[Job], grace: Duration) -> Self {
        let server = TestServer::start().await;
        let deployment = Arc::new(server.provision(PARTITIONS).await);
        let folder = tempfile::tempdir().unwrap();
        let store = Arc::new(Faulty::new(SqliteStore::open(&folder.path().join("natter.db")).unwrap()));
        let js = jetstream::new(server.client(Purpose::Work).await);
        let rpc = server.client(Purpose::Rpc).await;
        let dependencies = Dependencies {
            clock: LogClock::own(),
            persisting: PersistHealth::default(),
            store: Arc::clone(&store) as Arc<dyn Store>,
            client: rpc.clone(),
            js,
            publisher: Publisher::new(server.client(Purpose::Publish).await),
            log: LogReader::new(jetstream::new(rpc.clone()), PARTITIONS),
            decision_key: apply::decision_key(&jetstream::new(rpc.clone())).await.unwrap(),
            deployment,
            proofs: Arc::new(Proofs::new(
                VerifyingKeys::new(&TokenKeys::default()).unwrap(),
                CallProof::Accepted,
                LogClock::own(),
            )),
            shared: Arc::new(natter_runtime::shared_state::Memory::new()),
            refresh: RefreshTokens { lifetime: Duration::from_hours(1), grace },
            log_ins: LogIns { passwords: true, provider: None, public_url: None, mail: None },
            limits: Limits::default(),
            audit: Audit::off(),
            trace: TraceRing::default(),
            roots: Some(roots(&[ROOT])),
            seals: false,
            key_cache: limits::KEY_CACHED,
            kafka: None,
        };
        let (rpc, owners, running) = (RpcClient::new(rpc), Mutex::default(), Running::new());
        let harness = Self { dependencies, store, rpc, server, owners, folder, running };
        harness.start(jobs).await;
        harness
    }

    /// What users may do is limited so.
    pub async fn with_limits(jobs: &[Job], limits: Limits) -> Self {
        let mut harness = Self::with(&[]).await;
        harness.dependencies.limits = limits;
        harness.start(jobs).await;
        harness
    }

    /// With three people: Alice, Bob and Carol.
    pub async fn with_three(jobs: &[Job]) -> (Self, [UserId; 3]) {
        let harness = Self::with(jobs).await;
        let people =
            [harness.person("alice").await, harness.person("bob").await, harness.person("carol").await];
        (harness, people)
    }

    pub async fn start(&self, jobs: &[Job]) {
        let started = start(&self.dependencies, jobs, &self.running.tracker, self.running.stop.clone());
        Box::pin(started).await.unwrap();
    }

    /// Drains every job.
    pub async fn stop(&mut self) {
        let running = std::mem::replace(&mut self.running, Running::new());
        running.stop.cancel();
        running.tracker.close();
        tokio::time::timeout(natter_testkit::PATIENCE, running.tracker.wait())
            .await
            .expect("jobs end when stopped");
    }

    /// Persists the whole log, then lets a new process answer, which knows the new floors from its start.
    pub async fn settle(&mut self, services: &[Job]) {
        self.stop().await;
        self.start(&[Job::Persist]).await;
        let last = self.dependencies.log.last_seqs().await.unwrap();
        until_some("the log is persisted", || async {
            let floors = self.dependencies.log.floors().await.unwrap();
            (floors.iter().zip(&last).all(|(floor, last)| floor >= last)).then_some(())
        })
        .await;
        self.stop().await;
        self.start(services).await;
    }

    /// A user without a usable password.
    pub async fn person(&self, name: &str) -> UserId {
        let id = UserId::fresh();
        let user = User {
            id,
            username: name.to_owned(),
            email: format!("{name}@example.org"),
            display_name: name.to_owned(),
            created_at: Timestamp::now(),
        };
        self.store.add_user(&user, "").await.unwrap();
        id
    }

    pub async fn group(&self, creator: UserId, others: &[UserId]) -> ConversationId {
        let call = opening(creator, Shape::Group, others);
        let id = self.rpc.call(&call).await.unwrap().conversation.id;
        self.owners.lock().insert(id, creator);
        id
    }

    /// A new group of Alice, who made it, and Bob.
    pub async fn group_of_two(&self) -> (ConversationId, UserId, UserId) {
        let (alice, bob) = (self.person("alice").await, self.person("bob").await);
        (self.group(alice, &[bob]).await, alice, bob)
    }

    /// A conversation as this user sees it.
    pub async fn view(&self, user: UserId, conversation: ConversationId) -> Result<Conversation, RpcError> {
        self.rpc.call(&GetConversation { user, conversation }).await
    }

    /// What an edge does with what a client sends.
    pub async fn publish(&self, event: &Event) -> Seq {
        let subject = subject::conv(partition(event.conversation), event.conversation);
        let payload = codec::encode(event).into();
        self.dependencies.publisher.publish(subject, &event.id.to_string(), payload).await.unwrap().seq
    }

    pub async fn say(&self, author: UserId, conversation: ConversationId, kind: Kind) -> Seq {
        self.publish(&event(author, conversation, kind)).await
    }

    pub async fn post(&self, author: UserId, conversation: ConversationId, text: &str) -> Seq {
        self.say(author, conversation, posted(text)).await
    }

    /// Of a group, as its owner is shown it.
    pub async fn page(&self, conversation: ConversationId, window: Window, limit: usize) -> PageReply {
        let user = self.owners.lock()[&conversation];
        self.rpc.call(&GetPage { user, page: Page { conversation, window, limit } }).await.unwrap()
    }

    /// Messages of a stream from its beginning, as raw as they are.
    pub async fn stored(&self, stream: &str) -> Vec<jetstream::message::StreamMessage> {
        let mut stream = self.server.js().await.get_stream(stream).await.unwrap();
        let state = stream.info().await.unwrap().state.clone();
        let mut messages = Vec::new();
        for seq in state.first_sequence..=state.last_sequence {
            messages.extend(stream.get_raw_message(seq).await.ok());
        }
        messages
    }
}

pub fn partition(conversation: ConversationId) -> Partition {
    Partition::of(conversation, PARTITIONS)
}

pub fn opening(creator: UserId, shape: Shape, others: &[UserId]) -> OpenConversation {
    OpenConversation {
        creator,
        shape,
        name: None,
        participants: others.to_vec(),
        key: None,
        traceparent: None,
    }
}

pub fn posted(text: &str) -> Kind {
    Kind::Posted { body: Body::Plain(text.to_owned()), reply_to: None }
}

pub fn edited(target: Seq, text: &str) -> Kind {
    Kind::Edited { target, body: Body::Plain(text.to_owned()) }
}

pub fn reacted(target: Seq, on: bool) -> Kind {
    Kind::Reacted { target, emoji: "👍".to_owned(), on }
}

/// Why a call was refused, and for which of its fields.
pub fn refusal<T>(answer: Result<T, RpcError>) -> (Code, Option<String>) {
    let refused = answer.err().unwrap();
    (refused.code, refused.field)
}

pub fn event(author: UserId, conversation: ConversationId, kind: Kind) -> Event {
    Event {
        id: EventId::fresh(),
        conversation,
        author,
        device: "test".to_owned(),
        client_id: None,
        at: Timestamp::now(),
        kind,
        traceparent: None,
    }
}

pub fn texts(page: &PageReply) -> Vec<String> {
    let text = |body: &Option<Body>| match body {
        Some(Body::Plain(text)) => text.clone(),
        Some(Body::Sealed { .. }) => "(sealed)".to_owned(),
        None => "(deleted)".to_owned(),
    };
    page.messages.iter().map(|message| text(&message.body)).collect()
}
