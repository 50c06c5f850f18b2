//! A stream as one file, taken while it is written to, and put back under the same seqs (JetStream's snapshot API).
//! The file is what nats-server sends: a compressed archive whose format is its own.

use std::time::Duration;

use async_nats::{Client, Request, StatusCode};
use bytes::Bytes;
use futures_util::StreamExt;
use serde_json::{Value, json};
use tokio::{
    io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt},
    time::timeout,
};

/// Of the archive, a message.
const CHUNK: usize = 128 * 1024;
/// Without a chunk for so long the server is taken for gone: before the first it reads the stream once.
const SILENCE: Duration = Duration::from_mins(1);
/// For an answer. One to a user who may not ask does not come.
const ANSWER: Duration = Duration::from_secs(10);
/// For that to the end of a file: the server recovers the stream.
const RECOVERY: Duration = Duration::from_mins(2);

/// Why a stream was not saved or put back.
#[derive(Debug, thiserror::Error)]
pub enum SnapshotError {
    /// The server's own reason.
    #[error("{0}")]
    Refused(String),
    /// May succeed when repeated.
    #[error("JetStream does not answer: {0}")]
    Unavailable(String),
    /// Of the file.
    #[error(transparent)]
    File(#[from] std::io::Error),
}

/// Config and state of a stream, as the server reports them: what it wants to know when the stream is put back.
pub type Described = Value;

/// Whether a stream of this name is there, and if so, whether it is the one that was saved: it begins with the same message,
/// and reaches as far.
pub async fn is_there(client: &Client, saved: &Described) -> Result<Option<bool>, SnapshotError> {
    let name = saved["config"]["name"].as_str().unwrap_or_default();
    let answer = ask(client, format!("$JS.API.STREAM.INFO.{name}"), Bytes::new(), ANSWER).await?;
    if answer["error"]["code"] == 404 {
        return Ok(None);
    }
    let (found, saved) = (&accepted(answer)?["state"], &saved["state"]);
    // The first seq of an empty stream is 0 or 1.
    Ok(Some(
        found["first_ts"] == saved["first_ts"] && found["last_seq"].as_u64() >= saved["last_seq"].as_u64(),
    ))
}

/// Writes the stream as it is now. Its consumers are left out. The server checks each message on the way.
pub async fn save(
    client: &Client,
    stream: &str,
    mut to: impl AsyncWrite + Unpin,
) -> Result<Described, SnapshotError> {
    let inbox = client.new_inbox();
    let mut chunks = client.subscribe(inbox.clone()).await.map_err(unavailable)?;
    let wanted = json!({ "deliver_subject": inbox, "no_consumers": true, "jsck": true, "chunk_size": CHUNK });
    let answer =
        ask(client, format!("$JS.API.STREAM.SNAPSHOT.{stream}"), wanted.to_string().into(), ANSWER).await?;
    let described = accepted(answer)?;
    loop {
        let next = timeout(SILENCE, chunks.next()).await.map_err(unavailable)?;
        let chunk = next.ok_or_else(|| SnapshotError::Unavailable("the connection is closed".to_owned()))?;
        if chunk.payload.is_empty() {
            if chunk.status.is_some_and(|status| status != StatusCode::OK && status.as_u16() != 204) {
                return Err(SnapshotError::Refused(chunk.description.unwrap_or_default()));
            }
            to.flush().await?;
            return Ok(json!({ "config": described["config"], "state": described["state"] }));
        }
        to.write_all(&chunk.payload).await?;
        // The server sends no more than a window of what is not acknowledged.
        if let Some(reply) = chunk.reply {
            #[expect(clippy::disallowed_methods, reason = "to the server, and empty")]
            client.publish(reply, Bytes::new()).await.map_err(unavailable)?;
        }
    }
}

/// Makes the stream from what [`save`] wrote. There must be none of its name.
pub async fn put_back(
    client: &Client,
    described: &Described,
    mut from: impl AsyncRead + Unpin,
) -> Result<(), SnapshotError> {
    let name = described["config"]["name"].as_str().unwrap_or_default();
    let subject = format!("$JS.API.STREAM.RESTORE.{name}");
    let answer = accepted(ask(client, subject, described.to_string().into(), ANSWER).await?)?;
    let to = answer["deliver_subject"].as_str().unwrap_or_default().to_owned();
    let mut chunk = vec![0; CHUNK];
    loop {
        let length = from.read(&mut chunk).await?;
        // The empty one is the end, and its answer is the stream's.
        let answer = ask(client, to.clone(), Bytes::copy_from_slice(&chunk[..length]), RECOVERY).await?;
        accepted(answer)?;
        if length == 0 {
            return Ok(());
        }
    }
}

async fn ask(
    client: &Client,
    subject: String,
    payload: Bytes,
    patience: Duration,
) -> Result<Value, SnapshotError> {
    let request = Request::new().payload(payload).timeout(Some(patience));
    let answer = client.send_request(subject, request).await.map_err(unavailable)?;
    if answer.payload.is_empty() {
        return Ok(Value::Null);
    }
    serde_json::from_slice(&answer.payload).map_err(unavailable)
}

fn accepted(answer: Value) -> Result<Value, SnapshotError> {
    match answer.get("error") {
        Some(error) => {
            let why = error["description"].as_str().map_or_else(|| error.to_string(), str::to_owned);
            Err(SnapshotError::Refused(why))
        }
        None => Ok(answer),
    }
}

fn unavailable(error: impl std::fmt::Display) -> SnapshotError {
    SnapshotError::Unavailable(error.to_string())
}
