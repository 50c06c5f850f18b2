//! The floor of any server: a relay without a broker. What it costs, every server that speaks WebSocket and
//! JSON costs; nothing is stored, there are no accounts, a room lives as long as the process, and each delivery is one
//! write. Frames are built once a message and their bytes shared.

use std::{borrow::Cow, collections::HashMap, io, net::Ipv4Addr, sync::Arc};

use anyhow::Context as _;
use natter_schemas::{
    frame::SUBPROTOCOL,
    id::{EventId, Seq},
};
use serde::{Deserialize, Serialize};
use tokio::{
    io::AsyncReadExt as _,
    net::{
        TcpListener, TcpStream,
        tcp::{OwnedReadHalf, OwnedWriteHalf},
    },
    sync::Mutex,
};

use crate::load::frame;

const BUFFER: usize = 4 * 1024;
/// Of the fixed key that the load upgrades with.
const ACCEPT: &str = "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=";

type Connection = Arc<Mutex<OwnedWriteHalf>>;

#[derive(Default)]
struct Room {
    seq: Seq,
    connections: Vec<Connection>,
}

/// A room is locked while its message is written: that alone keeps the order.
type Rooms = Arc<Mutex<HashMap<String, Arc<Mutex<Room>>>>>;

/// The token names the rooms, with commas between them.
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
    /// A relay has no typing to send; a request for it is ignored.
    Joined,
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

pub async fn serve(port: u16) -> anyhow::Result<()> {
    relay(TcpListener::bind((Ipv4Addr::LOCALHOST, port)).await?).await
}

pub async fn relay(listener: TcpListener) -> anyhow::Result<()> {
    let rooms = Rooms::default();
    loop {
        let (tcp, _) = listener.accept().await.context("accepting")?;
        tokio::spawn(socket(tcp, Arc::clone(&rooms)));
    }
}

async fn socket(tcp: TcpStream, rooms: Rooms) -> anyhow::Result<()> {
    tcp.set_nodelay(true)?;
    let (mut source, sink) = tcp.into_split();
    let own = Arc::new(Mutex::new(sink));
    let mut bytes = upgrade(&mut source, &own).await?;
    let mut joined = HashMap::new();
    loop {
        while let Ok(Some(head)) = frame::head(&bytes) {
            let payload = &mut bytes[head.start..head.end];
            frame::apply(payload, head.mask.unwrap_or_default());
            match head.opcode {
                frame::TEXT => message(payload, &own, &rooms, &mut joined).await?,
                frame::CLOSE => return Ok(()),
                _ => {}
            }
            bytes.drain(..head.end);
        }
        if source.read_buf(&mut bytes).await? == 0 {
            return Ok(());
        }
    }
}

async fn upgrade(source: &mut OwnedReadHalf, own: &Connection) -> anyhow::Result<Vec<u8>> {
    let mut bytes = Vec::with_capacity(BUFFER);
    while !bytes.ends_with(b"\r\n\r\n") {
        anyhow::ensure!(source.read_buf(&mut bytes).await? > 0, "closed before it asked for anything");
    }
    let answer = format!(
        "HTTP/1.1 101 Switching Protocols\r\nupgrade: websocket\r\nconnection: Upgrade\r\n\
         sec-websocket-accept: {ACCEPT}\r\nsec-websocket-protocol: {SUBPROTOCOL}\r\n\r\n"
    );
    write(own, answer.as_bytes()).await?;
    Ok(Vec::with_capacity(BUFFER))
}

type Joined = HashMap<String, Arc<Mutex<Room>>>;

/// `type` comes first by contract.
async fn message(json: &[u8], own: &Connection, rooms: &Rooms, joined: &mut Joined) -> anyhow::Result<()> {
    if json.starts_with(b"{\"type\":\"send\"") {
        send(serde_json::from_slice(json)?, own, joined).await?;
    } else if json.starts_with(b"{\"type\":\"hello\"") {
        let Hello { token } = serde_json::from_slice(json)?;
        for id in token.split(',') {
            let room = Arc::clone(rooms.lock().await.entry(id.to_owned()).or_default());
            room.lock().await.connections.push(Arc::clone(own));
            joined.insert(id.to_owned(), room);
        }
        write(own, &framed(&Out::Welcome)?).await?;
    } else if json.starts_with(b"{\"type\":\"join\"") {
        write(own, &framed(&Out::Joined)?).await?;
    }
    Ok(())
}

async fn send(send: Send<'_>, own: &Connection, joined: &Joined) -> anyhow::Result<()> {
    let Send { id, conversation_id, client_id, content } = send;
    let room = joined.get(conversation_id).context("not in that room")?;
    let mut room = room.lock().await;
    let (prev_seq, message_id) = (room.seq, EventId::fresh());
    room.seq += 1;
    let seq = room.seq;
    let message = Text { id: message_id, client_id, content: &content };
    let new = framed(&Out::New { conversation_id, seq, prev_seq, message })?;
    write(own, &framed(&Out::Ack { id, conversation_id, message_id, client_id, seq })?).await?;
    for connection in &room.connections {
        // A failed connection does not end the others.
        let _ = write(connection, &new).await;
    }
    Ok(())
}

async fn write(connection: &Connection, bytes: &[u8]) -> io::Result<()> {
    let connection = connection.lock().await;
    let mut written = 0;
    while written < bytes.len() {
        match connection.try_write(&bytes[written..]) {
            Ok(more) => written += more,
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => connection.writable().await?,
            Err(error) => return Err(error),
        }
    }
    Ok(())
}

fn framed(out: &Out<'_>) -> serde_json::Result<Vec<u8>> {
    let (json, mut bytes) = (serde_json::to_vec(out)?, Vec::new());
    frame::plain(&mut bytes, frame::TEXT, &json);
    Ok(bytes)
}
