//! A client's socket.

use std::net::SocketAddr;

use futures_util::{SinkExt, StreamExt};
use natter_schemas::id::ConversationId;
use serde_json::{Value, json};
use tokio::{net::TcpStream, time::timeout};
use tokio_tungstenite::{
    WebSocketStream, client_async,
    tungstenite::{Message, client::IntoClientRequest, http::HeaderValue},
};

use super::PATIENCE;

pub struct Socket(WebSocketStream<TcpStream>);

impl Socket {
    /// A welcomed socket after this `hello`.
    pub async fn hello(address: SocketAddr, hello: &Value) -> Self {
        let stream = TcpStream::connect(address).await.expect("the edge accepts");
        let mut request = format!("ws://{address}/ws").into_client_request().expect("a request");
        request.headers_mut().insert("Sec-WebSocket-Protocol", HeaderValue::from_static("natter.v1"));
        let (stream, _) = client_async(request, stream).await.expect("an upgrade");
        let mut socket = Self(stream);
        socket.send(hello).await;
        socket.expect("welcome").await;
        socket
    }

    pub async fn send(&mut self, frame: &Value) {
        self.0.send(Message::text(frame.to_string())).await.expect("the socket is open");
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
