//! An account: its calls over HTTP, its rooms, its sockets.

use std::sync::atomic::{AtomicU64, Ordering};

use reqwest::{Method, header::HeaderMap};
use serde_json::{Value, json};

use crate::{Device, PATIENCE, Room, Socket, contract, seq, text};

pub const PASSWORD: &str = "correct horse battery";

#[derive(Clone)]
pub struct User {
    pub http: reqwest::Client,
    /// `http://127.0.0.1:port` of each edge.
    addresses: Vec<String>,
    /// The edge that its calls and sockets go to.
    edge: usize,
    pub name: String,
    pub id: String,
    pub token: String,
    pub refresh_token: String,
}

#[derive(Debug)]
pub struct Answer {
    pub status: u16,
    pub headers: HeaderMap,
    /// `null` when there is none.
    pub body: Value,
}

impl Answer {
    /// The body, of the status expected.
    #[track_caller]
    pub fn ok(self, status: u16) -> Value {
        assert_eq!(self.status, status, "{:#}", self.body);
        self.body
    }

    pub fn code(&self) -> (u16, &str) {
        (self.status, self.body["code"].as_str().unwrap_or_default())
    }
}

/// A number that was not given before in this process.
pub(crate) fn fresh() -> u64 {
    static NEXT: AtomicU64 = AtomicU64::new(0);
    NEXT.fetch_add(1, Ordering::Relaxed)
}

fn account(name: &str) -> Value {
    json!({"username": name, "email": format!("{name}@tests.example"), "password": PASSWORD})
}

impl User {
    /// A new account; its name is made unique.
    pub async fn register(addresses: Vec<String>, edge: usize, name: &str) -> Self {
        Self::new(addresses, edge, &format!("{name}-{}", fresh())).await
    }

    /// A new account of exactly this name.
    pub async fn register_as(address: &str, name: &str) -> Self {
        Self::new(vec![address.to_owned()], 0, name).await
    }

    /// A new account whose calls are made by this client.
    pub async fn register_over(http: reqwest::Client, address: &str, name: &str) -> Self {
        let user = Self { http, ..Self::without_session(vec![address.to_owned()], 0, name) };
        user.with_session("register", &account(name), 201).await
    }

    async fn new(addresses: Vec<String>, edge: usize, name: &str) -> Self {
        let user = Self::without_session(addresses, edge, name);
        user.with_session("register", &account(name), 201).await
    }

    /// A session of the account of this name.
    pub async fn log_in_as(address: &str, name: &str) -> Self {
        Self::without_session(vec![address.to_owned()], 0, name).log_in().await
    }

    /// The session of this refresh token.
    pub async fn renew(address: &str, refresh_token: &str) -> Self {
        let user = Self::without_session(vec![address.to_owned()], 0, "");
        user.with_session("refresh", &json!({"refreshToken": refresh_token}), 200).await
    }

    /// A session of its own of the same account.
    pub async fn log_in(&self) -> Self {
        let user = Self::without_session(self.addresses.clone(), self.edge, &self.name);
        user.with_session("login", &json!({"login": self.name, "password": PASSWORD}), 200).await
    }

    fn without_session(addresses: Vec<String>, edge: usize, name: &str) -> Self {
        let http = reqwest::Client::builder().no_proxy().timeout(2 * PATIENCE).build();
        let (id, token, refresh_token) = Default::default();
        let http = http.expect("a client without options");
        Self { http, addresses, edge, name: name.to_owned(), id, token, refresh_token }
    }

    async fn with_session(mut self, how: &str, body: &Value, status: u16) -> Self {
        let session = self.post(&format!("/api/auth/{how}"), body).await.ok(status);
        self.id = text(&session["user"]["id"]);
        self.take_session(&session);
        self
    }

    fn take_session(&mut self, session: &Value) {
        self.token = text(&session["token"]);
        self.refresh_token = text(&session["refreshToken"]);
    }

    pub async fn refresh(&mut self) {
        let body = json!({"refreshToken": self.refresh_token});
        let session = self.post("/api/auth/refresh", &body).await.ok(200);
        self.take_session(&session);
    }

    /// `http://127.0.0.1:port` of its edge.
    pub fn address(&self) -> &str {
        &self.addresses[self.edge]
    }

    /// The same session, by way of another edge.
    pub fn at(&self, edge: usize) -> Self {
        Self { edge, ..self.clone() }
    }

    /// After an edge was killed.
    pub fn at_addresses(&self, addresses: Vec<String>) -> Self {
        Self { addresses, ..self.clone() }
    }

    /// The server came back on another port.
    pub fn move_to(&mut self, address: &str) {
        self.addresses = vec![address.to_owned()];
    }

    pub fn with_token(&self, token: String) -> Self {
        Self { token, ..self.clone() }
    }

    pub async fn get(&self, path: &str) -> Answer {
        self.call(Method::GET, path, None).await
    }

    pub async fn post(&self, path: &str, body: &Value) -> Answer {
        self.call(Method::POST, path, Some(body)).await
    }

    pub async fn put(&self, path: &str) -> Answer {
        self.call(Method::PUT, path, None).await
    }

    pub async fn patch(&self, path: &str, body: &Value) -> Answer {
        self.call(Method::PATCH, path, Some(body)).await
    }

    pub async fn delete(&self, path: &str) -> Answer {
        self.call(Method::DELETE, path, None).await
    }

