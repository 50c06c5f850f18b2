//! One partition, followed. A worker stands by until the server gives it an event, which makes it the one to go on;
//! it finds out from where, and hands event after event to Kafka until something ends that.

use std::{ops::RangeInclusive, pin::Pin, sync::Arc, time::Duration};

use metrics::{counter, gauge};
use natter_nats::{
    async_nats::jetstream::{AckKind, Message},
    log::{Kept, LogError},
    topology::log_stream,
};
use natter_schemas::id::{Partition, Seq};
use tokio::time::{Instant, sleep_until};
use tokio_util::sync::CancellationToken;
use tracing::{debug, error, warn};

use super::{
    Mirror,
    chain::{Chain, Step},
    claim::{Claim, ClaimError},
    produce::{WriteError, Writer},
    record::Press,
    take_over::{TakeOverError, take_over},
};
use crate::consume::{Delivery, Pause};

/// Kafka has not answered for so long: worth a line.
const SLOW: Duration = Duration::from_secs(5);
/// Kafka has not answered for so long: perhaps it answers another worker. Not sooner, for the producer that sent
/// these records is the only one whose repeats Kafka recognises.
const YIELD: Duration = Duration::from_mins(2);
/// For what is under way when this worker stops; a broker that is well answers within milliseconds.
const LAST_ANSWERS: Duration = Duration::from_secs(3);
/// The same when NATS has gone: what is left of the pin then (see `claim`), less a second.
const LAST_ANSWERS_UNPINNED: Duration = Duration::from_secs(2);

