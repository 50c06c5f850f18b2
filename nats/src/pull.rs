//! JetStream's pull protocol (ADR-37), for every durable consumer: a request for so many events, and on one inbox
//! the events, heartbeats and the end of the request. With a group, the consumer serves one *pinned* client at a
//! time and the others stand by (ADR-42).
//!
//! async-nats has streams for this, but they hide two things that matter here: what the server sent while a stream
//! was ended, which would come back only after the ack wait, and the loss of the pin, after which nothing may be
//! written any more.

use std::time::Duration;

use async_nats::{
    HeaderMap, Message as Raw, PublishError, StatusCode, Subject, SubscribeError, Subscriber,
    header::NATS_PIN_ID,
    jetstream::{
        Context, Message, consumer::pull::Config as PullConfig, response::Response, stream::ConsumerError,
    },
};
use futures_util::StreamExt;
use serde::{Serialize, de::IgnoredAny};
use tokio::time::{Instant, timeout, timeout_at};
use tracing::debug;

use crate::subject;

/// How often the server reports that a request which waits is alive.
const HEARTBEAT: Duration = Duration::from_secs(1);
/// Two heartbeats missed and a little more: the server or the way to it has gone.
const SILENCE: Duration = Duration::from_millis(2_500);
/// For what was under way when a pull is closed.
const DRAIN: Duration = Duration::from_secs(1);

