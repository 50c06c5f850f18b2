//! People who talk all the time, as clients do: each message is sent until it is acked, and a socket that ends is followed by
//! another that resumes.

use std::{
    collections::{BTreeMap, HashMap},
    sync::Arc,
    time::Duration,
};

use futures_util::{SinkExt, StreamExt};
use natter_testkit::{PATIENCE, User, text};
use parking_lot::Mutex;
use serde_json::{Map, Value, json};
use tokio::{
    net::TcpStream,
    sync::{Barrier, watch},
    time::{Instant, sleep, sleep_until, timeout},
};
use tokio_tungstenite::{
    WebSocketStream, client_async,
    tungstenite::{Message, client::IntoClientRequest, http::HeaderValue},
};

use crate::deployment::Balancer;

/// From the ack of one message to the next message.
const PAUSE: Duration = Duration::from_millis(100);
/// Before another edge is tried.
const RETRY: Duration = Duration::from_millis(50);

/// Texts of a room, by seq.
pub type Posts = BTreeMap<u64, String>;

#[derive(Clone)]
pub enum Phase {
    Talk,
    /// Nothing new is sent.
    Finish,
    /// The newest message of each room: who has seen them is done.
    Heads(HashMap<String, u64>),
}

/// What all of them were promised, by room.
pub type Acked = Arc<Mutex<HashMap<String, Posts>>>;

pub struct Person {
    number: usize,
    user: User,
    /// The last event of each room that was received.
    last: BTreeMap<String, u64>,
    epoch: String,
    balancer: Balancer,
    acked: Acked,
    /// Messages that have no ack.
    open: Arc<Mutex<usize>>,
    sent: usize,
    under_way: Option<UnderWay>,
    next_at: Instant,
    draining: Option<Duration>,
    result: Saw,
}

struct UnderWay {
    frame: Value,
    since: Instant,
}

/// What a person came to.
#[derive(Default)]
pub struct Saw {
    pub posts: HashMap<String, Posts>,
    /// The longest wait for an ack, or for another socket.
    pub longest: Duration,
    pub sockets: usize,
}

type Wire = WebSocketStream<TcpStream>;

impl Person {
    pub fn new(
        number: usize,
        user: &User,
        rooms: &[(String, u64)],
        balancer: &Balancer,
        acked: &Acked,
        open: &Arc<Mutex<usize>>,
    ) -> Self {
        Self {
            number,
            user: user.clone(),
            last: rooms.iter().cloned().collect(),
            epoch: String::new(),
            balancer: Arc::clone(balancer),
            acked: Arc::clone(acked),
            open: Arc::clone(open),
            sent: 0,
            under_way: None,
            next_at: Instant::now(),
            draining: None,
            result: Saw::default(),
        }
    }

    pub async fn run(mut self, mut phase: watch::Receiver<Phase>, all: Arc<Barrier>) -> Saw {
        let mut wire = self.connect().await;
        // All are connected before the first sends: each is owed everything.
        all.wait().await;
        loop {
            if self.talk(&mut wire, &mut phase).await {
                return self.result;
            }
            let began = Instant::now();
            sleep(self.draining.take().unwrap_or(RETRY)).await;
            wire = self.connect().await;
            self.waited(began);
        }
    }

    fn waited(&mut self, since: Instant) {
        self.result.longest = self.result.longest.max(since.elapsed());
    }

    /// A welcomed socket, at whichever edge takes it.
    async fn connect(&mut self) -> Wire {
        let deadline = Instant::now() + PATIENCE;
        loop {
            let address = {
                let edges = self.balancer.lock();
                self.result.sockets += 1;
                edges[(self.number + self.result.sockets) % edges.len()].clone()
            };
            if let Some(wire) = self.open(address.trim_start_matches("http://")).await {
                return wire;
            }
            assert!(Instant::now() < deadline, "person {} finds no edge", self.number);
            sleep(RETRY).await;
        }
    }

