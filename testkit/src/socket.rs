//! A WebSocket that reads when the test does, and keeps every frame.

use futures_util::{SinkExt, StreamExt};
use serde_json::{Value, json};
use tokio::net::{TcpSocket, TcpStream};
use tokio_tungstenite::{
    MaybeTlsStream, WebSocketStream, client_async,
    tungstenite::{Error, Message, client::IntoClientRequest, http::HeaderValue},
};

use crate::{PATIENCE, Room, frames, seq};

/// What sockets are opened over.
pub type Connection = MaybeTlsStream<TcpStream>;

pub struct Socket {
    stream: WebSocketStream<Connection>,
    /// Every frame so far.
    pub frames: Vec<Value>,
    last_id: u64,
}

#[derive(Debug, PartialEq)]
pub enum Received {
    Frame(Value),
    /// The close code; 0 when the connection ended without one.
    Closed(u16),
}

/// The receive buffer of a socket that hardly takes anything before it is read.
const NARROW: u32 = 4096;
const PROTOCOL: (&str, &str) = ("Sec-WebSocket-Protocol", "natter.v1");

/// Upgrades with these headers; an HTTP status when refused.
pub async fn upgrade(base: &str, headers: &[(&'static str, &str)]) -> Result<Socket, u16> {
    upgrade_over(tcp(base, None).await, base, headers).await
}

/// An upgraded connection.
pub(crate) async fn connect(base: &str) -> WebSocketStream<Connection> {
    Socket::open(base).await.stream
}

async fn tcp(base: &str, receive_buffer: Option<u32>) -> Connection {
    let address = base.strip_prefix("http://").unwrap().parse().unwrap();
    let socket = TcpSocket::new_v4().unwrap();
    if let Some(bytes) = receive_buffer {
        socket.set_recv_buffer_size(bytes).unwrap();
    }
    MaybeTlsStream::Plain(socket.connect(address).await.unwrap())
}

/// Upgrades a connection that is there already.
pub async fn upgrade_over(
    stream: Connection,
    base: &str,
    headers: &[(&'static str, &str)],
) -> Result<Socket, u16> {
    let address = format!("ws{}/ws", base.strip_prefix("http").unwrap());
    let mut request = address.into_client_request().unwrap();
    for (name, value) in headers {
        request.headers_mut().insert(*name, HeaderValue::from_str(value).unwrap());
    }
    match client_async(request, stream).await {
        Ok((stream, _)) => Ok(Socket { stream, frames: Vec::new(), last_id: 0 }),
        Err(Error::Http(response)) => Err(response.status().as_u16()),
        Err(error) => panic!("no upgrade: {error}"),
    }
}

impl Socket {
    /// Upgraded, nothing sent yet.
    pub async fn open(base: &str) -> Self {
        upgrade(base, &[PROTOCOL]).await.unwrap()
    }

    /// Welcomed after this `hello`.
    pub async fn hello(base: &str, hello: &Value) -> Self {
        Self::open(base).await.welcomed(hello).await
    }

    /// Like [`Self::hello`], over a connection that is there already.
    pub async fn hello_over(stream: Connection, base: &str, hello: &Value) -> Self {
        upgrade_over(stream, base, &[PROTOCOL]).await.unwrap().welcomed(hello).await
    }

    /// Like [`Self::hello`], with a small receive buffer.
    pub async fn narrow(base: &str, hello: &Value) -> Self {
        Self::open_narrow(base).await.welcomed(hello).await
    }

    /// Like [`Self::open`], with a small receive buffer.
    pub async fn open_narrow(base: &str) -> Self {
        upgrade_over(tcp(base, Some(NARROW)).await, base, &[PROTOCOL]).await.unwrap()
    }

    async fn welcomed(mut self, hello: &Value) -> Self {
        self.send_frame(hello).await;
        let first = self.frame().await;
        assert_eq!(first["type"], "welcome", "{first}");
        self
    }

    /// Of the deployment, as `welcome` said.
    pub fn epoch(&self) -> String {
        self.frames[0]["epoch"].as_str().unwrap().to_owned()
    }

    pub async fn send_frame(&mut self, frame: &Value) {
        self.send_raw(Message::text(frame.to_string())).await;
    }

    pub async fn send_raw(&mut self, message: Message) {
        self.try_send(message).await.unwrap();
    }

    /// May fail when the server has closed meanwhile.
    pub async fn try_send(&mut self, message: Message) -> Result<(), Error> {
        self.stream.send(message).await
    }

    pub async fn next(&mut self) -> Received {
        let next = tokio::time::timeout(PATIENCE, self.receive()).await;
        next.unwrap_or_else(|_| panic!("nothing received; before: {:?}", self.frames.last()))
    }

    async fn receive(&mut self) -> Received {
        loop {
            match self.stream.next().await {
                Some(Ok(Message::Text(text))) => {
                    let frame: Value = serde_json::from_str(&text).unwrap();
                    frames::check(&frame);
                    self.frames.push(frame.clone());
                    return Received::Frame(frame);
                }
                Some(Ok(Message::Close(close))) => {
                    return Received::Closed(close.map_or(0, |c| c.code.into()));
                }
                Some(Ok(_)) => {}
                Some(Err(_)) | None => return Received::Closed(0),
            }
        }
    }

    /// Does this, and reads what comes meanwhile: for a client that does not, 256 KiB wait, and then it is closed.
    pub async fn read_during<T>(&mut self, work: impl Future<Output = T>) -> T {
        tokio::pin!(work);
        loop {
            tokio::select! {
                done = &mut work => return done,
                received = self.receive() => if let Received::Closed(code) = received {
                    panic!("closed with {code} after {:?}", self.frames.last());
                },
            }
        }
    }

    pub async fn frame(&mut self) -> Value {
        match self.next().await {
            Received::Frame(frame) => frame,
            Received::Closed(code) => panic!("closed with {code} after {:?}", self.frames.last()),
        }
    }

    /// The next frame of this type; others pass by.
    pub async fn wait_for(&mut self, kind: &str) -> Value {
        loop {
            let frame = self.frame().await;
            if frame["type"] == kind {
                return frame;
            }
        }
    }

    /// Sends a request under an id of its own.
    pub async fn request(&mut self, mut frame: Value) -> u64 {
        self.last_id += 1;
        frame["id"] = json!(self.last_id);
        self.send_frame(&frame).await;
        self.last_id
    }

    /// Sends a request and waits for its answer.
    pub async fn call(&mut self, frame: Value) -> Value {
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
        let pong = self.call(json!({"type": "ping"})).await;
        assert_eq!(pong["type"], "pong", "{pong}");
    }

    /// Reads to the end and answers with the close code.
    pub async fn closed(&mut self) -> u16 {
        loop {
            if let Received::Closed(code) = self.next().await {
                return code;
            }
        }
    }

    /// Reads until this event of a room has come.
    pub async fn wait_for_seq(&mut self, room: &Room, last: u64) {
        if self.frames.iter().any(|frame| room.has_event_from(last, frame)) {
            return;
        }
        loop {
            let frame = self.frame().await;
            if room.has_event_from(last, &frame) {
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
                self.request(room.message_frame(&format!("flood-{sent}"), content)).await;
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
