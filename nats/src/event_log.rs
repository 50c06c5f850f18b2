//! Events enter the log here: encoded, on the subject of their conversation, under their own id, and each exactly
//! once. Whoever appends an event that the log has already is given the stored one.

use natter_schemas::{
    codec,
    decision::{Basis, DecisionKey, Proof},
    event::{Event, LogEntry, Timestamp},
    id::{ConversationId, EventId, Partition, Seq},
};

use bytes::Bytes;
use natter_spans::{Attribute, Kind, Span, within};
use tracing::warn;

use crate::{
    clock::LogClock,
    publisher::{LogHealth, NewEvent, PublishError, Publisher, Stored},
    subject,
    trace::{Failure, Step, TraceRing},
};

/// What the log has under the id of an appended event.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Appended {
    /// The stored event, which counts, and its seq. It differs from the appended one if another of the same id
    /// was stored first.
    pub entry: LogEntry,
    /// Whether another caller, or an earlier call, stored it. An own attempt of this call whose answer was lost is
    /// none: for the caller it is the first.
    pub duplicate: bool,
}

/// Where the log has the event that an append repeated.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Duplicate {
    /// The id that both have.
    pub event: EventId,
    /// Of the appended event.
    pub conversation: ConversationId,
    /// The conversation's.
    pub partition: Partition,
    /// The stored event's.
    pub seq: Seq,
}

/// Appends to the log of every partition.
#[derive(Clone)]
pub struct EventLog {
    publisher: Publisher,
    partitions: u16,
    clock: LogClock,
    trace: TraceRing,
    /// Of workers, for what they decide.
    key: Option<DecisionKey>,
}

impl EventLog {
    /// `partitions` are the deployment's.
    pub fn new(publisher: Publisher, partitions: u16, clock: LogClock, trace: TraceRing) -> Self {
        Self { publisher, partitions, clock, trace, key: None }
    }

    /// That of a worker: what it decides carries the proof of it.
    pub fn deciding(self, key: DecisionKey) -> Self {
        Self { key: Some(key), ..self }
    }

    /// The time of an event that is appended now. Activity is compared by it, so it is the log's and no machine's own.
    pub fn now(&self) -> Timestamp {
        self.clock.now()
    }

    /// Where it is remembered what this node did with events.
    pub const fn trace(&self) -> &TraceRing {
        &self.trace
    }

    /// Whether it takes what is appended.
    pub const fn health(&self) -> &LogHealth {
        self.publisher.health()
    }

    /// Returns once the log has the event to the deployment's durability.
    ///
    /// `original` looks up what is stored when the event was there before. It is the caller's, because not every
    /// process may read the log: an edge asks the history service.
    ///
    /// # Errors
    /// What [`Publisher::publish`] fails with, or `original`. After [`PublishError::TimedOut`] the event may or may
    /// not be stored: appending it again finds out.
    pub async fn append<E, F>(
        &self,
        event: Event,
        original: impl FnOnce(Duplicate) -> F,
    ) -> Result<Appended, E>
    where
        E: From<PublishError>,
        F: Future<Output = Result<LogEntry, E>>,
    {
        self.decide_first(event, 0, original).await
    }

    /// The same for what a worker decided of a conversation that has no event above `floor`, up to where the store
    /// has everything of its partition.
    ///
    /// # Errors
    /// As [`Self::append`].
    pub async fn decide_first<E, F>(
        &self,
        event: Event,
        floor: Seq,
        original: impl FnOnce(Duplicate) -> F,
    ) -> Result<Appended, E>
    where
        E: From<PublishError>,
        F: Future<Output = Result<LogEntry, E>>,
    {
        let Event { id, conversation, .. } = event;
        let partition = Partition::of(conversation, self.partitions);
        let NewEvent { id: id_text, payload, proof } = self.new_event(&event, floor, 1);
        let subject = subject::conv(partition, conversation);
        let published = self.publisher.publish_with(subject, &id_text, payload, proof);
        let published = in_span((id, partition), published);
        let stored = published.await.inspect_err(|error| {
            warn!(%conversation, event = %id, %error, "event not published; its sender is answered with an error");
            self.trace.record(id, None, Step::NotPublished(Failure::from(error)));
        })?;
        let step = Step::Published { attempts: stored.attempts, duplicate: stored.duplicate };
        self.trace.record(id, Some((partition, stored.seq)), step);
        if !stored.duplicate {
            return Ok(Appended { entry: LogEntry { seq: stored.seq, event }, duplicate: false });
        }
        metrics::counter!("natter_publish_duplicates_total").increment(1);
        let entry = original(Duplicate { event: id, conversation, partition, seq: stored.seq }).await?;
        // After a lost answer the duplicate may be one's own: then it is exactly this event. After one attempt no
        // answer was lost: the same event was appended twice within one millisecond.
        let duplicate = stored.attempts == 1 || entry.event != event;
        Ok(Appended { entry, duplicate })
    }

