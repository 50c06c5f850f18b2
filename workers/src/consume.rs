//! The one pull loop. Arrives: batches of a durable pull consumer. Leaves: an ack, a delayed nak or a parked
//! copy for each event, as the job decided. Fails: never; it follows again, after a pause.

mod batch_timer; // how long a batch gathers
mod log_end; // whether it is the log that was followed before
mod pull; // batches of a durable consumer, and an orderly end

use std::{collections::BTreeMap, future::Future, panic::AssertUnwindSafe, time::Duration};

use bytes::Bytes;
use futures_util::{FutureExt, future::join_all};
use metrics::{counter, gauge, histogram};
use natter_nats::{
    async_nats::jetstream::{self, AckKind, Message},
    clock::LogClock,
    event_log::of_partition,
    header,
    log::StoredMessage,
    pull::PullError,
    subject,
};
use natter_schemas::{
    backoff::Backoff,
    decision::Proof,
    event::Timestamp,
    id::{Partition, Seq},
    trace_context::TraceContext,
};
use natter_spans::{Span, within};
use tokio::time::{Instant, interval_at, sleep};
use tokio_util::sync::CancellationToken;
use tracing::{debug, error, warn};

use crate::park_publisher::ParkPublisher;
use batch_timer::BatchTimer;
use log_end::{LogEnd, NotTheSame};
use pull::Batches;

/// Silence this long while events are waiting means that the pull is lost; a batch this long in work is reported
/// to the server, so that no other worker gets it too.
const STALL: Duration = Duration::from_secs(10);
const BACKOFF_MIN: Duration = Duration::from_millis(100);
/// Well below the consumer's ack wait: what is buffered here meanwhile is not delivered a second time.
const BACKOFF_MAX: Duration = Duration::from_secs(5);

/// Why the consumer has to be followed again.
#[derive(Debug, thiserror::Error)]
enum Interrupted {
    #[error(transparent)]
    Pull(#[from] PullError),
    #[error(transparent)]
    Log(#[from] NotTheSame),
    #[error("no event came although {0} wait")]
    Stalled(u64),
}

/// What becomes of one event.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Outcome {
    Done,
    /// Again later: nothing is wrong with the event.
    Retry,
    /// It will never work; the reason goes with it.
    Park(String),
}

impl Outcome {
    const fn name(&self) -> &'static str {
        match self {
            Self::Done => "done",
            Self::Retry => "retry",
            Self::Park(_) => "park",
        }
    }
}

/// An event as a job sees it: without a way to ack it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Delivery {
    pub subject: String,
    pub seq: Seq,
    pub payload: Bytes,
    /// That a worker decided it.
    pub proof: Option<Proof>,
    /// The span that published it.
    pub origin: Option<TraceContext>,
}

impl From<StoredMessage> for Delivery {
    fn from(StoredMessage { seq, subject, headers, payload }: StoredMessage) -> Self {
        let (proof, origin) = (header::proof(Some(&headers)), header::trace_context(Some(&headers)));
        Self { subject, seq, payload, proof, origin }
    }
}

/// A job: decides about each event of a batch, in the order given.
pub trait BatchJob: Send + Sync + 'static {
    const NAME: &'static str;
    fn batch(&self, batch: &[Delivery]) -> impl Future<Output = Vec<Outcome>> + Send;
}

/// One consumer of one partition's log, and the job that works on it.
pub struct ConsumeLoop<W> {
    pub work: W,
    pub partition: Partition,
    pub stream: String,
    pub consumer: String,
    pub js: jetstream::Context,
    pub park: ParkPublisher,
    pub clock: LogClock,
}

impl<W: BatchJob> ConsumeLoop<W> {
    /// Ends at `stop`, after the batch under way.
    pub async fn run(self, stop: CancellationToken) {
        let (mut backoff, mut end) = (backoff(), LogEnd::default());
        while !stop.is_cancelled() {
            let Err(reason) = self.follow(&stop, &mut backoff, &mut end).await else { return };
            counter!("natter_consume_interrupted_total", "consumer" => W::NAME).increment(1);
            warn!(job = W::NAME, partition = %self.partition, %reason, "consumer lost; opening it again after a pause");
            wait(backoff.next_delay(), &stop).await;
        }
    }

