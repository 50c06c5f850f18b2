//! Batches of a durable consumer: waits for one event, lets others gather, then takes all there are in one go. An
//! open request for many would be answered event by event as they are stored, and each costs both sides a wake-up.
//!
//! async-nats has streams for this, but no way to end them without losing sight of what the server has just sent;
//! such events would come back only after the ack wait.

use std::time::Duration;

use futures_util::StreamExt;
use natter_nats::async_nats::{
    Message as Raw, StatusCode, Subject, SubscribeError, Subscriber,
    jetstream::{
        Context, Message,
        consumer::{
            PullConsumer,
            pull::{BatchConfig, BatchRequestError},
        },
        context::ConsumerInfoError,
        stream::ConsumerError,
    },
};
use natter_schemas::{event::Timestamp, limits};
use tokio::time::{Instant, sleep_until, timeout};

use super::batch_timer::{BatchTimer, Gathered};

/// A wait for an event that brought none ends and is asked anew.
const EXPIRES: Duration = Duration::from_secs(5);
const HEARTBEAT: Duration = Duration::from_secs(1);
/// Two heartbeats missed and a little more: the server or the way to it has gone.
const SILENCE: Duration = Duration::from_millis(2_500);
/// What was under way when the pull was closed.
const REST: Duration = Duration::from_secs(1);

