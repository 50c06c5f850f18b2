//! A hundred people with two devices each who all send at once, as any stranger's clients would: what each socket
//! saw, and what it was promised.

use std::{
    collections::{BTreeMap, HashMap, VecDeque},
    time::Duration,
};

use futures_util::{SinkExt, StreamExt};
use serde_json::{Value, json};
use tokio::{net::TcpStream, sync::watch, task::JoinSet, time::timeout};
use tokio_tungstenite::{
    WebSocketStream, client_async,
    tungstenite::{Message, client::IntoClientRequest, http::HeaderValue},
};

pub const PEOPLE: usize = 100;
pub const DEVICES: usize = 2;
pub const MESSAGES: usize = 20_000;
const EACH: usize = MESSAGES / (PEOPLE * DEVICES);
/// Messages of one socket on their way at the same time.
const AHEAD: usize = 4;
/// Two busy cores run eleven servers meanwhile.
const PATIENCE: Duration = Duration::from_mins(5);

/// One message as a client knows it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Post {
    pub id: String,
    pub sender: String,
    pub content: String,
}

/// What a room's events are, by seq.
pub type Posts = BTreeMap<u64, Post>;

pub struct Participant {
    pub id: String,
    pub token: String,
    /// `http://127.0.0.1:port` of this person's edge.
    pub base: String,
    /// Id and head of each room when it was made.
    pub rooms: Vec<(String, u64)>,
}

/// What one socket came to.
pub struct SocketLog {
    pub person: usize,
    /// Every event it was sent, by room: seq, the seq it follows, what was said.
    pub saw: HashMap<String, Vec<(u64, u64, Option<Post>)>>,
    /// What it was promised, by room.
    pub acked: HashMap<String, Posts>,
}

/// Sends everything of everyone. `half` is sent when half of it is acked.
pub async fn talk(people: &[Participant], half: tokio::sync::oneshot::Sender<()>) -> Vec<SocketLog> {
    let (done, heard) = watch::channel(None);
    let (counted, mut counts) = tokio::sync::mpsc::channel(MESSAGES);
    // All are connected before the first sends: each socket owes the whole of its rooms.
    let mut open = Vec::new();
    for (number, person) in people.iter().enumerate() {
        for device in 0..DEVICES {
            open.push(Socket::open(person, number, device).await);
        }
    }
    let mut sockets = JoinSet::new();
    for socket in open {
        sockets.spawn(socket.run(counted.clone(), heard.clone()));
    }
    let mut heads: HashMap<String, u64> = HashMap::new();
    let mut half = Some(half);
    for acked in 1..=MESSAGES {
        let counted = timeout(PATIENCE, counts.recv()).await;
        let Ok(Some((room, seq))) = counted else { panic!("{acked} of {MESSAGES} acked, then nothing more") };
        let head = heads.entry(room).or_default();
        *head = seq.max(*head);
        if acked == MESSAGES / 2 {
            let _ = half.take().map(|half| half.send(()));
        }
    }
    done.send(Some(heads)).unwrap();
    sockets.join_all().await
}

struct Socket {
    wire: WebSocketStream<TcpStream>,
    device: usize,
    rooms: Vec<String>,
    waiting: VecDeque<Value>,
    /// By client id.
    under_way: HashMap<String, Value>,
    sender: String,
    log: SocketLog,
}

type Heads = watch::Receiver<Option<HashMap<String, u64>>>;
type Counted = tokio::sync::mpsc::Sender<(String, u64)>;

