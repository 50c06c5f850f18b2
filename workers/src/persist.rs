//! The log's events become rows. Arrives: a batch of one partition's log. Leaves: rows in the store, and for
//! changes of members a notice to every edge. Fails: with `Retry` while the store is away, so that nothing is
//! acked that is not stored; an event the store refuses again and again, while it takes others, is parked.

mod persister; // stores events, for the job and for commands
mod rejections; // events the store refuses
mod health; // whether the store takes what is persisted

use natter_nats::{
    async_nats::jetstream,
    clock::LogClock,
    topology,
    trace::{PartitionTrace, Step},
};
use natter_schemas::codec;
use parking_lot::Mutex;
use tokio_util::sync::CancellationToken;
use tracing::{error, warn};

pub use health::PersistHealth;
pub use persister::{NotPersisted, Persister, read};
use rejections::Rejections;

use crate::{
    consume::{BatchJob, ConsumeLoop, Delivery, Outcome},
    park_publisher::ParkPublisher,
};

/// Follows the persister's partition until `stop`.
pub async fn run(
    persister: Persister,
    (health, trace): (PersistHealth, PartitionTrace),
    (js, clock): (jetstream::Context, LogClock),
    stop: CancellationToken,
) {
    let partition = persister.partition;
    let follow = ConsumeLoop {
        work: Persist { persister, rejections: Mutex::default(), health, trace },
        partition,
        stream: topology::log_stream(partition),
        consumer: topology::PERSIST.to_owned(),
        park: ParkPublisher::new(js.clone()),
        js,
        clock,
    };
    follow.run(stop).await;
}

/// The job's name, in metrics and subjects of parked events.
pub const JOB: &str = "persist";

struct Persist {
    persister: Persister,
    rejections: Mutex<Rejections>,
    health: PersistHealth,
    trace: PartitionTrace,
}

impl BatchJob for Persist {
    const NAME: &'static str = JOB;

    async fn batch(&self, batch: &[Delivery]) -> Vec<Outcome> {
        let results = self.persister.apply(batch).await;
        self.note(&results);
        let mut rejections = self.rejections.lock();
        for (delivery, result) in batch.iter().zip(&results) {
            match result {
                Err(NotPersisted::Rejected(_)) => rejections.refused(delivery.seq),
                Ok(()) | Err(NotPersisted::NotNotified(_)) => rejections.taken(delivery.seq),
                Err(NotPersisted::Unreadable(_) | NotPersisted::Unavailable(_)) => {}
            }
        }
        let outcomes = batch.iter().zip(results);
        let outcomes = outcomes.map(|(delivery, result)| {
            let outcome = self.outcome(delivery, result, &mut rejections);
            self.remember(delivery, &outcome);
            outcome
        });
        outcomes.collect()
    }
}

impl Persist {
    /// Whether the store was there: for readiness, and in one log line for all events.
    fn note(&self, results: &[Result<(), NotPersisted>]) {
        let partition = self.persister.partition;
        let away = || results.iter().filter(|result| matches!(result, Err(NotPersisted::Unavailable(_))));
        if let Some(Err(e)) = away().next() {
            warn!(%partition, events = away().count(), error = %e, "store away: events stay in the log and are delivered again");
            self.health.failed(partition);
        } else if results.iter().any(|result| !matches!(result, Err(NotPersisted::Unreadable(_)))) {
            self.health.stored(partition);
        }
    }

    fn remember(&self, delivery: &Delivery, outcome: &Outcome) {
        let Some(event) = codec::event_id(&delivery.payload) else { return };
        let step = match outcome {
            Outcome::Done => Step::Stored,
            Outcome::Retry => Step::Retried,
            Outcome::Park(_) => Step::Parked,
        };
        self.trace.record(event, delivery.seq, step);
    }

    fn outcome(
        &self,
        delivery: &Delivery,
        result: Result<(), NotPersisted>,
        rejections: &mut Rejections,
    ) -> Outcome {
        let (partition, seq) = (self.persister.partition, delivery.seq);
        match result {
            Ok(()) => Outcome::Done,
            Err(NotPersisted::Unreadable(reason)) => Outcome::Park(reason),
            Err(NotPersisted::Rejected(e)) if rejections.is_poison(seq) => {
                rejections.forget(seq);
                Outcome::Park(e.to_string())
            }
            Err(e @ NotPersisted::Rejected(_)) => {
                error!(%partition, seq, error = %e, "store rejected an event; it is delivered again, and parked if that goes on while others are stored");
                Outcome::Retry
            }
            Err(e @ NotPersisted::NotNotified(_)) => {
                warn!(%partition, seq, error = %e, "event stored, but its members' edges not notified; it is delivered again");
                Outcome::Retry
            }
            Err(NotPersisted::Unavailable(_)) => Outcome::Retry,
        }
    }
}
