//! A client's socket.

use std::{
    net::SocketAddr,
    time::{Duration, Instant},
};

use futures_util::{SinkExt, StreamExt};
use natter_schemas::id::ConversationId;
use serde_json::{Value, json};
use tokio::{io::AsyncReadExt, net::TcpStream, time::timeout};
use tokio_tungstenite::{
    WebSocketStream, client_async,
    tungstenite::{Message, client::IntoClientRequest, http::HeaderValue},
};

use super::PATIENCE;

/// A frame of this type, about a conversation that does not exist.
pub fn frame(kind: &str) -> Value {
    json!({
        "type": kind, "id": 1, "conversationId": ConversationId::fresh(), "content": "x", "clientId": "c",
        "seq": 1, "emoji": "👍", "on": true, "isTyping": true, "positions": {}, "token": "x",
    })
}

pub struct Socket(WebSocketStream<TcpStream>);

impl Socket {
    /// A welcomed socket after this `hello`.
    pub async fn hello(address: SocketAddr, hello: &Value) -> Self {
        let mut socket = Self::connect(address).await;
        socket.send(hello).await;
        socket.expect("welcome").await;
        socket
    }

    /// A socket that has not said anything.
    pub async fn connect(address: SocketAddr) -> Self {
        let stream = TcpStream::connect(address).await.expect("the edge accepts");
        let mut request = format!("ws://{address}/ws").into_client_request().expect("a request");
        request.headers_mut().insert("Sec-WebSocket-Protocol", HeaderValue::from_static("natter.v1"));
        let (stream, _) = client_async(request, stream).await.expect("an upgrade");
        Self(stream)
    }

    pub async fn send(&mut self, frame: &Value) {
        self.0.send(Message::text(frame.to_string())).await.expect("the socket is open");
    }

    /// Sends messages of any kind for as long as the server takes them.
    pub async fn flood(&mut self, messages: impl IntoIterator<Item = Message>) {
        for message in messages {
            if self.0.feed(message).await.is_err() {
                return;
            }
        }
        // The server may have closed by now.
        let _ = self.0.flush().await;
    }

    pub async fn post(&mut self, conversation: ConversationId, client_id: &str) {
        let content = format!("content of {client_id}");
        let frame = json!({
            "type": "send", "id": client_id, "conversationId": conversation,
            "content": content, "clientId": client_id,
        });
        self.send(&frame).await;
    }

    /// The next frame; `None` when the socket was closed.
    pub async fn next(&mut self) -> Option<Value> {
        loop {
            match timeout(PATIENCE, self.0.next()).await.expect("a frame in time")? {
                Ok(Message::Text(text)) => return Some(serde_json::from_str(&text).expect("JSON")),
                Ok(Message::Close(_)) | Err(_) => return None,
                Ok(_) => {}
            }
        }
    }

    /// The code the server closes the socket with; frames before it are skipped.
    pub async fn closed(&mut self) -> u16 {
        loop {
            match timeout(PATIENCE, self.0.next()).await.expect("a close frame in time") {
                Some(Ok(Message::Close(Some(close)))) => return close.code.into(),
                Some(Ok(_)) => {}
                other => panic!("ended without a close frame: {other:?}"),
            }
        }
    }

    /// Sends a close frame; how long the end of the connection then takes.
    pub async fn close(mut self) -> Duration {
        let begun = Instant::now();
        self.0.close(None).await.expect("the socket is open");
        self.ended(begun).await
    }

    /// Answers the server's close frame as clients do; how long the end of the connection takes after it.
    pub async fn answer_close(mut self) -> Duration {
        self.closed().await;
        let begun = Instant::now();
        self.0.flush().await.expect("the server reads the answer");
        self.ended(begun).await
    }

    async fn ended(mut self, begun: Instant) -> Duration {
        // A client does not end the connection itself (RFC 6455, section 7.1.1): it waits for the server.
        let wait = async { while self.0.get_mut().read_u8().await.is_ok() {} };
        timeout(PATIENCE, wait).await.expect("the server ends the connection");
        begun.elapsed()
    }

    /// The next frame, which is of this type.
    pub async fn expect(&mut self, kind: &str) -> Value {
        let frame = self.next().await.expect("an open socket");
        assert_eq!(frame["type"], kind, "{frame}");
        frame
    }

    /// The next frame of this type; others are skipped.
    pub async fn wait_for(&mut self, kind: &str) -> Value {
        loop {
            let frame = self.next().await.expect("an open socket");
            if frame["type"] == kind {
                return frame;
            }
        }
    }
}