impl Socket {
    async fn open(person: &Participant, number: usize, device: usize) -> Self {
        let address = person.base.strip_prefix("http://").unwrap();
        let stream = TcpStream::connect(address).await.unwrap();
        let mut request = format!("ws://{address}/ws").into_client_request().unwrap();
        request.headers_mut().insert("Sec-WebSocket-Protocol", HeaderValue::from_static("natter.v1"));
        let (mut wire, _) = client_async(request, stream).await.unwrap();
        let hello = json!({"type": "hello", "token": person.token, "deviceId": format!("d{device}")});
        wire.send(Message::text(hello.to_string())).await.unwrap();
        let welcome = wire.next().await.unwrap().unwrap();
        assert!(welcome.to_text().unwrap().contains("\"welcome\""), "{welcome}");
        let rooms: Vec<String> = person.rooms.iter().map(|(id, _)| id.clone()).collect();
        let message = |n: usize| {
            json!({
                "type": "send", "conversationId": rooms[(n + device) % rooms.len()],
                "clientId": format!("{device}-{n}"), "id": format!("{device}-{n}"),
                "content": format!("{number}/{device}/{n}: \"quoted\" \\ 🦦 é\n{}", "x".repeat(n % 300)),
            })
        };
        Self {
            wire,
            device,
            waiting: (0..EACH).map(message).collect(),
            rooms,
            under_way: HashMap::new(),
            sender: person.id.clone(),
            log: SocketLog { person: number, saw: HashMap::new(), acked: HashMap::new() },
        }
    }

    async fn run(mut self, counted: Counted, mut heads: Heads) -> SocketLog {
        loop {
            while self.under_way.len() < AHEAD
                && let Some(message) = self.waiting.pop_front()
            {
                self.send(message).await;
            }
            if heads.borrow_and_update().as_ref().is_some_and(|heads| self.saw_all(heads)) {
                return self.log;
            }
            let frame = tokio::select! {
                frame = timeout(PATIENCE, self.wire.next()) => frame,
                changed = heads.changed() => { changed.unwrap(); continue }
            };
            let frame = frame.unwrap_or_else(|_| panic!("socket {} hears no more", self.log.person));
            match frame.expect("the edge lives").unwrap() {
                Message::Text(text) => self.hear(&serde_json::from_str(&text).unwrap(), &counted).await,
                Message::Close(close) => panic!("closed: {close:?}"),
                _ => {}
            }
        }
    }

    async fn send(&mut self, message: Value) {
        self.wire.send(Message::text(message.to_string())).await.unwrap();
        self.under_way.insert(message["clientId"].as_str().unwrap().to_owned(), message);
    }

    async fn hear(&mut self, frame: &Value, counted: &Counted) {
        let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
        let room = text(&frame["conversationId"]);
        match frame["type"].as_str().unwrap() {
            "ack" => {
                let message = self.under_way.remove(frame["clientId"].as_str().unwrap()).unwrap();
                let said = Post {
                    id: text(&frame["messageId"]),
                    sender: self.sender.clone(),
                    content: text(&message["content"]),
                };
                let seq = frame["seq"].as_u64().unwrap();
                let before = self.log.acked.entry(room.clone()).or_default().insert(seq, said);
                assert_eq!(before, None, "device {}: one seq for two messages", self.device);
                counted.try_send((room, seq)).unwrap();
            }
            "error" => {
                assert_eq!(frame["code"], "unavailable", "{frame}");
                let mut message = self.under_way[frame["id"].as_str().unwrap()].clone();
                message["retry"] = json!(true);
                self.send(message).await;
            }
            _ if frame["prevSeq"].is_u64() => {
                let message = &frame["message"];
                let said = message.is_object().then(|| said(message));
                let (seq, prev) = (frame["seq"].as_u64().unwrap(), frame["prevSeq"].as_u64().unwrap());
                self.log.saw.entry(room).or_default().push((seq, prev, said));
            }
            _ => {}
        }
    }

    fn saw_all(&self, heads: &HashMap<String, u64>) -> bool {
        self.rooms.iter().all(|room| {
            let last = self.log.saw.get(room).and_then(|saw| saw.last()).map_or(0, |(seq, ..)| *seq);
            heads.get(room).is_none_or(|head| last >= *head)
        })
    }
}

/// A message of a frame or of a page of history.
pub fn said(message: &Value) -> Post {
    let text = |name: &str| message[name].as_str().unwrap_or_default().to_owned();
    Post { id: text("id"), sender: text("senderId"), content: text("content") }
}
