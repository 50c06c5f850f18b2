//! One Direct Get request and its answers (ADR-31). async-nats has the single form only.

use std::time::Duration;

use async_nats::{HeaderMap, Message, StatusCode, Subscriber, jetstream::Context};
use bytes::Bytes;
use futures_util::StreamExt;
use natter_schemas::id::Seq;
use serde::Serialize;
use tokio::time::timeout;

use super::{LogError, passing};
use crate::{header, live::number};

/// From one message of an answer to the next. A server that restarts loses the rest of an answer.
const SILENCE: Duration = Duration::from_secs(2);

/// The fields ADR-31 names. `batch` asks for an answer of several messages with an end mark.
#[derive(Debug, Default, Serialize)]
pub struct Query<'a> {
    #[serde(skip_serializing_if = "Option::is_none")]
    pub seq: Option<Seq>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub next_by_subj: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub last_by_subj: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub multi_last: Option<&'a [String]>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub up_to_seq: Option<Seq>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub batch: Option<usize>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub max_bytes: Option<usize>,
}

/// A message as a copy of the stream has it.
pub struct DirectMessage {
    pub seq: Seq,
    pub subject: String,
    pub headers: HeaderMap,
    pub payload: Bytes,
}

pub struct Answer {
    pub messages: Vec<DirectMessage>,
    /// More messages match, above the last one sent.
    pub pending: u64,
    /// With `multi_last`: the seq the answer is as of.
    pub up_to: Option<Seq>,
}

enum Part {
    Message(DirectMessage),
    End { pending: u64, up_to: Option<Seq> },
}

pub async fn get(js: &Context, stream: &str, query: &Query<'_>) -> Result<Answer, LogError> {
    passing::outlast(|| get_once(js, stream, query)).await
}

async fn get_once(js: &Context, stream: &str, query: &Query<'_>) -> Result<Answer, LogError> {
    let client = js.client();
    let inbox = client.new_inbox();
    let unavailable = |error: &dyn std::fmt::Display| LogError::Unavailable(error.to_string());
    let question = serde_json::to_vec(query).expect("numbers and strings always become JSON");
    let mut answers = client.subscribe(inbox.clone()).await.map_err(|e| unavailable(&e))?;
    client
        .publish_with_reply(format!("$JS.API.DIRECT.GET.{stream}"), inbox, question.into())
        .await
        .map_err(|e| unavailable(&e))?;
    let answer = collect(&mut answers, query.batch.is_some()).await;
    // Dropping would do, but only if there is room in the client's queue at that moment.
    let _ = answers.unsubscribe().await;
    answer
}

async fn collect(answers: &mut Subscriber, batch: bool) -> Result<Answer, LogError> {
    let mut messages = Vec::new();
    loop {
        let message = timeout(SILENCE, answers.next())
            .await
            .map_err(|_| LogError::Unavailable("no answer in time".to_owned()))?
            .ok_or_else(|| LogError::Unavailable("the connection is closed".to_owned()))?;
        match read(message)? {
            Part::Message(message) => messages.push(message),
            Part::End { pending, up_to } => return Ok(Answer { messages, pending, up_to }),
        }
        if !batch {
            return Ok(Answer { messages, pending: 0, up_to: None });
        }
    }
}

fn read(message: Message) -> Result<Part, LogError> {
    let headers = message.headers.unwrap_or_default();
    match message.status {
        // Neither the seq nor the subject is in the log.
        Some(StatusCode::NOT_FOUND) => return Ok(Part::End { pending: 0, up_to: None }),
        Some(StatusCode::NO_RESPONDERS) => {
            return Err(LogError::Unavailable("the stream is missing or has no leader".to_owned()));
        }
        Some(status) if status.as_u16() == END_OF_BATCH => {
            return Ok(Part::End {
                pending: number(&headers, header::NUM_PENDING).unwrap_or(0),
                up_to: number(&headers, header::UP_TO_SEQUENCE),
            });
        }
        Some(status) => {
            let description = message.description.unwrap_or_default();
            let reason = format!("{status} {description}");
            return Err(match status.as_u16() {
                503 => LogError::NotYet(reason),
                429 => LogError::Unavailable(reason),
                _ => LogError::Rejected(reason),
            });
        }
        None => {}
    }
    let seq = number(&headers, header::SEQUENCE);
    let subject = headers.get(header::SUBJECT).map(|s| s.as_str().to_owned());
    match (seq, subject) {
        (Some(seq), Some(subject)) => {
            Ok(Part::Message(DirectMessage { seq, subject, headers, payload: message.payload }))
        }
        _ => Err(LogError::Rejected("a message without its position".to_owned())),
    }
}

/// `204 EOB`.
const END_OF_BATCH: u16 = 204;