    async fn open(&mut self, address: &str) -> Option<Wire> {
        let stream = TcpStream::connect(address).await.ok()?;
        let mut request = format!("ws://{address}/ws").into_client_request().unwrap();
        request.headers_mut().insert("Sec-WebSocket-Protocol", HeaderValue::from_static("natter.v1"));
        let (mut wire, _) = client_async(request, stream).await.ok()?;
        let mut hello = json!({"type": "hello", "token": self.user.token, "deviceId": "d"});
        if !self.epoch.is_empty() {
            let positions: Map<String, Value> =
                self.last.iter().map(|(room, seq)| (room.clone(), json!(seq))).collect();
            hello["resume"] = json!({"epoch": self.epoch, "positions": positions});
        }
        wire.send(Message::text(hello.to_string())).await.ok()?;
        let Message::Text(welcome) = timeout(PATIENCE, wire.next()).await.ok()??.ok()? else { return None };
        let welcome: Value = serde_json::from_str(&welcome).unwrap();
        (welcome["type"] == "welcome").then(|| self.epoch = text(&welcome["epoch"]))?;
        Some(wire)
    }

    /// Until the socket ends, which is false, or everything is seen.
    async fn talk(&mut self, wire: &mut Wire, phase: &mut watch::Receiver<Phase>) -> bool {
        if let Some(UnderWay { frame, .. }) = &mut self.under_way {
            frame["retry"] = json!(true);
            let _ = wire.send(Message::text(frame.to_string())).await;
        }
        loop {
            let current = phase.borrow_and_update().clone();
            if let Phase::Heads(heads) = &current
                && heads.iter().all(|(room, head)| self.last[room] >= *head)
            {
                return true;
            }
            let may_send =
                matches!(current, Phase::Talk) && self.under_way.is_none() && self.draining.is_none();
            tokio::select! {
                frame = timeout(PATIENCE, wire.next()) => {
                    match frame.unwrap_or_else(|_| panic!("person {} receives no more", self.number)) {
                        Some(Ok(Message::Text(text))) => {
                            if let Some(again) = self.hear(&serde_json::from_str(&text).unwrap()) {
                                let _ = wire.send(Message::text(again)).await;
                            }
                        }
                        Some(Ok(Message::Close(_)) | Err(_)) | None => return false,
                        Some(Ok(_)) => {}
                    }
                }
                () = sleep_until(self.next_at), if may_send => {
                    let frame = self.next_message();
                    let _ = wire.send(Message::text(frame)).await;
                }
                changed = phase.changed() => changed.unwrap(),
            }
        }
    }

    fn next_message(&mut self) -> String {
        let (name, room) = (format!("{}-{}", self.number, self.sent), self.sent % self.last.len());
        self.sent += 1;
        *self.open.lock() += 1;
        let room = self.last.keys().nth(room).unwrap();
        let frame =
            json!({"type": "send", "id": name, "conversationId": room, "clientId": name, "content": name});
        let text = frame.to_string();
        self.under_way = Some(UnderWay { frame, since: Instant::now() });
        text
    }

    /// Returns what is to be sent again.
    fn hear(&mut self, frame: &Value) -> Option<String> {
        let room = text_of(&frame["conversationId"]);
        match frame["type"].as_str().unwrap() {
            "ack" => self.acknowledged(&room, frame),
            "goodbye" => self.draining = Some(Duration::from_millis(frame["retryAfterMs"].as_u64().unwrap())),
            "error" => {
                assert_eq!(frame["code"], "unavailable", "{frame}");
                let frame = &mut self.under_way.as_mut().expect("it asked").frame;
                frame["retry"] = json!(true);
                return Some(frame.to_string());
            }
            "resume:gap" => panic!("too much was missed: {frame}"),
            _ if frame["prevSeq"].is_u64() => {
                let (seq, prev) = (frame["seq"].as_u64().unwrap(), frame["prevSeq"].as_u64().unwrap());
                let last = self.last.insert(room.clone(), seq);
                assert_eq!(last, Some(prev), "person {}: a hole or a repeat before {frame}", self.number);
                if frame["type"] == "message:new" {
                    let content = text_of(&frame["message"]["content"]);
                    self.result.posts.entry(room).or_default().insert(seq, content);
                }
            }
            _ => {}
        }
        None
    }

    fn acknowledged(&mut self, room: &str, frame: &Value) {
        let UnderWay { frame: message, since } = self.under_way.take().expect("it was sent");
        assert_eq!(message["clientId"], frame["clientId"], "one message at a time");
        self.waited(since);
        self.next_at = Instant::now() + PAUSE;
        let (seq, content) = (frame["seq"].as_u64().unwrap(), text_of(&message["content"]));
        let before = self.acked.lock().entry(room.to_owned()).or_default().insert(seq, content);
        assert_eq!(before, None, "one seq for two messages: {frame}");
        *self.open.lock() -= 1;
    }
}

fn text_of(value: &Value) -> String {
    value.as_str().unwrap_or_default().to_owned()
}
