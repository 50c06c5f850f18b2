//! The place at the head of one partition's log: one worker has it, others stand by. The server pins the durable
//! consumer to the first to be given an event, and to nobody else while that one keeps asking (ADR-42).
//! async-nats pulls from such a consumer too, but hides the loss of the pin; here it must end at once.

use std::time::Duration;

use futures_util::{StreamExt, future::join_all};
use natter_nats::{
    async_nats::{
        HeaderMap, Message as Raw, PublishError, StatusCode, Subject, SubscribeError, Subscriber,
        header::NATS_PIN_ID,
        jetstream::{AckKind, Context, Message, response::Response},
    },
    subject,
    topology::MIRROR,
};
use natter_schemas::limits;
use serde::{Serialize, de::IgnoredAny};
use tokio::time::{Instant, timeout, timeout_at};
use tracing::debug;

/// A pull ends, and the next one renews the pin: twice within `topology::PIN`.
const EXPIRES: Duration = Duration::from_secs(4);
const HEARTBEAT: Duration = Duration::from_secs(1);
/// Two heartbeats missed and a little more. With [`EXPIRES`] it leaves more than 3 s of the pin to tidy up.
const SILENCE: Duration = Duration::from_millis(2_500);
/// What was under way when the consumer was given up.
const REST: Duration = Duration::from_secs(1);

#[derive(Debug, thiserror::Error)]
pub enum PinnedConsumerError {
    #[error("no inbox: {0}")]
    Subscribe(#[from] SubscribeError),
    #[error("not asked: {0}")]
    Ask(#[from] PublishError),
    #[error("the server ended it: {0}")]
    RpcError(String),
    #[error("neither events nor heartbeats within {SILENCE:?}")]
    Silent,
    #[error("the connection is closed")]
    Closed,
    /// Somebody else may have the place already.
    #[error("the pin is another's")]
    Lost,
}

/// ADR-37's pull request, in nanoseconds.
#[derive(Serialize)]
struct Ask<'a> {
    batch: usize,
    expires: u128,
    idle_heartbeat: u128,
    group: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    id: Option<&'a str>,
}

pub struct PinnedConsumer {
    js: Context,
    stream: String,
    inbox: Subject,
    answers: Subscriber,
    /// Events the server may still send of those asked for; 0: to be asked anew.
    open: usize,
    pin: Option<String>,
    /// The last sign of life.
    heard: Instant,
}

impl PinnedConsumer {
    /// Asks for the place; whoever hears the first event has it.
    pub async fn open(js: &Context, stream: String) -> Result<Self, PinnedConsumerError> {
        let inbox = Subject::from(js.client().new_inbox());
        let answers = js.client().subscribe(inbox.clone()).await?;
        let heard = Instant::now();
        Ok(Self { js: js.clone(), stream, inbox, answers, open: 0, pin: None, heard })
    }

    /// The next event, which comes only to whoever has the place. Has to be waited for again and again: that
    /// keeps it. Nothing is lost if it is not waited for to the end.
    pub async fn next(&mut self) -> Result<Message, PinnedConsumerError> {
        loop {
            self.ask().await?;
            let answer = timeout_at(self.heard + SILENCE, self.answers.next()).await;
            let raw = answer.map_err(|_| PinnedConsumerError::Silent)?.ok_or(PinnedConsumerError::Closed)?;
            self.heard = Instant::now();
            if let Some(event) = self.take(raw)? {
                return Ok(event);
            }
        }
    }

    async fn ask(&mut self) -> Result<(), PinnedConsumerError> {
        if self.open > 0 {
            return Ok(());
        }
        let ask = Ask {
            batch: limits::MIRROR_IN_FLIGHT,
            expires: EXPIRES.as_nanos(),
            idle_heartbeat: HEARTBEAT.as_nanos(),
            group: MIRROR,
            id: self.pin.as_deref(),
        };
        let ask = serde_json::to_vec(&ask).map_err(|e| PinnedConsumerError::RpcError(e.to_string()))?;
        let subject = subject::pull(&self.stream, MIRROR);
        self.js.client().publish_with_reply(subject, self.inbox.clone(), ask.into()).await?;
        self.open = limits::MIRROR_IN_FLIGHT;
        // Where an answer was due before, silence counts from then.
        Ok(())
    }

    fn take(&mut self, raw: Raw) -> Result<Option<Message>, PinnedConsumerError> {
        match raw.status {
            None | Some(StatusCode::OK) => {}
            Some(StatusCode::IDLE_HEARTBEAT) => return Ok(None),
            Some(StatusCode::NOT_FOUND | StatusCode::TIMEOUT) => {
                self.open = 0;
                return Ok(None);
            }
            Some(StatusCode::PIN_ID_MISMATCH) => return Err(PinnedConsumerError::Lost),
            Some(status) => {
                let reason = raw.description.unwrap_or_default();
                if !reason.starts_with("Batch Completed") {
                    return Err(PinnedConsumerError::RpcError(format!("{status} {reason}")));
                }
                self.open = 0;
                return Ok(None);
            }
        }
        self.open = self.open.saturating_sub(1);
        let pin = raw.headers.as_ref().and_then(pin);
        if self.pin.is_some() && self.pin != pin {
            return Err(PinnedConsumerError::Lost);
        }
        self.pin = pin;
        Ok(Some(Message { message: raw, context: self.js.clone() }))
    }

    /// Makes room for another worker, and gives back what was not answered, so that it goes there at once.
    pub async fn release(mut self, mut unacked: Vec<Message>) {
        if self.answers.drain().await.is_ok() {
            while let Ok(Some(raw)) = timeout(REST, self.answers.next()).await {
                unacked.extend(self.take(raw).ok().flatten());
            }
        }
        let had_the_place = self.pin.is_some();
        if had_the_place {
            let question = subject::unpin(&self.stream, MIRROR);
            let answer = self.js.request(question, &serde_json::json!({ "group": MIRROR })).await;
            match answer {
                Ok(Response::Ok::<IgnoredAny>(_)) => {}
                // It passes by itself when nobody renews it.
                Ok(Response::Err { error }) => debug!(stream = self.stream, %error, "the pin stays for now"),
                Err(error) => debug!(stream = self.stream, %error, "the pin stays for now"),
            }
        }
        join_all(unacked.iter().map(|message| message.ack_with(AckKind::Nak(None)))).await;
        let _ = self.js.client().flush().await;
    }
}

/// The last one is the server's: headers of a stored message come before it.
fn pin(headers: &HeaderMap) -> Option<String> {
    headers.get_last(NATS_PIN_ID).map(|id| id.as_str().to_owned())
}
