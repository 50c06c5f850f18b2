//! What processes send each other over NATS besides events of the log, whose first byte is their version: postcard, with a
//! header that says which versions the sender understands. It is set and read here, for calls and answers by their
//! service. Nothing else publishes (`clippy.toml`), so nothing leaves without it.

use async_nats::{Client, HeaderMap, Message, PublishError};
use bytes::Bytes;
use serde::{Serialize, de::DeserializeOwned};

use crate::{neighbors::Neighbors, subject};

/// What is sent, as bytes.
pub fn encode(content: &impl Serialize) -> Bytes {
    postcard::to_allocvec(content)
        .expect("postcard into a Vec fails only for lengths unknown up front")
        .into()
}

/// Publishes it to whoever listens now.
///
/// # Errors
/// The connection is closed.
pub async fn send(client: &Client, subject: String, content: &impl Serialize) -> Result<(), PublishError> {
    let headers = headers(&subject);
    #[expect(clippy::disallowed_methods, reason = "its headers are of this file")]
    client.publish_with_headers(subject, headers, encode(content)).await
}

/// What every message to this subject begins its headers with.
pub(crate) fn headers(subject: &str) -> HeaderMap {
    let mut headers = HeaderMap::new();
    if !subject.starts_with(subject::CONV) {
        Neighbors::default().mark(&mut headers);
    }
    headers
}

/// What a message says cannot be known.
#[derive(Debug, thiserror::Error)]
pub enum NotUnderstood {
    /// Of its process and this one, neither knows the other's.
    #[error("its process is of a version that is too far from this one")]
    Version,
    /// They are of something else.
    #[error("its bytes: {0}")]
    Bytes(#[from] postcard::Error),
}

/// Reads messages of one kind.
pub struct Reader {
    kind: &'static str,
    neighbors: Neighbors,
}

impl Reader {
    /// Of what is called so in the log.
    pub fn new(kind: &'static str) -> Self {
        Self { kind, neighbors: Neighbors::default() }
    }

    /// Its content, if this version can know it.
    pub fn read<T: DeserializeOwned>(&self, message: &Message) -> Result<T, NotUnderstood> {
        self.read_parts(message.headers.as_ref(), &message.payload)
    }

    /// The same of one that was read back.
    pub(crate) fn read_parts<T: DeserializeOwned>(
        &self,
        headers: Option<&HeaderMap>,
        payload: &[u8],
    ) -> Result<T, NotUnderstood> {
        self.neighbors.check(self.kind, headers).map_err(|_| NotUnderstood::Version)?;
        Ok(postcard::from_bytes(payload)?)
    }
}