#[derive(Debug, thiserror::Error)]
enum Interrupted {
    #[error(transparent)]
    Claim(#[from] ClaimError),
    #[error(transparent)]
    TakeOver(#[from] TakeOverError),
    #[error("no record can be written: {0}")]
    Write(#[from] WriteError),
    #[error("kafka has not answered for {YIELD:?}: {0}")]
    Stalled(String),
    #[error(transparent)]
    Log(#[from] LogError),
    #[error("told to stop")]
    Stopped,
}

type Reading = Pin<Box<dyn Future<Output = Result<Vec<Kept>, LogError>> + Send>>;

pub struct Follower {
    mirror: Arc<Mirror>,
    press: Press,
    /// What people were told to mend last.
    told: Option<String>,
}

impl Follower {
    pub fn new(mirror: Arc<Mirror>, partition: Partition) -> Self {
        let press = Press {
            partition,
            partitions: mirror.deployment.partitions,
            epoch: mirror.deployment.epoch.clone(),
            content: mirror.options.content(),
        };
        Self { mirror, press, told: None }
    }

    /// Ends when told to stop.
    pub async fn run(mut self, stop: CancellationToken) {
        let mut pause = Pause::default();
        while !stop.is_cancelled() {
            let interrupted = self.follow(&stop, &mut pause).await;
            self.tell(&interrupted);
            pause.wait(&stop).await;
        }
    }

    /// Absences of Kafka are told once for all partitions; what people have to mend once for each.
    fn tell(&mut self, interrupted: &Interrupted) {
        let partition = self.press.partition;
        match interrupted {
            Interrupted::Stopped => {}
            Interrupted::TakeOver(misfit) if !misfit.is_absence() => {
                counter!("natter_mirror_errors_total").increment(1);
                let reason = misfit.to_string();
                if self.told.as_ref() != Some(&reason) {
                    error!(%partition, reason, "this partition cannot be mirrored");
                }
                self.told = Some(reason);
            }
            Interrupted::Write(anew @ WriteError::Anew(_)) => {
                counter!("natter_mirror_errors_total").increment(1);
                error!(%partition, reason = %anew, "kafka lacks the beginning of this partition");
            }
            Interrupted::TakeOver(TakeOverError::Log(error)) | Interrupted::Log(error) => {
                warn!(%partition, %error, "mirroring anew: the log cannot be read");
            }
            Interrupted::TakeOver(_) | Interrupted::Write(_) | Interrupted::Stalled(_) => {
                self.mirror.weather.away(&interrupted.to_string());
            }
            Interrupted::Claim(reason) => {
                counter!("natter_mirror_interrupted_total").increment(1);
                warn!(%partition, %reason, "mirroring anew");
            }
        }
    }

    async fn follow(&mut self, stop: &CancellationToken, pause: &mut Pause) -> Interrupted {
        let claim = match Claim::open(&self.mirror.js, log_stream(self.press.partition)).await {
            Ok(claim) => claim,
            Err(e) => return e.into(),
        };
        let mut lead = Lead { follower: self, claim, chain: Chain::new(), stop: stop.clone() };
        let interrupted = match lead.first().await {
            Ok(()) => {
                let active = gauge!("natter_mirror_active", "partition" => lead.follower.partition());
                active.set(1);
                let interrupted = lead.run(pause).await.err().unwrap_or(Interrupted::Stopped);
                active.set(0);
                interrupted
            }
            Err(interrupted) => interrupted,
        };
        // Without the place, or without NATS, there is nothing to give back.
        if !matches!(interrupted, Interrupted::Claim(_)) {
            lead.claim.release(lead.chain.unanswered()).await;
        }
        interrupted
    }

    fn partition(&self) -> String {
        self.press.partition.to_string()
    }
}

/// A worker at the head of a partition, or waiting for that.
struct Lead<'a> {
    follower: &'a mut Follower,
    claim: Claim,
    chain: Chain<Message>,
    stop: CancellationToken,
}

impl Lead<'_> {
    /// Stands by until this worker is the one.
    async fn first(&mut self) -> Result<(), Interrupted> {
        gauge!("natter_mirror_active", "partition" => self.follower.partition()).set(0);
        tokio::select! {
            () = self.stop.cancelled() => Err(Interrupted::Stopped),
            event = self.claim.next() => {
                self.deliver(event?).await;
                Ok(())
            }
        }
    }

    async fn run(&mut self, pause: &mut Pause) -> Result<(), Interrupted> {
        let mut writer = self.begin().await?;
        pause.reset();
        let interrupted = self.write(&mut writer).await.err().unwrap_or(Interrupted::Stopped);
        let patience = match &interrupted {
            Interrupted::Stopped | Interrupted::Log(_) => LAST_ANSWERS,
            Interrupted::Claim(ClaimError::Silent | ClaimError::Closed | ClaimError::RpcError(_)) => {
                LAST_ANSWERS_UNPINNED
            }
            // Another may be writing already, or Kafka does not answer.
            _ => Duration::ZERO,
        };
        let (stored, _) = writer.finish(patience).await;
        if let Some(seq) = stored {
            self.settle(seq).await;
        }
        Err(interrupted)
    }

    /// Finds where to go on, and keeps the place meanwhile.
    async fn begin(&mut self) -> Result<Writer, Interrupted> {
        let (mirror, press) = (Arc::clone(&self.follower.mirror), self.follower.press.clone());
        let mut taking = std::pin::pin!(take_over(&mirror.options, &press, &mirror.log));
        let (writer, next) = loop {
            tokio::select! {
                biased;
                () = self.stop.cancelled() => return Err(Interrupted::Stopped),
                taken = &mut taking => break taken?,
                event = self.claim.next() => self.deliver(event?).await,
            }
        };
        mirror.weather.back();
        self.follower.told = None;
        if let Some(ack) = self.chain.begin(next) {
            tell(&ack).await;
        }
        Ok(writer)
    }

    async fn write(&mut self, writer: &mut Writer) -> Result<(), Interrupted> {
        let mut reading: Option<Reading> = None;
        loop {
            self.hand_over(writer, &mut reading)?;
            let alarm = writer.waiting_since().map(|since| next_alarm(since, Instant::now()));
            tokio::select! {
                biased;
                () = self.stop.cancelled() => return Err(Interrupted::Stopped),
                event = self.claim.next() => self.deliver(event?).await,
                seq = writer.settled() => {
                    self.settle(seq?).await;
                    self.follower.mirror.weather.back();
                }
                events = ready(&mut reading) => {
                    reading = None;
                    self.chain.read(events?.into_iter().map(Delivery::from).collect());
                }
                () = sleep_until(alarm.unwrap_or_else(Instant::now)), if alarm.is_some() => {
                    self.complain(writer)?;
                }
            }
        }
    }

    /// Everything that can go now.
    fn hand_over(&mut self, writer: &mut Writer, reading: &mut Option<Reading>) -> Result<(), Interrupted> {
        while reading.is_none() && writer.has_room() {
            match self.chain.step() {
                Step::Hand(event) => {
                    let (record, readable) = self.follower.press.record(&event);
                    if !readable {
                        counter!("natter_mirror_unreadable_total").increment(1);
                        warn!(partition = %self.follower.press.partition, seq = event.seq, "event unreadable; Kafka gets a record that says so");
                    }
                    writer.hand(event.seq, &record)?;
                }
                Step::Read(from) => {
                    let (log, partition) = (self.follower.mirror.log.clone(), self.follower.press.partition);
                    *reading = Some(Box::pin(async move { log.in_order(partition, from).await }));
                }
                Step::Lost(seqs) => self.lose(&seqs),
                Step::Wait => return Ok(()),
            }
        }
        Ok(())
    }

    fn lose(&self, seqs: &RangeInclusive<Seq>) {
        let (from, to) = (*seqs.start(), *seqs.end());
        counter!("natter_mirror_lost_total").increment(to - from + 1);
        error!(partition = %self.follower.press.partition, from, to, "the log no longer has events that Kafka does not have yet");
    }

    /// Also those the writer has not handed on: they wait, and the server is told so by their silence.
    async fn deliver(&mut self, message: Message) {
        let Some(event) = delivery(&message) else {
            error!(partition = %self.follower.press.partition, "a message without a position; left to the server");
            return;
        };
        if let Some(ack) = self.chain.deliver(event, message) {
            tell(&ack).await;
        }
    }

    async fn settle(&mut self, seq: Seq) {
        if let Some(ack) = self.chain.settle(seq) {
            tell(&ack).await;
        }
    }

    /// Kafka has owed an answer for some time.
    fn complain(&self, writer: &Writer) -> Result<(), Interrupted> {
        let waited = writer.waiting_since().map_or(Duration::ZERO, |since| since.elapsed());
        if waited >= YIELD {
            return Err(Interrupted::Stalled(writer.complaint()));
        }
        self.follower.mirror.weather.away(&writer.complaint());
        Ok(())
    }
}

/// The next multiple of [`SLOW`] after `since` that is still to come.
fn next_alarm(since: Instant, now: Instant) -> Instant {
    let passed = (now - since).as_secs() / SLOW.as_secs();
    since + SLOW * u32::try_from(passed + 1).unwrap_or(u32::MAX)
}

fn delivery(message: &Message) -> Option<Delivery> {
    let seq = message.info().ok()?.stream_sequence;
    Some(Delivery { subject: message.subject.to_string(), seq, payload: message.payload.clone() })
}

/// An ack that is lost brings the event again, and it is acked again.
async fn tell(message: &Message) {
    if let Err(e) = message.ack_with(AckKind::Ack).await {
        debug!(error = %e, "an ack was not sent");
    }
}

async fn ready(reading: &mut Option<Reading>) -> Result<Vec<Kept>, LogError> {
    match reading {
        Some(reading) => reading.await,
        None => std::future::pending().await,
    }
}
