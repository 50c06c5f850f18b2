//! An account: its calls over HTTP, its rooms, its sockets.

use reqwest::{Method, header::HeaderMap};
use serde_json::{Value, json};

use super::{Natter, PATIENCE, Socket, seq};

pub const PASSWORD: &str = "correct horse battery";

pub struct User {
    pub http: reqwest::Client,
    pub base: String,
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

/// A conversation and the seq of its newest event when it was made.
#[derive(Debug, Clone)]
pub struct Room {
    pub id: String,
    pub head: u64,
}

impl User {
    /// Registers.
    pub async fn new(natter: &Natter, name: &str) -> Self {
        let account =
            json!({"username": name, "email": format!("{name}@tests.example"), "password": PASSWORD});
        Self::enter(natter, name, "register", &account, 201).await
    }

    /// Another session of the same account.
    pub async fn log_in(natter: &Natter, name: &str) -> Self {
        let body = json!({"login": name, "password": PASSWORD});
        Self::enter(natter, name, "login", &body, 200).await
    }

    async fn enter(natter: &Natter, name: &str, how: &str, body: &Value, status: u16) -> Self {
        let http = reqwest::Client::builder().no_proxy().timeout(2 * PATIENCE).build().unwrap();
        let mut user = Self {
            http,
            base: natter.http.clone(),
            name: name.to_owned(),
            id: String::new(),
            token: String::new(),
            refresh_token: String::new(),
        };
        let session = user.post(&format!("/api/auth/{how}"), body).await.ok(status);
        user.id = text(&session["user"]["id"]);
        user.take_session(&session);
        user
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

    /// The server came back on another port.
    pub fn move_to(&mut self, natter: &Natter) {
        self.base.clone_from(&natter.http);
    }

    pub async fn get(&self, path: &str) -> Answer {
        self.call(Method::GET, path, &[], None).await
    }

    pub async fn post(&self, path: &str, body: &Value) -> Answer {
        self.call(Method::POST, path, &[], Some(body)).await
    }

    pub async fn call(
        &self,
        method: Method,
        path: &str,
        headers: &[(&str, &str)],
        body: Option<&Value>,
    ) -> Answer {
        let mut request = self.http.request(method, format!("{}{path}", self.base));
        if !self.token.is_empty() {
            request = request.bearer_auth(&self.token);
        }
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        if let Some(body) = body {
            request = request.json(body);
        }
        let response = request.send().await.unwrap();
        let (status, headers) = (response.status().as_u16(), response.headers().clone());
        let bytes = response.bytes().await.unwrap();
        Answer { status, headers, body: serde_json::from_slice(&bytes).unwrap_or_default() }
    }

    /// Posts with an `Idempotency-Key`.
    pub async fn post_once(&self, key: &str, room: &str, content: &str) -> Answer {
        let body = json!({"conversationId": room, "content": content});
        self.call(Method::POST, "/api/messages", &[("Idempotency-Key", key)], Some(&body)).await
    }

    /// Posts and answers with the message's seq.
    pub async fn say(&self, room: &Room, content: &str) -> u64 {
        let body = json!({"conversationId": room.id, "content": content});
        seq(&self.post("/api/messages", &body).await.ok(201))
    }

    /// A group with these people.
    pub async fn room(&self, with: &[&Self]) -> Room {
        let people: Vec<_> = with.iter().map(|user| user.id.as_str()).collect();
        let body = json!({"type": "group", "name": "Faults", "participantIds": people});
        let made = self.post("/api/conversations", &body).await.ok(201);
        Room { id: text(&made["id"]), head: made["headSeq"].as_u64().unwrap() }
    }

    /// Every message of a room, page by page.
    pub async fn history(&self, room: &Room) -> Vec<Value> {
        let mut all: Vec<Value> = Vec::new();
        loop {
            let after = all.last().map_or(0, seq);
            let path = format!("/api/messages?conversationId={}&after={after}&limit=100", room.id);
            let mut page = self.get(&path).await.ok(200);
            all.append(page["items"].as_array_mut().unwrap());
            if page["hasMore"] == false {
                return all;
            }
        }
    }

    /// A welcomed socket.
    pub async fn socket(&self, device: &str) -> Socket {
        Socket::hello(&self.base, &json!({"type": "hello", "token": self.token, "deviceId": device})).await
    }

    /// A welcomed socket that asked for what it missed.
    pub async fn resume(&self, device: &str, epoch: &str, positions: &Value) -> Socket {
        let resume = json!({"epoch": epoch, "positions": positions});
        let hello = json!({"type": "hello", "token": self.token, "deviceId": device, "resume": resume});
        Socket::hello(&self.base, &hello).await
    }
}

fn text(value: &Value) -> String {
    value.as_str().unwrap_or_else(|| panic!("{value} is not text")).to_owned()
}
