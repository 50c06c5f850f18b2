//! An account: its calls over HTTP, its rooms, its devices.

use reqwest::Method;
use serde_json::{Value, json};

use super::{Device, PATIENCE, device::fresh, seq};

const PASSWORD: &str = "correct horse battery";

#[derive(Clone)]
pub struct User {
    http: reqwest::Client,
    bases: [String; 2],
    /// The edge that its calls and devices go to.
    edge: usize,
    pub name: String,
    pub id: String,
    pub token: String,
}

#[derive(Debug)]
pub struct Answer {
    pub status: u16,
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

impl Room {
    pub fn of(conversation: &Value) -> Self {
        Self { id: text(&conversation["id"]), head: conversation["headSeq"].as_u64().unwrap() }
    }

    /// A frame about this room.
    pub fn frame(&self, kind: &str, fields: &Value) -> Value {
        let mut frame = json!({"type": kind, "conversationId": self.id});
        frame.as_object_mut().unwrap().extend(fields.as_object().unwrap().clone());
        frame
    }

    /// Whether a frame is about this room.
    pub fn has(&self, frame: &Value) -> bool {
        frame["conversationId"] == self.id || frame["conversation"]["id"] == self.id
    }

    pub fn path(&self, rest: &str) -> String {
        format!("/api/conversations/{}{rest}", self.id)
    }
}

impl User {
    /// Somebody new; the name is made unique.
    pub async fn register(bases: [String; 2], edge: usize, name: &str) -> Self {
        let http = reqwest::Client::builder().no_proxy().timeout(PATIENCE).build().unwrap();
        let name = format!("{name}-{}", fresh());
        let (id, token) = Default::default();
        let mut user = Self { http, bases, edge, name, id, token };
        let account = json!({
            "username": user.name, "email": format!("{}@tests.example", user.name), "password": PASSWORD,
        });
        let session = user.post("/api/auth/register", &account).await.ok(201);
        user.id = text(&session["user"]["id"]);
        user.token = text(&session["token"]);
        user
    }

    /// The same session, by way of another edge.
    pub fn at(&self, edge: usize) -> Self {
        Self { edge, ..self.clone() }
    }

    /// With another token.
    pub fn with_token(&self, token: String) -> Self {
        Self { token, ..self.clone() }
    }

    /// After an edge was killed.
    pub fn at_addresses(&self, bases: [String; 2]) -> Self {
        Self { bases, ..self.clone() }
    }

    /// A session of its own of the same account.
    pub async fn log_in(&self) -> Self {
        let body = json!({"login": self.name, "password": PASSWORD});
        let session = self.post("/api/auth/login", &body).await.ok(200);
        self.with_token(text(&session["token"]))
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
        let mut request = self.http.request(method, format!("{}{path}", self.bases[self.edge]));
        if !self.token.is_empty() {
            request = request.bearer_auth(&self.token);
        }
        if let Some(body) = body {
            request = request.json(body);
        }
        let response = request.send().await.unwrap();
        let status = response.status().as_u16();
        let bytes = response.bytes().await.unwrap();
        Answer { status, body: serde_json::from_slice(&bytes).unwrap_or_default() }
    }

    /// Posts and answers with the message's seq.
    pub async fn says(&self, room: &Room, content: &str) -> u64 {
        let body = json!({"conversationId": room.id, "content": content});
        seq(&self.post("/api/messages", &body).await.ok(201))
    }

    /// A group with these people.
    pub async fn group(&self, with: &[&Self]) -> Room {
        let people: Vec<_> = with.iter().map(|user| user.id.as_str()).collect();
        let body = json!({"type": "group", "name": "People", "participantIds": people});
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

    pub async fn reads(&self, room: &Room, seq: u64) -> Value {
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
            all.append(page["items"].as_array_mut().unwrap());
            if page["hasMore"] == false {
                return all;
            }
        }
    }

    /// Whether somebody is seen online; `None` while nobody knows.
    pub async fn online(&self, other: &Self) -> Option<bool> {
        let answer = self.get(&format!("/api/presence/status/{}", other.id)).await;
        match answer.code() {
            (503, "unavailable") => None,
            _ => Some(answer.ok(200)["status"] == "online"),
        }
    }

    pub async fn status_of(&self, other: &Self) -> Value {
        self.get(&format!("/api/presence/status/{}", other.id)).await.ok(200)
    }

    /// A welcomed socket.
    pub async fn device(&self, name: &str) -> Device {
        let hello = json!({"type": "hello", "token": self.token, "deviceId": name});
        Device::open(&self.bases[self.edge], &hello).await
    }

    /// A welcomed socket that asked for what it missed of a room.
    pub async fn resume(&self, name: &str, epoch: &str, positions: &Value) -> Device {
        let resume = json!({"epoch": epoch, "positions": positions});
        let hello = json!({"type": "hello", "token": self.token, "deviceId": name, "resume": resume});
        let device = Device::open(&self.bases[self.edge], &hello).await;
        device.frame("resume:done", |frame| frame["type"] == "resume:done").await;
        device
    }
}

pub fn text(value: &Value) -> String {
    value.as_str().unwrap_or_else(|| panic!("{value} is not text")).to_owned()
}
