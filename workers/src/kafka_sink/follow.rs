//! One partition, followed. A worker stands by until the server gives it an event, which makes it the one to go on;
//! it finds out from where, and hands event after event to Kafka until something ends that.

use std::{ops::RangeInclusive, pin::Pin, sync::Arc, time::Duration};

use metrics::{counter, gauge};
use natter_nats::{
    async_nats::jetstream::{AckKind, Message},
    log::{LogError, StoredMessage},
    pull::PullError,
    topology::log_stream,
};
use natter_schemas::{
    backoff::Backoff,
    codec,
    id::{Partition, Seq},
    rpc::RpcError,
};
use tokio::time::{Instant, sleep_until};
use tokio_util::sync::CancellationToken;
use tracing::{debug, error, warn};

use super::{
    encoder::RecordEncoder,
    pinned_consumer::PinnedConsumer,
    reorder::{Reorderer, Step},
    sink::KafkaSink,
    take_over::{TakeOverError, take_over},
    writer::{Handed, WriteError, Writer},
};
use crate::consume::{self, Delivery, delivery};

/// Kafka has not answered for so long: worth a line.
const SLOW_ACK: Duration = Duration::from_secs(5);
/// Kafka has not answered for so long: perhaps it answers another worker. Not sooner, for the producer that sent
/// these records is the only one whose repeats Kafka recognises.
const STEP_DOWN_AFTER: Duration = Duration::from_mins(2);
/// For what is under way when this worker stops; a broker that is well answers within milliseconds.
const DRAIN: Duration = Duration::from_secs(3);
/// The same when NATS has gone: what is left of the pin then (see `claim`), less a second.
const DRAIN_UNPINNED: Duration = Duration::from_secs(2);