    async fn follow(
        &self,
        stop: &CancellationToken,
        backoff: &mut Backoff,
        end: &mut LogEnd,
    ) -> Result<(), Interrupted> {
        let mut batches =
            Batches::open(&self.js, &self.stream, &self.consumer, BatchTimer::of(self.partition)).await?;
        loop {
            tokio::select! {
                biased;
                () = stop.cancelled() => {
                    give_back(&batches.close().await).await;
                    // The last acks leave before the process may.
                    let _ = self.js.client().flush().await;
                    return Ok(());
                }
                messages = batches.next() => {
                    let messages = messages?;
                    end.check(&self.js, &self.stream).await?;
                    end.reach(self.handle(messages, stop, backoff).await);
                }
                () = sleep(STALL) => match batches.waiting().await? {
                    // Another worker may have taken what waited behind the last batch of this one.
                    0 => {
                        self.report_waiting(0);
                        self.report_oldest(Duration::ZERO);
                    }
                    waiting => return Err(Interrupted::Stalled(waiting)),
                },
            }
        }
    }

    /// Returns how far it was done. A batch of which nothing worked is followed by a pause: whatever it needs is away.
    async fn handle(&self, messages: Vec<Message>, stop: &CancellationToken, backoff: &mut Backoff) -> Seq {
        let batch: Vec<Delivery> = messages.iter().filter_map(delivery).collect();
        if batch.len() != messages.len() {
            error!(job = W::NAME, partition = %self.partition, "messages without stream position; not acked, the server delivers them again");
            return 0;
        }
        if let Some(info) = messages.last().and_then(|message| message.info().ok()) {
            self.report_waiting(info.pending);
        }
        let begun = Instant::now();
        let span = Span::linked(W::NAME, batch.iter().filter_map(|delivery| delivery.origin));
        let outcomes = within(span.position(), self.decide(&messages, &batch)).await;
        histogram!("natter_consume_batch_seconds", "consumer" => W::NAME).record(begun.elapsed());

        let nothing_worked = outcomes.iter().all(|outcome| *outcome == Outcome::Retry);
        span.end(nothing_worked.then_some("retry"), || {
            let mut attributes = of_partition((W::NAME, "process"), subject::CONV_TEMPLATE, self.partition);
            let count = i64::try_from(batch.len()).unwrap_or(i64::MAX);
            attributes.push(("messaging.batch.message_count", count.into()));
            attributes
        });
        let delay = if nothing_worked {
            backoff.next_delay()
        } else {
            backoff.reset();
            BACKOFF_MIN
        };
        self.report_ages(&messages, &outcomes);
        let done = batch.iter().zip(&outcomes).filter(|(_, outcome)| **outcome != Outcome::Retry);
        let reached = done.map(|(delivery, _)| delivery.seq).max().unwrap_or(0);
        // A job that forgot an event gets it again.
        let outcomes = outcomes.into_iter().chain(std::iter::repeat(Outcome::Retry));
        self.settle(messages.iter().zip(&batch).zip(outcomes), delay).await;
        if nothing_worked {
            wait(delay, stop).await;
        }
        reached
    }

    #[expect(clippy::cast_precision_loss, reason = "a graph needs no more than 53 bits")]
    fn report_waiting(&self, events: u64) {
        gauge!("natter_consume_waiting", "consumer" => W::NAME, "partition" => self.partition.to_string())
            .set(events as f64);
    }

    /// How long the log has had what is done now, and the oldest event that is not.
    fn report_ages(&self, messages: &[Message], outcomes: &[Outcome]) {
        let (now, mut oldest) = (self.clock.now(), Duration::ZERO);
        let done = histogram!("natter_consumed_age_seconds", "consumer" => W::NAME);
        for (message, outcome) in messages.iter().zip(outcomes) {
            let age = age(message, now);
            match outcome {
                Outcome::Retry => oldest = oldest.max(age),
                Outcome::Done | Outcome::Park(_) => done.record(age),
            }
        }
        self.report_oldest(oldest);
    }

    fn report_oldest(&self, age: Duration) {
        gauge!("natter_consume_oldest_seconds", "consumer" => W::NAME, "partition" => self.partition.to_string())
            .set(age);
    }

