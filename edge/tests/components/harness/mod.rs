//! An edge in this process with a nats-server of its own.

mod http;
mod marks;
mod services;
mod shared;
mod socket;

use std::{sync::Arc, time::Duration};

use natter_edge::{App, Config, Web};
use natter_nats::{
    apply::Deployment,
    async_nats::{Client, HeaderMap},
    clock::LogClock,
    connect::Purpose,
    header,
    log::LogReader,
    message,
    publisher::Publisher,
    subject,
    trace::TraceRing,
};
use natter_runtime::{
    config::{ConnectionLimits, TokenKeys},
    lifecycle::Lifecycle,
    rates::Rates,
    readiness::Readiness,
};
use natter_schemas::{
    codec,
    event::{Body, Event, Kind, LogEntry, Role, Shape, Timestamp},
    id::{ConversationId, EventId, Origin, Partition, Seq, SessionId, UserId},
    limits::{self, Limits},
    rpc::{Control, Membership},
};
use natter_testkit::TestServer;
use serde_json::{Value, json};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpListener, TcpStream},
};

pub use self::{
    services::{PASSWORD, Services},
    shared::Fragile,
    socket::{Socket, frame},
};

/// For anything that must happen; far above what it takes.
pub const PATIENCE: Duration = Duration::from_secs(20);

pub struct Edge {
    pub app: Arc<App>,
    pub services: Arc<Services>,
    pub shared: Arc<Fragile>,
    pub nats: Client,
    publisher: Publisher,
    deployment: Deployment,
    lifecycle: Lifecycle,
    address: std::net::SocketAddr,
    // Dropped last: everything above is connected to it.
    server: TestServer,
}

impl Edge {
    pub async fn start() -> Self {
        Self::start_with(|_| ()).await
    }

    /// With other settings than those of most tests.
    pub async fn start_with(change: impl FnOnce(&mut Config)) -> Self {
        let server = TestServer::start().await;
        let deployment = server.provision(1).await;
        let nats = server.client(Purpose::Live).await;
        let lifecycle = Lifecycle::new();
        let log = LogReader::new(server.js().await, deployment.partitions);
        let services = Services::start(&nats, log, &lifecycle).await;
        let shared = Arc::new(Fragile::default());
        let mut config = Config {
            nats: server.address(),
            keys: TokenKeys::unnamed(vec![7; 32]),
            jwt_expires_in: Duration::from_mins(15),
            refresh_expires_in: Duration::from_hours(1),
            cors_origins: vec!["https://chat.example".to_owned()],
            trusted_proxies: Vec::new(),
            tls: None,
            connections: ConnectionLimits::default(),
            rates: Rates::off(),
            limits: Limits::default(),
            drain_time: Duration::ZERO,
            seals: false,
            key_cache: limits::KEY_CACHED,
            presence_ttl: Duration::from_mins(1),
            durability: "relaxed",
            group_commits: false,
            web: Web::of(&[]),
            trace: TraceRing::default(),
            readiness: Readiness::default(),
            log_requests: 0,
            demo: Vec::new(),
        };
        change(&mut config);
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let app = natter_edge::assemble(
            config,
            deployment.clone(),
            shared.clone(),
            LogClock::own(),
            lifecycle.clone(),
        )
        .await
        .expect("an edge that can connect");
        let address = natter_edge::run(&app, listener).await.expect("an edge that runs");
        let publisher = Publisher::new(nats.clone());
        Self { app, services, shared, nats, publisher, deployment, lifecycle, address, server }
    }

    /// Begins to end as the process does, and goes on until its clients have left.
    pub fn begin_drain(&self) {
        let (lifecycle, leave) = (self.lifecycle.clone(), self.app.config.drain_time);
        tokio::spawn(async move { lifecycle.drain(leave).await });
    }

    /// Ends as the process does; returns whether every task ended in time.
    pub async fn drain(self) -> bool {
        let Self { app, lifecycle, server: _server, .. } = self;
        let leave = app.config.drain_time;
        drop(app);
        lifecycle.drain(leave).await
    }

    /// NATS stands still.
    pub fn pause_nats(&self) {
        self.server.pause();
    }

    pub fn resume_nats(&self) {
        self.server.resume();
    }

    /// A token of a session of this user.
    pub fn token(&self, user: UserId) -> String {
        self.app.tokens.issue(user, SessionId::fresh(), Timestamp::now()).expect("a token")
    }

    /// The answer to an HTTP request with these header lines, as text.
    pub async fn http(&self, method: &str, path: &str, headers: &str) -> String {
        let mut stream = TcpStream::connect(self.address).await.expect("the edge accepts");
        let request =
            format!("{method} {path} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n{headers}\r\n\r\n");
        stream.write_all(request.as_bytes()).await.expect("the edge reads");
        let mut answer = String::new();
        let read = tokio::time::timeout(PATIENCE, stream.read_to_string(&mut answer)).await;
        read.expect("an answer in time").expect("text");
        answer
    }

    /// The answer to a GET of a client that would use its connection again, if the server ends it.
    pub async fn kept_alive(&self, path: &str) -> String {
        let mut stream = TcpStream::connect(self.address).await.expect("the edge accepts");
        let request = format!("GET {path} HTTP/1.1\r\nHost: x\r\n\r\n");
        stream.write_all(request.as_bytes()).await.expect("the edge reads");
        let mut answer = String::new();
        let read = tokio::time::timeout(PATIENCE, stream.read_to_string(&mut answer)).await;
        read.expect("the server ends the connection").expect("text");
        answer
    }

