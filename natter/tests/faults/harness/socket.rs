//! A WebSocket that keeps everything it heard.

use futures_util::{SinkExt, StreamExt};
use serde_json::{Value, json};
use tokio::net::{TcpSocket, TcpStream};
use tokio_tungstenite::{
    WebSocketStream, client_async,
    tungstenite::{Error, Message, client::IntoClientRequest, http::HeaderValue},
};

use super::{PATIENCE, Room};

pub struct Socket {
    stream: WebSocketStream<TcpStream>,
    /// Every frame so far.
    pub seen: Vec<Value>,
    asked: u64,
}

#[derive(Debug, PartialEq)]
pub enum Heard {
    Frame(Value),
    /// The close code; 0 when the connection ended without one.
    Closed(u16),
}

/// The receive buffer of a socket that hardly takes anything before it is read.
const NARROW: u32 = 4096;

/// Upgrades with these headers; an HTTP status when refused.
pub async fn upgrade(base: &str, headers: &[(&'static str, &str)]) -> Result<Socket, u16> {
    upgrade_over(connect(base, None).await, base, headers).await
}

async fn connect(base: &str, receive_buffer: Option<u32>) -> TcpStream {
    let address = base.strip_prefix("http://").unwrap().parse().unwrap();
    let socket = TcpSocket::new_v4().unwrap();
    if let Some(bytes) = receive_buffer {
        socket.set_recv_buffer_size(bytes).unwrap();
    }
    socket.connect(address).await.unwrap()
}

async fn upgrade_over(
    stream: TcpStream,
    base: &str,
    headers: &[(&'static str, &str)],
) -> Result<Socket, u16> {
    let address = format!("ws{}/ws", base.strip_prefix("http").unwrap());
    let mut request = address.into_client_request().unwrap();
    for (name, value) in headers {
        request.headers_mut().insert(*name, HeaderValue::from_str(value).unwrap());
    }
    match client_async(request, stream).await {
        Ok((stream, _)) => Ok(Socket { stream, seen: Vec::new(), asked: 0 }),
        Err(Error::Http(response)) => Err(response.status().as_u16()),
        Err(error) => panic!("no upgrade: {error}"),
    }
}

impl Socket {
    /// Upgraded, nothing said yet.
    pub async fn open(base: &str) -> Self {
        upgrade(base, &[("Sec-WebSocket-Protocol", "natter.v1")]).await.unwrap()
    }

    /// Welcomed after this `hello`.
    pub async fn hello(base: &str, hello: &Value) -> Self {
        Self::open(base).await.welcomed(hello).await
    }

    /// Like [`Self::hello`], with a small receive buffer.
    pub async fn narrow(base: &str, hello: &Value) -> Self {
        let stream = connect(base, Some(NARROW)).await;
        let socket = upgrade_over(stream, base, &[("Sec-WebSocket-Protocol", "natter.v1")]).await.unwrap();
        socket.welcomed(hello).await
    }

    async fn welcomed(mut self, hello: &Value) -> Self {
        self.send(hello).await;
        let first = self.frame().await;
        assert_eq!(first["type"], "welcome", "{first}");
        self
    }

    /// Of the deployment, as `welcome` said.
    pub fn epoch(&self) -> String {
        self.seen[0]["epoch"].as_str().unwrap().to_owned()
    }

    pub async fn send(&mut self, frame: &Value) {
        self.send_raw(Message::text(frame.to_string())).await;
    }

    pub async fn send_raw(&mut self, message: Message) {
        self.try_send(message).await.unwrap();
    }

    /// May fail when the server has closed meanwhile.
    pub async fn try_send(&mut self, message: Message) -> Result<(), Error> {
        self.stream.send(message).await
    }

    pub async fn next(&mut self) -> Heard {
        let next = tokio::time::timeout(PATIENCE, self.hear()).await;
        next.unwrap_or_else(|_| panic!("nothing heard; before: {:?}", self.seen.last()))
    }

    async fn hear(&mut self) -> Heard {
        loop {
            match self.stream.next().await {
                Some(Ok(Message::Text(text))) => {
                    let frame: Value = serde_json::from_str(&text).unwrap();
                    self.seen.push(frame.clone());
                    return Heard::Frame(frame);
                }
                Some(Ok(Message::Close(close))) => return Heard::Closed(close.map_or(0, |c| c.code.into())),
                Some(Ok(_)) => {}
                Some(Err(_)) | None => return Heard::Closed(0),
            }
        }
    }

    pub async fn frame(&mut self) -> Value {
        match self.next().await {
            Heard::Frame(frame) => frame,
            Heard::Closed(code) => panic!("closed with {code} after {:?}", self.seen.last()),
        }
    }

    /// The next frame of this type; others pass by.
    pub async fn until(&mut self, kind: &str) -> Value {
        loop {
            let frame = self.frame().await;
            if frame["type"] == kind {
                return frame;
            }
        }
    }

    /// Sends a request under an id of its own.
    pub async fn request(&mut self, mut frame: Value) -> u64 {
        self.asked += 1;
        frame["id"] = json!(self.asked);
        self.send(&frame).await;
        self.asked
    }

    /// Sends a request and waits for its answer.
    pub async fn ask(&mut self, frame: Value) -> Value {
        let id = self.request(frame).await;
        loop {
            let answer = self.frame().await;
            if answer["id"] == id {
                return answer;
            }
        }
    }

    /// Answered: the socket is well and everything sent before was read.
    pub async fn ping(&mut self) {
        let pong = self.ask(json!({"type": "ping"})).await;
        assert_eq!(pong["type"], "pong", "{pong}");
    }

    /// Reads to the end and answers with the close code.
    pub async fn closed(&mut self) -> u16 {
        loop {
            if let Heard::Closed(code) = self.next().await {
                return code;
            }
        }
    }

    /// Reads until this event of a room has come.
    pub async fn until_seq(&mut self, room: &Room, last: u64) {
        let there = |frame: &Value| frame["conversationId"] == room.id && frame["seq"].as_u64() >= Some(last);
        if self.seen.iter().any(|frame| frame["prevSeq"].is_u64() && there(frame)) {
            return;
        }
        loop {
            let frame = self.frame().await;
            if frame["prevSeq"].is_u64() && there(&frame) {
                return;
            }
        }
    }

    /// Sends so many messages of this content, a window of them at once, and waits for the acks: their seqs.
    pub async fn flood(&mut self, room: &Room, count: usize, content: &str) -> Vec<u64> {
        const WINDOW: usize = 64;
        let (mut sent, mut acked) = (0, Vec::new());
        while acked.len() < count {
            while sent < count && sent < acked.len() + WINDOW {
                self.request(say(room, &format!("flood-{sent}"), content)).await;
                sent += 1;
            }
            let frame = self.frame().await;
            assert_ne!(frame["type"], "error", "{frame}");
            if frame["type"] == "ack" {
                acked.push(seq(&frame));
            }
        }
        acked
    }
}

/// A `send` frame.
pub fn say(room: &Room, client_id: &str, content: &str) -> Value {
    json!({"type": "send", "conversationId": room.id, "content": content, "clientId": client_id})
}

#[track_caller]
pub fn seq(value: &Value) -> u64 {
    value["seq"].as_u64().unwrap_or_else(|| panic!("no seq: {value}"))
}

/// The seqs of a room's events in the order they came; each follows the one before, the first `after`.
#[track_caller]
pub fn chain(seen: &[Value], room: &Room, after: u64) -> Vec<u64> {
    let events = seen.iter().filter(|frame| frame["prevSeq"].is_u64() && frame["conversationId"] == room.id);
    let mut last = after;
    let mut seqs = Vec::new();
    for event in events {
        assert_eq!(event["prevSeq"], last, "a hole: {event}");
        last = seq(event);
        seqs.push(last);
    }
    seqs
}