    async fn decide(&self, messages: &[Message], batch: &[Delivery]) -> Vec<Outcome> {
        let mut reminder = interval_at(Instant::now() + STALL, STALL);
        // A defect in a job must not end its loop: nothing would start it again.
        let mut work = std::pin::pin!(AssertUnwindSafe(self.work.batch(batch)).catch_unwind());
        loop {
            tokio::select! {
                outcomes = &mut work => return outcomes.unwrap_or_else(|_| {
                    error!(job = W::NAME, partition = %self.partition, events = batch.len(), "the job panicked; its batch is delivered again");
                    vec![Outcome::Retry; batch.len()]
                }),
                _ = reminder.tick() => {
                    warn!(job = W::NAME, partition = %self.partition, events = batch.len(), "a batch takes long; its ack deadline is extended");
                    join_all(messages.iter().map(|message| acknowledge(message, AckKind::Progress))).await;
                }
            }
        }
    }

    /// An answer waits for room in the connection's queue only, so they go one after another; copies of what is
    /// parked are waited for all at once.
    async fn settle<'a>(
        &self,
        work: impl Iterator<Item = ((&'a Message, &'a Delivery), Outcome)>,
        delay: Duration,
    ) {
        let mut settled = BTreeMap::<&str, u64>::new();
        let mut aside = Vec::new();
        for ((message, delivery), outcome) in work {
            *settled.entry(outcome.name()).or_default() += 1;
            match outcome {
                Outcome::Done => acknowledge(message, AckKind::Ack).await,
                Outcome::Retry => acknowledge(message, AckKind::Nak(Some(delay))).await,
                Outcome::Park(reason) => aside.push((message, delivery, reason)),
            }
        }
        let parked = aside.iter().map(async |(message, delivery, reason)| {
            acknowledge(message, self.set_aside(delivery, reason, delay).await).await;
        });
        join_all(parked).await;
        for (outcome, events) in settled {
            counter!("natter_consumed_total", "consumer" => W::NAME, "verdict" => outcome).increment(events);
        }
    }

    /// Acked only once the parked copy is stored.
    async fn set_aside(&self, delivery: &Delivery, reason: &str, delay: Duration) -> AckKind {
        let (partition, seq) = (self.partition, delivery.seq);
        match self.park.park(W::NAME, partition, delivery, reason).await {
            Ok(()) => {
                error!(job = W::NAME, %partition, seq, reason, "event parked: the job can never use it");
                AckKind::Ack
            }
            Err(e) => {
                warn!(job = W::NAME, %partition, seq, error = %e, "event cannot be parked; it is delivered again");
                AckKind::Nak(Some(delay))
            }
        }
    }
}

/// `None`: a message without stream position.
pub fn delivery(message: &Message) -> Option<Delivery> {
    let seq = message.info().ok()?.stream_sequence;
    let origin = header::trace_context(message.headers.as_ref());
    let proof = header::proof(message.headers.as_ref());
    Some(Delivery {
        subject: message.subject.to_string(),
        seq,
        payload: message.payload.clone(),
        proof,
        origin,
    })
}

/// Since the log had it.
fn age(message: &Message, now: Timestamp) -> Duration {
    let Ok(info) = message.info() else { return Duration::ZERO };
    let stored = info.published.unix_timestamp_nanos().div_euclid(1_000_000);
    Duration::from_millis(u64::try_from(i128::from(now.0) - stored).unwrap_or(0))
}

/// Another worker gets them at once instead of after the ack wait.
async fn give_back(messages: &[Message]) {
    join_all(messages.iter().map(|message| acknowledge(message, AckKind::Nak(None)))).await;
}

/// An answer that is lost brings the event again, which every job can bear.
async fn acknowledge(message: &Message, kind: AckKind) {
    if let Err(e) = message.ack_with(kind).await {
        debug!(error = %e, "an ack was not sent; the event is delivered again");
    }
}

/// Ends early at `stop`.
pub(crate) async fn wait(duration: Duration, stop: &CancellationToken) {
    tokio::select! {
        () = sleep(duration) => {}
        () = stop.cancelled() => {}
    }
}

/// Between attempts to follow a partition.
pub(crate) const fn backoff() -> Backoff {
    Backoff::new(BACKOFF_MIN, BACKOFF_MAX)
}
