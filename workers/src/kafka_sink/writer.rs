//! Records of one partition on their way into Kafka, in order and without gaps. An idempotent producer repeats what
//! was not answered and Kafka stores it once, for as long as that producer lives; so it is kept through any absence
//! of Kafka, and when it goes the tail is read again.

use std::{collections::VecDeque, time::Duration};

use metrics::{Counter, counter};
use natter_nats::{
    event_log::of_event,
    subject,
    trace::{PartitionTrace, Step, TraceRing},
};
use natter_schemas::{
    cloudevent::Record,
    id::{EventId, Partition, Seq},
    limits,
    trace_context::TraceContext,
};
use natter_spans::Span;
use rdkafka::{
    ClientContext, Message,
    config::{FromClientConfigAndContext, RDKafkaLogLevel},
    error::KafkaError,
    message::{DeliveryResult, Header, OwnedHeaders},
    producer::{BaseRecord, ProducerContext, ThreadedProducer},
};
use tokio::{
    sync::mpsc,
    time::{Instant, timeout_at},
};

use super::options::{LastClientError, Options, discard};

/// Events gather so long before they go together.
const LINGER_MS: &str = "10";

#[derive(Debug, thiserror::Error)]
pub enum WriteError {
    #[error("{0}")]
    Rejected(String),
    /// Its beginning is missing there: no takeover read the tail.
    #[error(
        "the topic was created again under a running mirror, and begins with seq {0} here: stop all mirrors, delete it, and start them again"
    )]
    TopicRecreated(Seq),
}

impl WriteError {
    fn closed() -> Self {
        Self::Rejected("it is closed".to_owned())
    }
}

/// The offset of one record, or why it has none.
type Report = (Seq, Result<i64, String>);

/// Receives what became of each record, on the producer's own thread.
struct DeliveryReports {
    to: mpsc::Sender<Report>,
    last_error: LastClientError,
}

impl ClientContext for DeliveryReports {
    fn log(&self, level: RDKafkaLogLevel, facility: &str, message: &str) {
        self.last_error.log(level, facility, message);
    }

    fn error(&self, error: KafkaError, reason: &str) {
        self.last_error.error(error, reason);
    }
}

impl ProducerContext for DeliveryReports {
    type DeliveryOpaque = Box<Seq>;

    fn delivery(&self, result: &DeliveryResult<'_>, seq: Box<Seq>) {
        let result = result.as_ref().map(Message::offset).map_err(|(e, _)| self.last_error.explain(e));
        // There is room for as many as may be under way.
        let _ = self.to.try_send((*seq, result));
    }
}

/// The event of a record that is written next.
pub struct Handed {
    pub seq: Seq,
    /// `None`: it cannot be read.
    pub event: Option<EventId>,
    /// The span that published it.
    pub origin: Option<TraceContext>,
}

/// A record that is not yet known to be stored, or waits for one that is not.
struct InFlight {
    seq: Seq,
    /// `None`: it cannot be read.
    event: Option<EventId>,
    /// Until it is stored, if what published it is sampled.
    span: Option<Span>,
    stored: bool,
}

pub struct Writer {
    producer: Option<ThreadedProducer<DeliveryReports>>,
    last_error: LastClientError,
    topic: String,
    at: Partition,
    reports: mpsc::Receiver<Report>,
    in_flight: VecDeque<InFlight>,
    /// The last answer, or the moment from which one was due.
    answered: Instant,
    last_offset: i64,
    mirrored: Counter,
    trace: PartitionTrace,
}

impl Writer {
    pub fn new(options: &Options, partition: Partition, trace: &TraceRing) -> Result<Self, WriteError> {
        let (to, reports) = mpsc::channel(limits::MIRROR_IN_FLIGHT);
        let last_error = LastClientError::default();
        let context = DeliveryReports { to, last_error: last_error.clone() };
        let mut config = options.client();
        config
            .set("enable.idempotence", "true")
            .set("acks", "all")
            // A record that is refused stops those behind it.
            .set("enable.gapless.guarantee", "true")
            // No record is given up while the producer lives: the next one would leave a gap before it.
            .set("message.timeout.ms", "0")
            // The topic was there a moment ago: one that is missing is gone, not new.
            .set("topic.metadata.propagation.max.ms", "5000")
            .set("linger.ms", LINGER_MS)
            .set("compression.type", "lz4");
        let producer = ThreadedProducer::from_config_and_context(&config, context);
        Ok(Self {
            producer: Some(producer.map_err(|e| WriteError::Rejected(last_error.explain(&e)))?),
            last_error,
            topic: options.topic.clone(),
            at: partition,
            reports,
            in_flight: VecDeque::new(),
            answered: Instant::now(),
            last_offset: -1,
            mirrored: counter!("natter_mirrored_total", "partition" => partition.to_string()),
            trace: trace.at(partition),
        })
    }

