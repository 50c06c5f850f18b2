//! Batches of a durable consumer: waits for one event, lets others gather, then takes all there are in one go. An
//! open request for many would be answered event by event as they are stored, and each costs both sides a wake-up.

use std::time::Duration;

use natter_nats::{
    async_nats::jetstream::{Context, Message},
    pull::{Pull, PullError, PullRequest},
};
use natter_schemas::{event::Timestamp, limits};
use tokio::time::{Instant, sleep_until};

use super::batch_timer::{BatchTimer, Gathered};

/// A wait for an event that brought none ends and is requested again.
const EXPIRES: Duration = Duration::from_secs(5);

pub struct Batches {
    pull: Pull,
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

impl Batches {
    pub async fn open(
        js: &Context,
        stream: &str,
        consumer: &str,
        pace: BatchTimer,
    ) -> Result<Self, PullError> {
        let pull = Pull::open(js, stream, consumer).await?;
        Ok(Self { pull, events: Vec::new(), stage: Stage::Waiting(None), pace })
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
                    self.pull.request(PullRequest { batch: rest, expires: None }).await?;
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
            if !self.pull.is_requested() {
                self.pull.request(PullRequest { batch: 1, expires: Some(EXPIRES) }).await?;
            }
            self.events.extend(self.pull.receive().await?);
        }
        Ok(())
    }

    async fn take_all(&mut self) -> Result<(), PullError> {
        while self.pull.is_requested() {
            match self.pull.receive().await {
                Ok(event) => self.events.extend(event),
                // What has come is worked on; the pull fails again when there is nothing else to do.
                Err(_) if !self.events.is_empty() => break,
                Err(error) => return Err(error),
            }
        }
        Ok(())
    }

    /// Events that wait at the server.
    pub async fn waiting(&self) -> Result<u64, PullError> {
        self.pull.waiting().await
    }

    /// Unsubscribes; what the server had sent until then.
    pub async fn close(mut self) -> Vec<Message> {
        let mut events = std::mem::take(&mut self.events);
        events.extend(self.pull.close().await);
        events
    }
}