    pub async fn call(&self, method: Method, path: &str, body: Option<&Value>) -> Answer {
        self.call_with(method, path, &[], body).await
    }

    pub async fn call_with(
        &self,
        method: Method,
        path: &str,
        headers: &[(&str, &str)],
        body: Option<&Value>,
    ) -> Answer {
        let mut request = self.http.request(method.clone(), format!("{}{path}", self.address()));
        if !self.token.is_empty() {
            request = request.bearer_auth(&self.token);
        }
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        if let Some(body) = body {
            request = request.json(body);
        }
        Self::answer(&method, path, request).await
    }

    /// With these bytes as its JSON, whatever they are.
    pub async fn call_raw(&self, method: Method, path: &str, body: Vec<u8>) -> Answer {
        let mut request = self.http.request(method.clone(), format!("{}{path}", self.address()));
        if !self.token.is_empty() {
            request = request.bearer_auth(&self.token);
        }
        let request = request.header("content-type", "application/json").body(body);
        Self::answer(&method, path, request).await
    }

    /// An answer, which is one that the contract describes.
    async fn answer(method: &Method, path: &str, request: reqwest::RequestBuilder) -> Answer {
        let response = request.send().await.expect("the server answers");
        let (status, headers) = (response.status().as_u16(), response.headers().clone());
        let bytes = response.bytes().await.expect("the answer comes whole");
        contract::expect_described(method, path, status, &headers, &bytes);
        Answer { status, headers, body: serde_json::from_slice(&bytes).unwrap_or_default() }
    }

    /// Posts with an `Idempotency-Key`.
    pub async fn post_once(&self, key: &str, room: &str, content: &str) -> Answer {
        let body = json!({"conversationId": room, "content": content});
        self.call_with(Method::POST, "/api/messages", &[("Idempotency-Key", key)], Some(&body)).await
    }

    /// Posts and answers with the message's seq.
    pub async fn post_message(&self, room: &Room, content: &str) -> u64 {
        let body = json!({"conversationId": room.id, "content": content});
        seq(&self.post("/api/messages", &body).await.ok(201))
    }

    /// A group with these users.
    pub async fn group(&self, with: &[&Self]) -> Room {
        let users: Vec<_> = with.iter().map(|user| user.id.as_str()).collect();
        let body = json!({"type": "group", "name": "People", "participantIds": users});
        Room::of(&self.post("/api/conversations", &body).await.ok(201))
    }

    pub async fn direct(&self, with: &Self) -> Room {
        let body = json!({"type": "direct", "participantIds": [with.id]});
        let answer = self.post("/api/conversations", &body).await;
        assert!([200, 201].contains(&answer.status), "{answer:?}");
        Room::of(&answer.body)
    }

    pub async fn conversation(&self, room: &Room) -> Value {
        self.get(&room.path("")).await.ok(200)
    }

    pub async fn mark_read(&self, room: &Room, seq: u64) -> Value {
        let body = json!({"conversationId": room.id, "seq": seq});
        self.post("/api/messages/read", &body).await.ok(200)
    }

    /// Every message of a room, page by page.
    pub async fn history(&self, room: &Room) -> Vec<Value> {
        let mut all: Vec<Value> = Vec::new();
        loop {
            let after = all.last().map_or(0, seq);
            let path = format!("/api/messages?conversationId={}&after={after}&limit=100", room.id);
            let mut page = self.get(&path).await.ok(200);
            all.append(page["items"].as_array_mut().expect("a page has items"));
            if page["hasMore"] == false {
                return all;
            }
        }
    }

    /// Whether this user sees another online; `None` while that is not known.
    pub async fn sees_online(&self, other: &Self) -> Option<bool> {
        let answer = self.get(&format!("/api/presence/status/{}", other.id)).await;
        match answer.code() {
            (503, "unavailable") => None,
            _ => Some(answer.ok(200)["status"] == "online"),
        }
    }

    pub async fn status_of(&self, other: &Self) -> Value {
        self.get(&format!("/api/presence/status/{}", other.id)).await.ok(200)
    }

    fn hello(&self, device: &str) -> Value {
        json!({"type": "hello", "token": self.token, "deviceId": device})
    }

    fn resuming_hello(&self, device: &str, epoch: &str, positions: &Value) -> Value {
        let mut hello = self.hello(device);
        hello["resume"] = json!({"epoch": epoch, "positions": positions});
        hello
    }

    /// A welcomed socket that reads all the time.
    pub async fn device(&self, name: &str) -> Device {
        Device::open(self.address(), &self.hello(name)).await
    }

    /// [`device`](Self::device) that asked for what it missed and has it.
    pub async fn resume(&self, name: &str, epoch: &str, positions: &Value) -> Device {
        let device = Device::open(self.address(), &self.resuming_hello(name, epoch, positions)).await;
        device.wait_for_frame("resume:done", |frame| frame["type"] == "resume:done").await;
        device
    }

    /// A welcomed socket that reads when the test does.
    pub async fn socket(&self, device: &str) -> Socket {
        Socket::hello(self.address(), &self.hello(device)).await
    }

    /// [`socket`](Self::socket) that asked for what it missed.
    pub async fn resume_socket(&self, device: &str, epoch: &str, positions: &Value) -> Socket {
        Socket::hello(self.address(), &self.resuming_hello(device, epoch, positions)).await
    }
}
