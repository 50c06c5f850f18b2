//! A WebSocket that reads all the time and keeps everything it heard.

use futures_util::{SinkExt, StreamExt, stream::SplitSink};
use serde_json::{Value, json};
use tokio::{net::TcpStream, sync::watch, task::JoinHandle};
use tokio_tungstenite::{
    WebSocketStream, client_async,
    tungstenite::{Message, client::IntoClientRequest, http::HeaderValue},
};

use super::{PATIENCE, Room};

pub struct Device {
    says: SplitSink<WebSocketStream<TcpStream>, Message>,
    hears: watch::Receiver<Heard>,
    asked: u64,
    reader: JoinHandle<()>,
}

#[derive(Default)]
struct Heard {
    frames: Vec<Value>,
    /// The close code; 0 when the connection ended without one.
    closed: Option<u16>,
}

impl Drop for Device {
    /// The connection ends without a word.
    fn drop(&mut self) {
        self.reader.abort();
    }
}

impl Device {
    /// Welcomed after this `hello`.
    pub async fn open(base: &str, hello: &Value) -> Self {
        let address = base.strip_prefix("http://").unwrap();
        let stream = TcpStream::connect(address).await.unwrap();
        let mut request = format!("ws://{address}/ws").into_client_request().unwrap();
        request.headers_mut().insert("Sec-WebSocket-Protocol", HeaderValue::from_static("natter.v1"));
        let (stream, _) = client_async(request, stream).await.unwrap();
        let (says, mut comes) = stream.split();
        let (heard, hears) = watch::channel(Heard::default());
        let reader = tokio::spawn(async move {
            let closed = loop {
                match comes.next().await {
                    Some(Ok(Message::Text(text))) => {
                        let frame = serde_json::from_str(&text).unwrap();
                        heard.send_modify(|heard| heard.frames.push(frame));
                    }
                    Some(Ok(Message::Close(close))) => break close.map_or(0, |close| close.code.into()),
                    Some(Ok(_)) => {}
                    Some(Err(_)) | None => break 0,
                }
            };
            heard.send_modify(|heard| heard.closed = Some(closed));
        });
        let mut device = Self { says, hears, asked: 0, reader };
        device.say(hello).await;
        let first = device.until("welcome", |frames| frames.first().cloned()).await;
        assert_eq!(first["type"], "welcome", "{first}");
        device
    }

    pub async fn say(&mut self, frame: &Value) {
        self.says.send(Message::text(frame.to_string())).await.unwrap();
    }

    /// Sends several frames in one go.
    pub async fn say_together(&mut self, frames: &[Value]) {
        for frame in frames {
            self.says.feed(Message::text(frame.to_string())).await.unwrap();
        }
        self.says.flush().await.unwrap();
    }

    /// Everything so far.
    pub fn seen(&self) -> Vec<Value> {
        self.hears.borrow().frames.clone()
    }

    pub fn of(&self, kind: &str) -> Vec<Value> {
        self.seen().into_iter().filter(|frame| frame["type"] == kind).collect()
    }

    pub fn epoch(&self) -> String {
        self.seen()[0]["epoch"].as_str().unwrap().to_owned()
    }

    /// Waits until what was heard answers.
    pub async fn until<T>(&self, what: &str, find: impl Fn(&[Value]) -> Option<T>) -> T {
        let mut hears = self.hears.clone();
        let waited = tokio::time::timeout(PATIENCE, async {
            loop {
                {
                    let heard = hears.borrow_and_update();
                    if let Some(found) = find(&heard.frames) {
                        return found;
                    }
                    assert!(heard.closed.is_none(), "{what}: closed with {:?}", heard.closed);
                }
                hears.changed().await.unwrap();
            }
        });
        let Ok(found) = waited.await else {
            panic!("{what}: not heard in {PATIENCE:?}; last: {:#?}", self.seen().last())
        };
        found
    }

    /// Waits for a frame of which this is so, and answers with the first.
    pub async fn frame(&self, what: &str, is: impl Fn(&Value) -> bool) -> Value {
        self.until(what, |frames| frames.iter().find(|frame| is(frame)).cloned()).await
    }

    /// Sends a request under an id of its own.
    pub async fn request(&mut self, mut frame: Value) -> u64 {
        self.asked += 1;
        frame["id"] = json!(self.asked);
        self.say(&frame).await;
        self.asked
    }

    pub async fn answer(&self, id: u64) -> Value {
        self.frame(&format!("an answer to {id}"), |frame| frame["id"] == id).await
    }

    /// Sends a request and waits for its answer.
    pub async fn ask(&mut self, frame: Value) -> Value {
        let id = self.request(frame).await;
        self.answer(id).await
    }

    /// Sends a request that is acked.
    pub async fn done(&mut self, frame: Value) -> Value {
        let answer = self.ask(frame.clone()).await;
        assert_eq!(answer["type"], "ack", "{frame} was answered {answer}");
        answer
    }

    /// Sends a message: the answer.
    pub async fn send(&mut self, room: &Room, content: &str) -> Value {
        let client_id = format!("c{}", fresh());
        self.ask(room.frame("send", &json!({"content": content, "clientId": client_id}))).await
    }

    /// Sends a message that is acked: its seq.
    pub async fn post(&mut self, room: &Room, content: &str) -> u64 {
        let answer = self.send(room, content).await;
        assert_eq!(answer["type"], "ack", "{answer}");
        seq(&answer)
    }

    pub async fn join(&mut self, room: &Room) -> Value {
        let joined = self.ask(room.frame("join", &json!({}))).await;
        assert_eq!(joined["type"], "joined", "{joined}");
        joined
    }

    pub async fn types(&mut self, room: &Room, is_typing: bool) {
        self.say(&room.frame("typing", &json!({"isTyping": is_typing}))).await;
    }

    /// Answered: everything that was queued for this device before has come.
    pub async fn settle(&mut self) {
        let pong = self.ask(json!({"type": "ping"})).await;
        assert_eq!(pong["type"], "pong", "{pong}");
    }

    /// Waits until this event of a room, or a later one, has come.
    pub async fn reaches(&self, room: &Room, last: u64) {
        let there = |frame: &Value| room.has(frame) && frame["seq"].as_u64() >= Some(last);
        self.frame(&format!("event {last}"), |frame| frame["prevSeq"].is_u64() && there(frame)).await;
    }

    pub async fn closed(&self) -> u16 {
        let mut hears = self.hears.clone();
        let closed = tokio::time::timeout(PATIENCE, hears.wait_for(|heard| heard.closed.is_some())).await;
        closed.expect("the socket closes").unwrap().closed.unwrap()
    }
}

/// A number that was not given before.
pub fn fresh() -> u64 {
    use std::sync::atomic::{AtomicU64, Ordering};
    static NEXT: AtomicU64 = AtomicU64::new(0);
    NEXT.fetch_add(1, Ordering::Relaxed)
}

pub fn kind(frame: &Value) -> &str {
    frame["type"].as_str().unwrap_or_default()
}

#[track_caller]
pub fn seq(value: &Value) -> u64 {
    value["seq"].as_u64().unwrap_or_else(|| panic!("no seq: {value}"))
}

/// A room's events in the order they came; each follows the one before, the first `after`.
#[track_caller]
pub fn chain(seen: &[Value], room: &Room, after: u64) -> Vec<Value> {
    let events = seen.iter().filter(|frame| frame["prevSeq"].is_u64() && room.has(frame));
    let mut last = after;
    let mut chained = Vec::new();
    for event in events {
        assert_eq!(event["prevSeq"], last, "a hole: {event}");
        last = seq(event);
        chained.push(event.clone());
    }
    chained
}
