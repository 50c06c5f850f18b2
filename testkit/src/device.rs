//! A WebSocket that reads all the time and keeps every frame.

use futures_util::{SinkExt, StreamExt, stream::SplitSink};
use serde_json::{Value, json};
use tokio::{sync::watch, task::JoinHandle};
use tokio_tungstenite::{WebSocketStream, tungstenite::Message};

use crate::{
    PATIENCE, Room, frames, seq,
    socket::{self, Connection},
    user::fresh,
};

pub struct Device {
    sender: SplitSink<WebSocketStream<Connection>, Message>,
    received: watch::Receiver<Received>,
    last_id: u64,
    reader: JoinHandle<()>,
}

#[derive(Default)]
struct Received {
    frames: Vec<Value>,
    /// The close code; 0 when the connection ended without one.
    closed: Option<u16>,
}

impl Drop for Device {
    /// The connection ends without a close frame.
    fn drop(&mut self) {
        self.reader.abort();
    }
}

impl Device {
    /// Welcomed after this `hello`.
    pub async fn open(address: &str, hello: &Value) -> Self {
        let (sender, mut stream) = socket::connect(address).await.split();
        let (updates, received) = watch::channel(Received::default());
        let reader = tokio::spawn(async move {
            let closed = loop {
                match stream.next().await {
                    Some(Ok(Message::Text(text))) => {
                        let frame = serde_json::from_str(&text).expect("a frame is JSON");
                        frames::check(&frame);
                        updates.send_modify(|received| received.frames.push(frame));
                    }
                    Some(Ok(Message::Close(close))) => break close.map_or(0, |close| close.code.into()),
                    Some(Ok(_)) => {}
                    Some(Err(_)) | None => break 0,
                }
            };
            updates.send_modify(|received| received.closed = Some(closed));
        });
        let mut device = Self { sender, received, last_id: 0, reader };
        device.send_frame(hello).await;
        let first = device.wait_for("welcome", |frames| frames.first().cloned()).await;
        assert_eq!(first["type"], "welcome", "{first}");
        device
    }

    pub async fn send_frame(&mut self, frame: &Value) {
        self.sender.send(Message::text(frame.to_string())).await.expect("the connection is open");
    }

    /// Sends several frames in one go.
    pub async fn send_frames(&mut self, frames: &[Value]) {
        for frame in frames {
            self.sender.feed(Message::text(frame.to_string())).await.expect("the connection is open");
        }
        self.sender.flush().await.expect("the connection is open");
    }

    /// Everything so far.
    pub fn frames(&self) -> Vec<Value> {
        self.received.borrow().frames.clone()
    }

    pub fn frames_of(&self, kind: &str) -> Vec<Value> {
        self.frames().into_iter().filter(|frame| frame["type"] == kind).collect()
    }

    pub fn epoch(&self) -> String {
        self.frames()[0]["epoch"].as_str().expect("the connection is open").to_owned()
    }

    /// Waits until the frames received so far have what is looked for.
    pub async fn wait_for<T>(&self, what: &str, find: impl Fn(&[Value]) -> Option<T>) -> T {
        let mut received = self.received.clone();
        let waited = tokio::time::timeout(PATIENCE, async {
            loop {
                {
                    let now = received.borrow_and_update();
                    if let Some(found) = find(&now.frames) {
                        return found;
                    }
                    assert!(now.closed.is_none(), "{what}: closed with {:?}", now.closed);
                }
                received.changed().await.expect("the connection is open");
            }
        });
        let Ok(found) = waited.await else {
            panic!("{what}: not received in {PATIENCE:?}; last: {:#?}", self.frames().last())
        };
        found
    }

    /// Waits for a frame like this and answers with the first.
    pub async fn wait_for_frame(&self, what: &str, is: impl Fn(&Value) -> bool) -> Value {
        self.wait_for(what, |frames| frames.iter().find(|frame| is(frame)).cloned()).await
    }

    /// Sends a request under an id of its own.
    pub async fn request(&mut self, mut frame: Value) -> u64 {
        self.last_id += 1;
        frame["id"] = json!(self.last_id);
        self.send_frame(&frame).await;
        self.last_id
    }

    pub async fn answer(&self, id: u64) -> Value {
        self.wait_for_frame(&format!("an answer to {id}"), |frame| frame["id"] == id).await
    }

    /// Sends a request and waits for its answer.
    pub async fn call(&mut self, frame: Value) -> Value {
        let id = self.request(frame).await;
        self.answer(id).await
    }

    /// Sends a request that is acked.
    pub async fn call_acked(&mut self, frame: Value) -> Value {
        let answer = self.call(frame.clone()).await;
        assert_eq!(answer["type"], "ack", "{frame} was answered {answer}");
        answer
    }

    /// Sends a message: the answer.
    pub async fn send(&mut self, room: &Room, content: &str) -> Value {
        let client_id = format!("c{}", fresh());
        self.call(room.message_frame(&client_id, content)).await
    }

    /// Sends a message that is acked: its seq.
    pub async fn post(&mut self, room: &Room, content: &str) -> u64 {
        let answer = self.send(room, content).await;
        assert_eq!(answer["type"], "ack", "{answer}");
        seq(&answer)
    }

    pub async fn join(&mut self, room: &Room) -> Value {
        let joined = self.call(room.frame("join", &json!({}))).await;
        assert_eq!(joined["type"], "joined", "{joined}");
        joined
    }

    pub async fn set_typing(&mut self, room: &Room, is_typing: bool) {
        self.send_frame(&room.frame("typing", &json!({"isTyping": is_typing}))).await;
    }

    /// Answered: everything that was queued for this device before has come.
    pub async fn ping(&mut self) {
        let pong = self.call(json!({"type": "ping"})).await;
        assert_eq!(pong["type"], "pong", "{pong}");
    }

    /// Waits until this event of a room, or a later one, has come.
    pub async fn wait_for_seq(&self, room: &Room, last: u64) {
        self.wait_for_frame(&format!("event {last}"), |frame| room.has_event_from(last, frame)).await;
    }

    pub async fn closed(&self) -> u16 {
        let mut received = self.received.clone();
        let closed =
            tokio::time::timeout(PATIENCE, received.wait_for(|received| received.closed.is_some())).await;
        closed
            .expect("the socket closes")
            .expect("the connection is open")
            .closed
            .expect("the connection is open")
    }
}