/// Why a pull has ended: another one has to be opened.
#[derive(Debug, thiserror::Error)]
pub enum PullError {
    /// Not provisioned, or no leader at the moment.
    #[error("the consumer is not there: {0}")]
    Consumer(#[from] ConsumerError),
    /// The answers cannot be received.
    #[error("no inbox: {0}")]
    Subscribe(#[from] SubscribeError),
    /// The request cannot be sent.
    #[error("not requested: {0}")]
    Request(#[from] PublishError),
    /// Status and description as the server gives them.
    #[error("the server ended it: {0}")]
    Ended(String),
    /// The connection may still look alive.
    #[error("neither events nor heartbeats within {SILENCE:?}")]
    Silent,
    /// By this process.
    #[error("the connection is closed")]
    Closed,
    /// Another client may be pinned already, so nothing may be done with the events of this one.
    #[error("the pin is another client's")]
    PinLost,
}

/// One request for events.
#[derive(Debug, Clone, Copy)]
pub struct PullRequest {
    /// At most so many.
    pub batch: usize,
    /// How long the request waits for them; `None`: only those that are there.
    pub expires: Option<Duration>,
}

/// ADR-37's request; durations are in nanoseconds.
#[derive(Serialize)]
struct RequestBody<'a> {
    batch: usize,
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    no_wait: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    expires: Option<u128>,
    #[serde(skip_serializing_if = "Option::is_none")]
    idle_heartbeat: Option<u128>,
    #[serde(skip_serializing_if = "Option::is_none")]
    group: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    id: Option<&'a str>,
}

/// What one message on the inbox is.
enum Part {
    Event(Raw),
    Heartbeat,
    /// The request expired, or everything requested was sent.
    Over,
}

/// A subscription to what a durable consumer sends.
pub struct Pull {
    js: Context,
    stream: String,
    consumer: String,
    inbox: Subject,
    answers: Subscriber,
    /// Events the server may still send of those requested.
    open: usize,
    /// Where there is one client at a time: their group, and the pin once this client has it.
    group: Option<String>,
    pin: Option<String>,
    /// The last sign of life of the server.
    last_received: Instant,
}

impl Pull {
    /// Every event goes to one of those who pull.
    ///
    /// # Errors
    /// [`PullError::Consumer`] or [`PullError::Subscribe`].
    pub async fn open(js: &Context, stream: &str, consumer: &str) -> Result<Self, PullError> {
        // Without a consumer no one would answer, and the pull would end as if the server were silent.
        js.get_consumer_from_stream::<PullConfig, _, _>(consumer, stream).await?;
        Self::subscribe(js, stream, consumer, None).await
    }

    /// Events go to one client of the group, the first that is given one, as long as it keeps requesting.
    ///
    /// # Errors
    /// [`PullError::Subscribe`].
    pub async fn open_pinned(
        js: &Context,
        stream: &str,
        consumer: &str,
        group: &str,
    ) -> Result<Self, PullError> {
        Self::subscribe(js, stream, consumer, Some(group.to_owned())).await
    }

    async fn subscribe(
        js: &Context,
        stream: &str,
        consumer: &str,
        group: Option<String>,
    ) -> Result<Self, PullError> {
        let inbox = Subject::from(js.client().new_inbox());
        let answers = js.client().subscribe(inbox.clone()).await?;
        Ok(Self {
            js: js.clone(),
            stream: stream.to_owned(),
            consumer: consumer.to_owned(),
            inbox,
            answers,
            open: 0,
            group,
            pin: None,
            last_received: Instant::now(),
        })
    }

    /// Whether the server may still send events of the last request.
    #[must_use]
    pub const fn is_requested(&self) -> bool {
        self.open > 0
    }

    /// Whether this client was the pinned one when it last received an event.
    #[must_use]
    pub const fn is_pinned(&self) -> bool {
        self.pin.is_some()
    }

    /// Requests events; for [`Pull::receive`] to be called until [`Pull::is_requested`] is false.
    ///
    /// # Errors
    /// [`PullError::Request`].
    pub async fn request(&mut self, request: PullRequest) -> Result<(), PullError> {
        let body = RequestBody {
            batch: request.batch,
            no_wait: request.expires.is_none(),
            expires: request.expires.map(|expires| expires.as_nanos()),
            idle_heartbeat: request.expires.map(|_| HEARTBEAT.as_nanos()),
            group: self.group.as_deref(),
            id: self.pin.as_deref(),
        };
        let body = serde_json::to_vec(&body).expect("numbers and strings always become JSON");
        let subject = subject::pull(&self.stream, &self.consumer);
        self.js.client().publish_with_reply(subject, self.inbox.clone(), body.into()).await?;
        self.open = request.batch;
        // A pin lapses at the server by the time since it received the last request, so for a pinned client silence
        // counts on over requests: its writer must have ended before another client is pinned.
        if self.group.is_none() {
            self.last_received = Instant::now();
        }
        Ok(())
    }

    /// An event, or `None` for a heartbeat or the end of the request. Cancel-safe.
    ///
    /// # Errors
    /// Whatever ends the pull, and the request with it: see [`PullError`].
    pub async fn receive(&mut self) -> Result<Option<Message>, PullError> {
        self.receive_part().await.inspect_err(|_| self.open = 0)
    }

    async fn receive_part(&mut self) -> Result<Option<Message>, PullError> {
        let answer = timeout_at(self.last_received + SILENCE, self.answers.next()).await;
        let raw = answer.map_err(|_| PullError::Silent)?.ok_or(PullError::Closed)?;
        self.last_received = Instant::now();
        self.take(raw)
    }

    /// Events that wait at the server and were not sent to anyone. Asks the server for the consumer's state, which
    /// costs it: to be called rarely.
    ///
    /// # Errors
    /// [`PullError::Consumer`].
    pub async fn waiting(&self) -> Result<u64, PullError> {
        let consumer =
            self.js.get_consumer_from_stream::<PullConfig, _, _>(&self.consumer, &self.stream).await?;
        Ok(consumer.cached_info().num_pending)
    }

    /// Requests nothing more and unsubscribes. Returns the events the server had sent until then, so that they can be
    /// given back at once.
    pub async fn close(&mut self) -> Vec<Message> {
        let mut events = Vec::new();
        if self.answers.drain().await.is_ok() {
            while let Ok(Some(raw)) = timeout(DRAIN, self.answers.next()).await {
                events.extend(self.take(raw).ok().flatten());
            }
        }
        events
    }

    /// Gives the pin back, if this client has it; otherwise, or if the server does not answer, it lapses by itself.
    pub async fn unpin(&self) {
        let Some(group) = self.group.as_ref().filter(|_| self.is_pinned()) else { return };
        let request = subject::unpin(&self.stream, &self.consumer);
        let answer = self.js.request(request, &serde_json::json!({ "group": group })).await;
        let error = match answer {
            Ok(Response::Ok::<IgnoredAny>(_)) => return,
            Ok(Response::Err { error }) => error.to_string(),
            Err(error) => error.to_string(),
        };
        debug!(
            stream = self.stream,
            consumer = self.consumer,
            error,
            "pin not given back; it lapses by itself"
        );
    }

    fn take(&mut self, raw: Raw) -> Result<Option<Message>, PullError> {
        let message = match part(raw)? {
            Part::Event(message) => message,
            Part::Over => {
                self.open = 0;
                return Ok(None);
            }
            Part::Heartbeat => return Ok(None),
        };
        self.open = self.open.saturating_sub(1);
        if self.group.is_some() {
            let pin = message.headers.as_ref().and_then(pin_of);
            if self.pin.is_some() && self.pin != pin {
                return Err(PullError::PinLost);
            }
            self.pin = pin;
        }
        Ok(Some(Message { message, context: self.js.clone() }))
    }
}

fn part(raw: Raw) -> Result<Part, PullError> {
    match raw.status {
        None | Some(StatusCode::OK) => Ok(Part::Event(raw)),
        Some(StatusCode::IDLE_HEARTBEAT) => Ok(Part::Heartbeat),
        Some(StatusCode::NOT_FOUND | StatusCode::TIMEOUT) => Ok(Part::Over),
        Some(StatusCode::PIN_ID_MISMATCH) => Err(PullError::PinLost),
        Some(status) => {
            let reason = raw.description.unwrap_or_default();
            // 409 has many meanings; only this one is no failure.
            if reason.starts_with("Batch Completed") {
                Ok(Part::Over)
            } else {
                Err(PullError::Ended(format!("{status} {reason}")))
            }
        }
    }
}

/// The last one is the server's: headers of a stored message come before it.
fn pin_of(headers: &HeaderMap) -> Option<String> {
    headers.get_last(NATS_PIN_ID).map(|id| id.as_str().to_owned())
}