    /// Appends the events of one conversation together, if its last event has the seq `last` (0: it has none): for
    /// what was decided on everything up to there.
    ///
    /// # Errors
    /// What [`Publisher::publish_after`] fails with.
    pub async fn append_after(&self, last: Seq, events: Vec<Event>) -> Result<Vec<LogEntry>, PublishError> {
        self.decide_after(last, 0, events).await
    }

    /// The same for what a worker decided. The store has everything of the partition up to `floor`, and the
    /// conversation has nothing between `last` and there.
    ///
    /// # Errors
    /// What [`Publisher::publish_after`] fails with.
    pub async fn decide_after(
        &self,
        last: Seq,
        floor: Seq,
        events: Vec<Event>,
    ) -> Result<Vec<LogEntry>, PublishError> {
        let Some(&Event { id, conversation, .. }) = events.first() else { return Ok(Vec::new()) };
        let partition = Partition::of(conversation, self.partitions);
        let subject = subject::conv(partition, conversation);
        let after = last.max(floor);
        let encoded: Vec<_> =
            (1..).zip(&events).map(|(place, event)| self.new_event(event, after, place)).collect();
        let published = self.publisher.publish_after(&subject, last, &encoded);
        let published = in_span((id, partition), published).await;
        let Stored { seq: first, duplicate, attempts } = published.inspect_err(|error| {
            for event in &events {
                self.trace.record(event.id, None, Step::NotPublished(Failure::from(error)));
            }
        })?;
        for (seq, event) in (first..).zip(&events) {
            let step = Step::Published { attempts, duplicate };
            self.trace.record(event.id, Some((partition, seq)), step);
        }
        Ok((first..).zip(events).map(|(seq, event)| LogEntry { seq, event }).collect())
    }
}

impl EventLog {
    fn new_event(&self, event: &Event, after: Seq, place: u32) -> NewEvent {
        let payload: Bytes = codec::encode(event).into();
        let key = self.key.as_ref().filter(|_| event.kind.is_decision());
        let proof: Option<Proof> = key.map(|key| key.prove(Basis { after, place }, &payload));
        NewEvent { id: event.id.to_string(), payload, proof }
    }
}

/// Publishes as a span of whatever this task works for; the events carry it to whoever follows the log.
async fn in_span(
    first: (EventId, Partition),
    publish: impl Future<Output = Result<Stored, PublishError>>,
) -> Result<Stored, PublishError> {
    let span = Span::begin(Kind::Producer, "publish conv", natter_spans::current());
    let published = within(span.position(), publish).await;
    // That the conversation has moved on is an answer.
    let failed = published.as_ref().err().filter(|error| !matches!(error, PublishError::Moved));
    let failed = failed.map(|error| Failure::from(error).name());
    span.end(failed, || of_event(("publish", "send"), subject::CONV_TEMPLATE, first));
    published
}

/// What an event's way is in a trace. `operation`: its name, and its type among those of `OpenTelemetry`.
pub fn of_event(
    operation: (&'static str, &'static str),
    destination: &'static str,
    (event, partition): (EventId, Partition),
) -> Vec<Attribute> {
    let mut attributes = of_partition(operation, destination, partition);
    attributes.push(("messaging.message.id", event.to_string().into()));
    attributes
}

/// The same of several events of a partition.
pub fn of_partition(
    (name, kind): (&'static str, &'static str),
    destination: &'static str,
    partition: Partition,
) -> Vec<Attribute> {
    vec![
        ("messaging.system", "nats".into()),
        ("messaging.operation.name", name.into()),
        ("messaging.operation.type", kind.into()),
        ("messaging.destination.template", destination.into()),
        ("messaging.destination.partition.id", partition.to_string().into()),
    ]
}