#[derive(Debug, thiserror::Error)]
enum Interrupted {
    #[error(transparent)]
    PinnedConsumer(#[from] PullError),
    #[error(transparent)]
    TakeOver(#[from] TakeOverError),
    #[error("no record can be written: {0}")]
    Write(#[from] WriteError),
    #[error("kafka has not answered for {STEP_DOWN_AFTER:?}: {0}")]
    Stalled(String),
    #[error(transparent)]
    Log(#[from] LogError),
    #[error("no keys for texts that go out plain: {0}")]
    Keys(#[from] RpcError),
    #[error("stopping")]
    Stopped,
}

type Reading = Pin<Box<dyn Future<Output = Result<Vec<StoredMessage>, LogError>> + Send>>;

pub struct Follower {
    mirror: Arc<KafkaSink>,
    encoder: RecordEncoder,
    /// The last failure that was logged and needs an operator.
    logged_failure: Option<String>,
}

impl Follower {
    pub fn new(mirror: Arc<KafkaSink>, partition: Partition) -> Self {
        let encoder = RecordEncoder {
            partition,
            partitions: mirror.deployment.partitions,
            epoch: mirror.deployment.epoch.clone(),
            content: mirror.options.kafka.content,
        };
        Self { mirror, encoder, logged_failure: None }
    }

    /// Ends when `stop` is cancelled.
    pub async fn run(mut self, stop: CancellationToken) {
        let mut backoff = consume::backoff();
        while !stop.is_cancelled() {
            let interrupted = self.follow(&stop, &mut backoff).await;
            self.log_interruption(&interrupted);
            consume::wait(backoff.next_delay(), &stop).await;
        }
    }

    /// That Kafka is unavailable is logged once for all partitions; what an operator has to mend, once for each.
    fn log_interruption(&mut self, interrupted: &Interrupted) {
        let partition = self.encoder.partition;
        match interrupted {
            Interrupted::Stopped => {}
            Interrupted::TakeOver(misfit) if !misfit.is_absence() => {
                counter!("natter_mirror_errors_total").increment(1);
                let reason = misfit.to_string();
                if self.logged_failure.as_ref() != Some(&reason) {
                    error!(%partition, reason, "this partition cannot be mirrored until the reason is mended");
                }
                self.logged_failure = Some(reason);
            }
            Interrupted::Write(recreated @ WriteError::TopicRecreated(_)) => {
                counter!("natter_mirror_errors_total").increment(1);
                error!(%partition, reason = %recreated, "kafka lacks the beginning of this partition");
            }
            Interrupted::TakeOver(TakeOverError::Log(error)) | Interrupted::Log(error) => {
                warn!(%partition, %error, "the log cannot be read; mirroring starts again after a pause");
            }
            Interrupted::TakeOver(_) | Interrupted::Write(_) | Interrupted::Stalled(_) => {
                self.mirror.health.unavailable(&interrupted.to_string());
            }
            Interrupted::Keys(_) => {
                counter!("natter_mirror_interrupted_total").increment(1);
                warn!(%partition, reason = %interrupted, "mirroring starts again after a pause");
            }
            Interrupted::PinnedConsumer(reason) => {
                counter!("natter_mirror_interrupted_total").increment(1);
                warn!(%partition, %reason, "consumer lost; mirroring starts again after a pause");
            }
        }
    }

    async fn follow(&mut self, stop: &CancellationToken, backoff: &mut Backoff) -> Interrupted {
        let consumer = match PinnedConsumer::open(&self.mirror.js, log_stream(self.encoder.partition)).await {
            Ok(consumer) => consumer,
            Err(e) => return e.into(),
        };
        let mut lead =
            ActiveFollower { follower: self, consumer, reorderer: Reorderer::new(), stop: stop.clone() };
        let interrupted = match lead.first().await {
            Ok(()) => {
                let active = gauge!("natter_mirror_active", "partition" => lead.follower.partition());
                active.set(1);
                let interrupted = lead.run(backoff).await.err().unwrap_or(Interrupted::Stopped);
                active.set(0);
                interrupted
            }
            Err(interrupted) => interrupted,
        };
        // Without the place, or without NATS, there is nothing to give back.
        if !matches!(interrupted, Interrupted::PinnedConsumer(_)) {
            lead.consumer.release(lead.reorderer.unacked()).await;
        }
        interrupted
    }

    fn partition(&self) -> String {
        self.encoder.partition.to_string()
    }
}

/// A worker at the head of a partition, or waiting for that.
struct ActiveFollower<'a> {
    follower: &'a mut Follower,
    consumer: PinnedConsumer,
    reorderer: Reorderer<Message>,
    stop: CancellationToken,
}

impl ActiveFollower<'_> {
    /// Stands by until this worker is the one.
    async fn first(&mut self) -> Result<(), Interrupted> {
        gauge!("natter_mirror_active", "partition" => self.follower.partition()).set(0);
        tokio::select! {
            () = self.stop.cancelled() => Err(Interrupted::Stopped),
            event = self.consumer.next() => {
                self.deliver(event?).await;
                Ok(())
            }
        }
    }

    async fn run(&mut self, backoff: &mut Backoff) -> Result<(), Interrupted> {
        let mut writer = self.begin().await?;
        backoff.reset();
        let interrupted = self.write(&mut writer).await.err().unwrap_or(Interrupted::Stopped);
        let patience = match &interrupted {
            Interrupted::Stopped | Interrupted::Log(_) | Interrupted::Keys(_) => DRAIN,
            Interrupted::PinnedConsumer(PullError::Silent | PullError::Closed | PullError::Ended(_)) => {
                DRAIN_UNPINNED
            }
            // Another may be writing already, or Kafka does not answer.
            _ => Duration::ZERO,
        };
        let (stored, _) = writer.finish(patience).await;
        if let Some(seq) = stored {
            self.confirm(seq).await;
        }
        Err(interrupted)
    }

    /// Finds where to go on, and keeps the place meanwhile.
    async fn begin(&mut self) -> Result<Writer, Interrupted> {
        let (mirror, encoder) = (Arc::clone(&self.follower.mirror), self.follower.encoder.clone());
        let mut taking = std::pin::pin!(take_over(&mirror.options, &encoder, &mirror.log, &mirror.trace));
        let (writer, next) = loop {
            tokio::select! {
                biased;
                () = self.stop.cancelled() => return Err(Interrupted::Stopped),
                taken = &mut taking => break taken?,
                event = self.consumer.next() => self.deliver(event?).await,
            }
        };
        mirror.health.available();
        self.follower.logged_failure = None;
        if let Some(message) = self.reorderer.begin(next) {
            ack(&message).await;
        }
        Ok(writer)
    }

    async fn write(&mut self, writer: &mut Writer) -> Result<(), Interrupted> {
        let mut reading: Option<Reading> = None;
        loop {
            self.write_ready(writer, &mut reading).await?;
            let check = writer.waiting_since().map(|since| next_check(since, Instant::now()));
            tokio::select! {
                biased;
                () = self.stop.cancelled() => return Err(Interrupted::Stopped),
                event = self.consumer.next() => self.deliver(event?).await,
                seq = writer.confirmed() => {
                    self.confirm(seq?).await;
                    self.follower.mirror.health.available();
                }
                events = next_log_read(&mut reading) => {
                    reading = None;
                    self.reorderer.read(events?.into_iter().map(Delivery::from).collect());
                }
                () = sleep_until(check.unwrap_or_else(Instant::now)), if check.is_some() => {
                    self.check_stalled(writer)?;
                }
            }
        }
    }

    /// Everything that can go now.
    async fn write_ready(
        &mut self,
        writer: &mut Writer,
        reading: &mut Option<Reading>,
    ) -> Result<(), Interrupted> {
        while reading.is_none() && writer.has_room() {
            match self.reorderer.step() {
                Step::Write(event) => {
                    let Follower { encoder, mirror, .. } = &*self.follower;
                    let (record, readable) = encoder.opened_record(&event, &mirror.keys).await?;
                    if !readable {
                        counter!("natter_mirror_unreadable_total").increment(1);
                        warn!(partition = %self.follower.encoder.partition, seq = event.seq, "event unreadable; Kafka gets a record of type unreadable in its place");
                    }
                    let id = codec::event_id(&event.payload);
                    writer.hand(Handed { seq: event.seq, event: id, origin: event.origin }, &record)?;
                }
                Step::ReadLog(from) => {
                    let (log, partition) =
                        (self.follower.mirror.log.clone(), self.follower.encoder.partition);
                    *reading = Some(Box::pin(async move { log.in_order(partition, from).await }));
                }
                Step::Lost(seqs) => self.report_lost(&seqs),
                Step::Wait => return Ok(()),
            }
        }
        Ok(())
    }

    fn report_lost(&self, seqs: &RangeInclusive<Seq>) {
        let (from, to) = (*seqs.start(), *seqs.end());
        counter!("natter_mirror_lost_total").increment(to - from + 1);
        error!(partition = %self.follower.encoder.partition, from, to, "the log no longer has events that Kafka does not have yet");
    }

    /// Also those the writer has not handed on: they wait, and the server knows that from the missing acks.
    async fn deliver(&mut self, message: Message) {
        let Some(event) = delivery(&message) else {
            error!(partition = %self.follower.encoder.partition, "a message without stream position; not acked, the server delivers it again");
            return;
        };
        if let Some(message) = self.reorderer.deliver(event, message) {
            ack(&message).await;
        }
    }

    async fn confirm(&mut self, seq: Seq) {
        if let Some(message) = self.reorderer.confirm(seq) {
            ack(&message).await;
        }
    }

    /// Kafka has owed an answer for some time.
    fn check_stalled(&self, writer: &Writer) -> Result<(), Interrupted> {
        let waited = writer.waiting_since().map_or(Duration::ZERO, |since| since.elapsed());
        if waited >= STEP_DOWN_AFTER {
            return Err(Interrupted::Stalled(writer.last_error()));
        }
        self.follower.mirror.health.unavailable(&writer.last_error());
        Ok(())
    }
}

/// The next multiple of [`SLOW_ACK`] after `since` that is still to come.
fn next_check(since: Instant, now: Instant) -> Instant {
    let passed = (now - since).as_secs() / SLOW_ACK.as_secs();
    since + SLOW_ACK * u32::try_from(passed + 1).unwrap_or(u32::MAX)
}

/// An ack that is lost brings the event again, and it is acked again.
async fn ack(message: &Message) {
    if let Err(e) = message.ack_with(AckKind::Ack).await {
        debug!(error = %e, "an ack was not sent; the event is delivered again");
    }
}

async fn next_log_read(reading: &mut Option<Reading>) -> Result<Vec<StoredMessage>, LogError> {
    match reading {
        Some(reading) => reading.await,
        None => std::future::pending().await,
    }
}