    pub fn has_room(&self) -> bool {
        self.in_flight.len() < limits::MIRROR_IN_FLIGHT
    }

    /// Must be the next one, and there must be room.
    pub fn hand(&mut self, Handed { seq, event, origin }: Handed, record: &Record) -> Result<(), WriteError> {
        let Some(producer) = &self.producer else { return Err(WriteError::closed()) };
        let mut headers = OwnedHeaders::new_with_capacity(record.headers.len());
        for (key, value) in &record.headers {
            headers = headers.insert(Header { key, value: Some(value) });
        }
        let mut message: BaseRecord<'_, str, [u8], Box<Seq>> =
            BaseRecord::with_opaque_to(&self.topic, Box::new(seq))
                .partition(i32::from(self.at.0))
                .payload(record.value.as_slice())
                .headers(headers);
        message.key = record.key.as_deref();
        producer.send(message).map_err(|(e, _)| WriteError::Rejected(self.last_error.explain(&e)))?;
        if self.in_flight.is_empty() {
            self.answered = Instant::now();
        }
        let cause = origin.filter(|origin| origin.sampled);
        let span = cause.map(|cause| Span::linked("mirror", std::iter::once(cause)));
        self.in_flight.push_back(InFlight { seq, event, span, stored: false });
        Ok(())
    }

    /// The seq up to which everything is in Kafka, as often as it rises. Fails when a record was refused for good.
    /// Nothing is lost if it is not waited for to the end.
    pub async fn confirmed(&mut self) -> Result<Seq, WriteError> {
        loop {
            let report = self.reports.recv().await;
            let mut stored = self.take(report.ok_or_else(WriteError::closed)?)?;
            while let Ok(report) = self.reports.try_recv() {
                stored = self.take(report)?.or(stored);
            }
            if let Some(seq) = stored {
                return Ok(seq);
            }
        }
    }

    fn take(&mut self, (seq, result): Report) -> Result<Option<Seq>, WriteError> {
        let offset = result.map_err(WriteError::Rejected)?;
        if offset < self.last_offset {
            return Err(WriteError::TopicRecreated(seq));
        }
        self.last_offset = offset;
        self.mirrored.increment(1);
        self.answered = Instant::now();
        if let Ok(at) = self.in_flight.binary_search_by_key(&seq, |record| record.seq) {
            let record = &mut self.in_flight[at];
            record.stored = true;
            if let (Some(span), Some(event)) = (record.span.take(), record.event) {
                let at = (event, self.at);
                span.end(None, || of_event(("mirror", "process"), subject::CONV_TEMPLATE, at));
            }
            if let (Some(event), Ok(offset)) = (record.event, u64::try_from(offset)) {
                self.trace.record(event, seq, Step::Mirrored { offset });
            }
        }
        let mut stored = None;
        while let Some(InFlight { seq, stored: true, .. }) = self.in_flight.front() {
            stored = Some(*seq);
            self.in_flight.pop_front();
        }
        Ok(stored)
    }

    /// Since when Kafka has owed an answer; None: it owes none.
    pub fn waiting_since(&self) -> Option<Instant> {
        (!self.in_flight.is_empty()).then_some(self.answered)
    }

    /// What the client logged about it.
    pub fn last_error(&self) -> String {
        self.last_error.last().unwrap_or_else(|| "no answer".to_owned())
    }

    /// Waits for what is under way. The last seq that is in Kafka now, if it rose, and whether that is all.
    pub async fn finish(&mut self, within: Duration) -> (Option<Seq>, bool) {
        let deadline = Instant::now() + within;
        let mut last = None;
        while !self.in_flight.is_empty() {
            match timeout_at(deadline, self.confirmed()).await {
                Ok(Ok(seq)) => last = Some(seq),
                Ok(Err(_)) | Err(_) => return (last, false),
            }
        }
        (last, true)
    }
}

impl Drop for Writer {
    /// What was not sent goes with it.
    fn drop(&mut self) {
        discard(self.producer.take());
    }
}
