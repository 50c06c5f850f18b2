//! The log's events become rows. Arrives: a batch of one partition's log. Leaves: rows in the store, and for
//! changes of members a word to every edge. Fails: with `Retry` while the store is away, so that nothing is
//! acked that is not stored.

use std::sync::Arc;

use nats::{publisher::Publisher, subject, topology};
use schemas::{
    codec,
    event::Logged,
    id::{EventId, Partition},
};
use store::{Store, StoreError};
use tokio_util::sync::CancellationToken;
use tracing::{error, warn};

use crate::{
    consume::{Delivery, Loop, Verdict, Work},
    control,
    park::Park,
    start::Deps,
};

/// Follows one partition until told to stop.
pub async fn run(deps: Deps, partition: Partition, stop: CancellationToken) {
    let persist = Persist {
        partition,
        partitions: deps.deployment.partitions,
        store: Arc::clone(&deps.store),
        publisher: deps.publisher.clone(),
    };
    let follow = Loop {
        work: persist,
        partition,
        stream: topology::log_stream(partition),
        consumer: topology::PERSIST.to_owned(),
        park: Park::new(deps.js.clone()),
        js: deps.js,
    };
    follow.run(stop).await;
}

struct Persist {
    partition: Partition,
    partitions: u16,
    store: Arc<dyn Store>,
    publisher: Publisher,
}

impl Work for Persist {
    const NAME: &'static str = "persist";

    async fn batch(&self, batch: &[Delivery]) -> Vec<Verdict> {
        let read: Vec<Result<Logged, String>> = batch.iter().map(|delivery| self.read(delivery)).collect();
        let events: Vec<Logged> = read.iter().flatten().cloned().collect();
        let mut stored = self.store(&events).await.into_iter();
        let mut verdicts = Vec::with_capacity(batch.len());
        for event in read {
            verdicts.push(match event {
                Err(reason) => Verdict::Park(reason),
                Ok(logged) if stored.next() == Some(true) => self.tell(&logged).await,
                Ok(_) => Verdict::Retry,
            });
        }
        verdicts
    }
}

impl Persist {
    /// An event is believed only where it belongs: its own id of the conversation decides the place.
    fn read(&self, delivery: &Delivery) -> Result<Logged, String> {
        let event = codec::decode(&delivery.payload).map_err(|e| e.to_string())?;
        let at_home = (self.partition, event.conversation);
        if subject::parse_conversation(&delivery.subject) != Some(at_home) {
            return Err("the event is of another conversation than its subject".to_owned());
        }
        if Partition::of(event.conversation, self.partitions) != self.partition {
            return Err("the conversation is of another partition".to_owned());
        }
        Ok(Logged { seq: delivery.seq, event })
    }

    /// Which of the events are stored.
    async fn store(&self, events: &[Logged]) -> Vec<bool> {
        if events.is_empty() {
            return Vec::new();
        }
        match self.store.persist(self.partition, events).await {
            Ok(()) => vec![true; events.len()],
            Err(e @ StoreError::Unavailable(_)) => {
                warn!(partition = %self.partition, events = events.len(), error = %e, "events not stored yet");
                vec![false; events.len()]
            }
            Err(StoreError::Corrupt(_)) => self.store_singly(events).await,
        }
    }

    /// One row that cannot be read must not hold up the others.
    async fn store_singly(&self, events: &[Logged]) -> Vec<bool> {
        let mut stored = Vec::with_capacity(events.len());
        for logged in events {
            let result = self.store.persist(self.partition, std::slice::from_ref(logged)).await;
            if let Err(e) = &result {
                let (partition, id): (_, EventId) = (self.partition, logged.event.id);
                error!(%partition, seq = logged.seq, event = %id, error = %e, "event not stored");
            }
            stored.push(result.is_ok());
        }
        stored
    }

    async fn tell(&self, logged: &Logged) -> Verdict {
        match control::tell_members(&*self.store, &self.publisher, logged).await {
            Ok(()) => Verdict::Done,
            Err(e) => {
                warn!(partition = %self.partition, seq = logged.seq, error = %e, "members not told yet");
                Verdict::Retry
            }
        }
    }
}