#[derive(Debug, thiserror::Error)]
pub enum PullError {
    #[error("the consumer is not there: {0}")]
    Consumer(#[from] ConsumerError),
    #[error("the consumer does not tell its state: {0}")]
    Info(#[from] ConsumerInfoError),
    #[error("no inbox: {0}")]
    Subscribe(#[from] SubscribeError),
    #[error("not asked: {0}")]
    Request(#[from] BatchRequestError),
    #[error("the server ended it: {0}")]
    RpcError(String),
    #[error("neither events nor heartbeats within {SILENCE:?}")]
    Silent,
    #[error("the connection is closed")]
    Closed,
    #[error("nothing came although {0} events wait")]
    Stalled(u64),
}

pub struct Pull {
    js: Context,
    consumer: PullConsumer,
    inbox: Subject,
    answers: Subscriber,
    /// Events the server may still send of those asked for; 0: to be asked anew.
    open: usize,
    /// The batch that gathers.
    events: Vec<Message>,
    stage: Stage,
    pace: BatchTimer,
}

#[derive(Clone, Copy)]
enum Stage {
    /// For the first event, since then; `None`: not yet.
    Waiting(Option<Instant>),
    /// The rest gathers until then.
    Gathering(Instant),
    /// To take everything there is. `None`: what a full batch left behind, which has not gathered by itself.
    Due(Option<Gathered>),
    /// Everything there is was asked for.
    Taking(Option<Gathered>),
}

/// What one message on the inbox says.
enum Part {
    Event(Raw),
    Alive,
    /// The request is over: it expired, or everything asked for was sent.
    Over,
}

impl Pull {
    pub async fn open(
        js: &Context,
        stream: &str,
        consumer: &str,
        pace: BatchTimer,
    ) -> Result<Self, PullError> {
        let consumer = js.get_consumer_from_stream(consumer, stream).await?;
        let inbox = Subject::from(js.client().new_inbox());
        let answers = js.client().subscribe(inbox.clone()).await?;
        Ok(Self {
            js: js.clone(),
            consumer,
            inbox,
            answers,
            open: 0,
            events: Vec::new(),
            stage: Stage::Waiting(None),
            pace,
        })
    }

    /// At least one event, and with it what comes until the batch is due. Nothing is lost if it is not waited for to
    /// the end: the next call goes on where it was.
    pub async fn next(&mut self) -> Result<Vec<Message>, PullError> {
        loop {
            self.stage = match self.stage {
                Stage::Waiting(None) => Stage::Waiting(Some(Instant::now())),
                Stage::Waiting(Some(since)) => {
                    self.wait_for_one().await?;
                    let rest = self.pace.begin(since.elapsed(), Timestamp::now());
                    Stage::Gathering(Instant::now() + rest)
                }
                Stage::Gathering(until) => {
                    sleep_until(until).await;
                    Stage::Due(Some(self.pace.end()))
                }
                Stage::Due(gathered) => {
                    let rest = limits::PERSIST_BATCH.saturating_sub(self.events.len());
                    self.request(BatchConfig { batch: rest, no_wait: true, ..BatchConfig::default() })
                        .await?;
                    Stage::Taking(gathered)
                }
                Stage::Taking(gathered) => {
                    self.take_all().await?;
                    if let Some(gathered) = gathered {
                        self.pace.learn(self.events.len(), gathered);
                    }
                    // A full batch has more behind it, which has gathered already.
                    let full = self.events.len() >= limits::PERSIST_BATCH;
                    self.stage = if full { Stage::Due(None) } else { Stage::Waiting(None) };
                    if !self.events.is_empty() {
                        return Ok(std::mem::take(&mut self.events));
                    }
                    Stage::Waiting(None)
                }
            }
        }
    }

    async fn wait_for_one(&mut self) -> Result<(), PullError> {
        while self.events.is_empty() {
            if self.open == 0 {
                let wait = BatchConfig { batch: 1, expires: Some(EXPIRES), ..BatchConfig::default() };
                self.request(BatchConfig { idle_heartbeat: HEARTBEAT, ..wait }).await?;
            }
            self.hear().await?;
        }
        Ok(())
    }

    async fn take_all(&mut self) -> Result<(), PullError> {
        while self.open > 0 {
            match self.hear().await {
                Ok(()) => {}
                // What has come is worked on; the fault shows again when there is nothing else to do.
                Err(_) if !self.events.is_empty() => self.open = 0,
                Err(fault) => return Err(fault),
            }
        }
        Ok(())
    }

    async fn hear(&mut self) -> Result<(), PullError> {
        let raw = timeout(SILENCE, self.answers.next()).await.map_err(|_| PullError::Silent)?;
        let event = self.take(raw.ok_or(PullError::Closed)?)?;
        self.events.extend(event);
        Ok(())
    }

    /// Events that wait at the server.
    pub async fn waiting(&self) -> Result<u64, PullError> {
        Ok(self.consumer.get_info().await?.num_pending)
    }

    /// Unsubscribes; what the server had sent until then.
    pub async fn close(mut self) -> Vec<Message> {
        let mut events = std::mem::take(&mut self.events);
        if self.answers.drain().await.is_ok() {
            while let Ok(Some(raw)) = timeout(REST, self.answers.next()).await {
                events.extend(self.take(raw).ok().flatten());
            }
        }
        events
    }

    async fn request(&mut self, config: BatchConfig) -> Result<(), PullError> {
        let batch = config.batch;
        self.consumer.request_batch(config, self.inbox.clone()).await?;
        self.open = batch;
        Ok(())
    }

    fn take(&mut self, raw: Raw) -> Result<Option<Message>, PullError> {
        match part(raw)? {
            Part::Event(message) => {
                self.open = self.open.saturating_sub(1);
                return Ok(Some(Message { message, context: self.js.clone() }));
            }
            Part::Over => self.open = 0,
            Part::Alive => {}
        }
        Ok(None)
    }
}

fn part(raw: Raw) -> Result<Part, PullError> {
    match raw.status {
        None | Some(StatusCode::OK) => Ok(Part::Event(raw)),
        Some(StatusCode::IDLE_HEARTBEAT) => Ok(Part::Alive),
        Some(StatusCode::NOT_FOUND | StatusCode::TIMEOUT) => Ok(Part::Over),
        Some(status) => {
            let reason = raw.description.unwrap_or_default();
            // 409 is many things; only this one is in order.
            if reason.starts_with("Batch Completed") { Ok(Part::Over) } else { Err(refused(status, &reason)) }
        }
    }
}

fn refused(status: StatusCode, reason: &str) -> PullError {
    PullError::RpcError(format!("{status} {reason}"))
}
