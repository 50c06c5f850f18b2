//! The floor of any server: a relay without a broker. What it costs, every server that speaks WebSocket and
//! JSON costs; nothing is stored, nobody is known, and a room lives as long as the process.

use std::{borrow::Cow, collections::HashMap, io::Write as _, sync::Arc};

use anyhow::Context as _;
use futures_util::{SinkExt as _, StreamExt as _, stream::SplitSink};
use schemas::{
    frame::SUBPROTOCOL,
    id::{EventId, Seq},
};
use serde::{Deserialize, Serialize};
use tokio::{
    net::{TcpListener, TcpStream},
    sync::Mutex,
    task::JoinSet,
};
use tokio_tungstenite::{
    WebSocketStream, accept_hdr_async_with_config,
    tungstenite::{
        Message,
        handshake::server::{ErrorResponse, Request, Response},
        http::{HeaderValue, header::SEC_WEBSOCKET_PROTOCOL},
        protocol::WebSocketConfig,
    },
};

use crate::socket::BUFFER;

#[derive(Default)]
struct Room {
    seq: Seq,
    sides: Vec<SplitSink<WebSocketStream<TcpStream>, Message>>,
}

/// By the token of the hello. A room is locked while its message is written: that alone keeps the order.
type Rooms = Arc<Mutex<HashMap<String, Arc<Mutex<Room>>>>>;

#[derive(Deserialize)]
struct Hello {
    token: String,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Send<'a> {
    id: u64,
    conversation_id: &'a str,
    client_id: &'a str,
    #[serde(borrow)]
    content: Cow<'a, str>,
}

#[derive(Serialize)]
#[serde(tag = "type", rename_all = "camelCase", rename_all_fields = "camelCase")]
enum Out<'a> {
    Welcome,
    Ack {
        id: u64,
        conversation_id: &'a str,
        message_id: EventId,
        client_id: &'a str,
        seq: Seq,
    },
    #[serde(rename = "message:new")]
    New {
        conversation_id: &'a str,
        seq: Seq,
        prev_seq: Seq,
        message: Text<'a>,
    },
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Text<'a> {
    id: EventId,
    client_id: &'a str,
    content: &'a str,
}

/// Prints its port and relays until stdin ends: the bench holds the other end, so this ends with it.
pub async fn serve() -> anyhow::Result<()> {
    let listener = TcpListener::bind(("127.0.0.1", 0)).await?;
    writeln!(std::io::stdout(), "{}", listener.local_addr()?.port())?;
    let (mut stdin, mut nowhere) = (tokio::io::stdin(), tokio::io::sink());
    tokio::select! {
        failed = relay(listener) => failed,
        _ = tokio::io::copy(&mut stdin, &mut nowhere) => Ok(()),
    }
}

pub async fn relay(listener: TcpListener) -> anyhow::Result<()> {
    let (rooms, mut sockets) = (Rooms::default(), JoinSet::new());
    loop {
        let (tcp, _) = listener.accept().await.context("accepting")?;
        sockets.spawn(socket(tcp, Arc::clone(&rooms)));
    }
}

async fn socket(tcp: TcpStream, rooms: Rooms) -> anyhow::Result<()> {
    tcp.set_nodelay(true)?;
    let config = WebSocketConfig::default().read_buffer_size(BUFFER).write_buffer_size(0);
    let stream = accept_hdr_async_with_config(tcp, subprotocol, Some(config)).await?;
    let (sink, mut source) = stream.split();
    let first = source.next().await.context("closed before hello")??;
    let Hello { token } = serde_json::from_str(first.to_text()?)?;
    let room = Arc::clone(rooms.lock().await.entry(token).or_default());
    let own = {
        let mut room = room.lock().await;
        room.sides.push(sink);
        let own = room.sides.len() - 1;
        room.sides[own].send(json(&Out::Welcome)?).await?;
        own
    };
    while let Some(Message::Text(text)) = source.next().await.transpose()? {
        room.lock().await.message(own, &serde_json::from_str(&text)?).await?;
    }
    Ok(())
}

impl Room {
    async fn message(&mut self, own: usize, send: &Send<'_>) -> anyhow::Result<()> {
        let &Send { id, conversation_id, client_id, ref content } = send;
        let (prev_seq, message_id) = (self.seq, EventId::fresh());
        self.seq += 1;
        let seq = self.seq;
        let message = Text { id: message_id, client_id, content };
        let new = json(&Out::New { conversation_id, seq, prev_seq, message })?;
        self.sides[own].send(json(&Out::Ack { id, conversation_id, message_id, client_id, seq })?).await?;
        for side in &mut self.sides {
            // A side that is gone does not end the other.
            let _ = side.send(new.clone()).await;
        }
        Ok(())
    }
}

fn json(out: &Out<'_>) -> serde_json::Result<Message> {
    Ok(Message::text(serde_json::to_string(out)?))
}

#[expect(clippy::unnecessary_wraps, reason = "the shape of a handshake's callback")]
fn subprotocol(_: &Request, mut response: Response) -> Result<Response, ErrorResponse> {
    response.headers_mut().insert(SEC_WEBSOCKET_PROTOCOL, HeaderValue::from_static(SUBPROTOCOL));
    Ok(response)
}
