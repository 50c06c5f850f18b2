//! The log's events become rows. Arrives: a batch of one partition's log. Leaves: rows in the store, and for
//! changes of members a word to every edge. Fails: with `Retry` while the store is away, so that nothing is
//! acked that is not stored; an event the store refuses again and again, while it takes others, is parked.

mod persister; // what is done about an event, whoever asks: the job, or a command
mod refusals; // events the store refuses

use std::sync::Arc;

use natter_nats::topology;
use natter_schemas::id::Partition;
use parking_lot::Mutex;
use tokio_util::sync::CancellationToken;
use tracing::{error, warn};

pub use persister::{NotPersisted, Persister, read};
use refusals::Refusals;

use crate::{
    consume::{Delivery, Loop, Verdict, Work},
    park::Park,
    start::Deps,
};

/// Follows one partition until told to stop.
pub async fn run(deps: Deps, partition: Partition, stop: CancellationToken) {
    let persister = Persister {
        partition,
        partitions: deps.deployment.partitions,
        store: Arc::clone(&deps.store),
        publisher: deps.publisher.clone(),
    };
    let follow = Loop {
        work: Persist { persister, refusals: Mutex::default() },
        partition,
        stream: topology::log_stream(partition),
        consumer: topology::PERSIST.to_owned(),
        park: Park::new(deps.js.clone()),
        js: deps.js,
    };
    follow.run(stop).await;
}

/// The job's name, in metrics and subjects of parked events.
pub const JOB: &str = "persist";

struct Persist {
    persister: Persister,
    refusals: Mutex<Refusals>,
}

impl Work for Persist {
    const NAME: &'static str = JOB;

    async fn batch(&self, batch: &[Delivery]) -> Vec<Verdict> {
        let results = self.persister.apply(batch).await;
        self.warn_of_absence(&results);
        let mut refusals = self.refusals.lock();
        for (delivery, result) in batch.iter().zip(&results) {
            match result {
                Err(NotPersisted::RpcError(_)) => refusals.refused(delivery.seq),
                Ok(()) | Err(NotPersisted::Untold(_)) => refusals.taken(delivery.seq),
                Err(NotPersisted::Unreadable(_) | NotPersisted::Away(_)) => {}
            }
        }
        let verdicts = batch.iter().zip(results);
        verdicts.map(|(delivery, result)| self.verdict(delivery, result, &mut refusals)).collect()
    }
}

impl Persist {
    /// Once for all of them: what one is told, every event is.
    fn warn_of_absence(&self, results: &[Result<(), NotPersisted>]) {
        let away = || results.iter().filter(|result| matches!(result, Err(NotPersisted::Away(_))));
        if let Some(Err(e)) = away().next() {
            warn!(partition = %self.persister.partition, events = away().count(), error = %e, "events not stored yet");
        }
    }

    fn verdict(
        &self,
        delivery: &Delivery,
        result: Result<(), NotPersisted>,
        refusals: &mut Refusals,
    ) -> Verdict {
        let (partition, seq) = (self.persister.partition, delivery.seq);
        match result {
            Ok(()) => Verdict::Done,
            Err(NotPersisted::Unreadable(reason)) => Verdict::Park(reason),
            Err(NotPersisted::RpcError(e)) if refusals.is_poison(seq) => {
                refusals.forget(seq);
                Verdict::Park(e.to_string())
            }
            Err(e @ NotPersisted::RpcError(_)) => {
                error!(%partition, seq, error = %e, "event not stored");
                Verdict::Retry
            }
            Err(e @ NotPersisted::Untold(_)) => {
                warn!(%partition, seq, error = %e, "members not told yet");
                Verdict::Retry
            }
            Err(NotPersisted::Away(_)) => Verdict::Retry,
        }
    }
}
