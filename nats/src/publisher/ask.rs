//! One question to the servers, answered in JSON.

use std::time::Duration;

use async_nats::{Client, Request};
use serde_json::Value;
use tokio::time::timeout;

/// `None` without an answer that can be read.
pub async fn ask(client: &Client, subject: String, request: Request, patience: Duration) -> Option<Value> {
    let request = request.timeout(None);
    let answer = timeout(patience, client.send_request(subject, request)).await.ok()?.ok()?;
    serde_json::from_slice(&answer.payload).ok()
}

/// What is known of a stream, by its name.
pub async fn stream_info(client: &Client, stream: &str, patience: Duration) -> Option<Value> {
    ask(client, format!("$JS.API.STREAM.INFO.{stream}"), Request::new(), patience).await
}