    /// The status of the answer to a GET; what follows it is not waited for.
    pub async fn head(&self, path: &str, headers: &str) -> u16 {
        let mut stream = TcpStream::connect(self.address).await.expect("the edge accepts");
        let request = format!("GET {path} HTTP/1.1\r\nHost: x\r\n{headers}\r\n\r\n");
        stream.write_all(request.as_bytes()).await.expect("the edge reads");
        let mut head = [0; 12];
        let read = tokio::time::timeout(PATIENCE, stream.read_exact(&mut head)).await;
        read.expect("an answer in time").expect("an answer");
        std::str::from_utf8(&head[9..]).ok().and_then(|status| status.parse().ok()).expect("a status")
    }

    pub fn address(&self) -> std::net::SocketAddr {
        self.address
    }

    /// A POST without a token, as a proxy forwards it for a client of this address: status and whole answer.
    pub async fn forwarded(&self, client: &str, path: &str, body: &Value) -> (u16, String) {
        let body = body.to_string();
        let headers = format!(
            "X-Forwarded-For: {client}\r\nX-Forwarded-Proto: https\r\nContent-Type: application/json\r\n\
             Content-Length: {}\r\n\r\n{body}",
            body.len()
        );
        let answer = self.http("POST", path, &headers).await;
        let status = answer.get(9..12).and_then(|status| status.parse().ok());
        (status.expect(&answer), answer)
    }

    /// A welcomed socket after this `hello`.
    pub async fn open(&self, hello: &Value) -> Socket {
        Socket::hello(self.address, hello).await
    }

    /// A welcomed socket.
    pub async fn socket(&self, user: UserId) -> Socket {
        self.open(&json!({"type": "hello", "token": self.token(user)})).await
    }

    /// A welcomed socket that asks for what it missed.
    pub async fn resuming(&self, user: UserId, epoch: &str, positions: &[(ConversationId, Seq)]) -> Socket {
        let positions: serde_json::Map<_, _> =
            positions.iter().map(|(conversation, seq)| (conversation.to_string(), json!(seq))).collect();
        let resume = json!({"epoch": epoch, "positions": positions});
        let hello = json!({"type": "hello", "token": self.token(user), "resume": resume});
        self.open(&hello).await
    }

    pub fn epoch(&self) -> &str {
        &self.deployment.epoch
    }

    /// A conversation whose members are known to the services.
    pub fn conversation(&self, members: &[UserId]) -> ConversationId {
        let conversation = ConversationId::fresh();
        for user in members {
            self.services.add_membership(*user, membership(conversation, Some(Role::Member), 1));
        }
        conversation
    }

    /// Stores an event as another edge would.
    pub async fn store(&self, conversation: ConversationId, content: &str) -> LogEntry {
        let event = posted(conversation, content);
        let subject = subject::conv(self.partition(conversation), conversation);
        let payload = codec::encode(&event).into();
        let stored = self.publisher.publish(subject, &event.id.to_string(), payload).await;
        LogEntry { seq: stored.expect("the log takes it").seq, event }
    }

    /// A message as the log once had it, under the id that its device's name for it gives.
    pub fn sent_long_ago(
        &self,
        user: UserId,
        conversation: ConversationId,
        (device, client_id): (&str, &str),
        content: &str,
    ) -> LogEntry {
        let origin = Origin::Client { device, client_id };
        let id = self.deployment.event_key.event_id(user, conversation, origin);
        let (device, client_id) = (device.to_owned(), Some(client_id.to_owned()));
        LogEntry {
            seq: 7,
            event: Event { id, author: user, device, client_id, ..posted(conversation, content) },
        }
    }

    /// `POST /api/messages`: status and body.
    pub async fn post_message(&self, user: UserId, key: Option<&str>, body: &Value) -> (u16, Value) {
        let key = key.map(|key| ("idempotency-key", key));
        http::post(self.address, "/api/messages", &self.token(user), key, body).await
    }

    /// Sends a live copy of an event that the log did not republish.
    pub async fn republish(&self, entry: &LogEntry, prev: Seq) {
        let conversation = entry.event.conversation;
        let subject = format!("live.{}.{conversation}", self.partition(conversation));
        let mut headers = HeaderMap::new();
        headers.insert(header::SEQUENCE, entry.seq.to_string());
        headers.insert(header::LAST_SEQUENCE, prev.to_string());
        let payload = codec::encode(&entry.event).into();
        #[expect(clippy::disallowed_methods, reason = "as the server republishes it")]
        self.nats.publish_with_headers(subject, headers, payload).await.expect("connected");
    }

    pub async fn control(&self, subject: String, control: Control) {
        let id = EventId::fresh().to_string();
        self.publisher.publish(subject, &id, message::encode(&control)).await.expect("CONTROL takes it");
    }

    pub fn partition(&self, conversation: ConversationId) -> Partition {
        Partition::of(conversation, self.deployment.partitions)
    }

    pub fn has_room(&self, conversation: ConversationId) -> bool {
        self.app.hub.with_room(conversation, |_| ()).is_some()
    }
}

pub fn membership(conversation: ConversationId, role: Option<Role>, version: Seq) -> Membership {
    Membership { conversation, shape: Shape::Group, role, version }
}

pub fn posted(conversation: ConversationId, content: &str) -> Event {
    Event {
        id: EventId::fresh(),
        conversation,
        author: UserId::fresh(),
        device: String::new(),
        client_id: None,
        at: Timestamp::now(),
        kind: Kind::Posted { body: Body::Plain(content.to_owned()), reply_to: None },
        traceparent: None,
    }
}
