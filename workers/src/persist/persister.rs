//! One event, or several of one partition, as rows; and the memberships they change are published.

use std::sync::Arc;

use natter_nats::{
    log::{Claim, LogReader, Unusable},
    publisher::Publisher,
    subject,
};
use natter_schemas::{codec, event::LogEntry, id::Partition};
use natter_store::{Store, StoreError};

use crate::{
    consume::Delivery,
    control::{self, NotifyError},
};

#[derive(Debug, thiserror::Error)]
pub enum NotPersisted {
    /// No event, or not one of this place: it will never be a row.
    #[error("{0}")]
    Unreadable(String),
    /// The store is there, and cannot put this event beside what it has.
    #[error("{0}")]
    Rejected(StoreError),
    #[error("{0}")]
    Unavailable(StoreError),
    /// It is stored, but the memberships it changes are not published.
    #[error("it is stored, but the memberships it changes are not published: {0}")]
    NotNotified(NotifyError),
}

impl From<StoreError> for NotPersisted {
    fn from(error: StoreError) -> Self {
        match error {
            StoreError::Unavailable(_) => Self::Unavailable(error),
            StoreError::Corrupt(_) => Self::Rejected(error),
        }
    }
}

/// What the job `persist` does about the events of one partition. Any event any number of times.
pub struct Persister {
    pub partition: Partition,
    pub partitions: u16,
    pub store: Arc<dyn Store>,
    pub publisher: Publisher,
    /// Says which decisions no worker made.
    pub log: LogReader,
}

impl Persister {
    /// Each event decoded, judged, stored and announced; one result for each.
    pub async fn apply(&self, batch: &[Delivery]) -> Vec<Result<(), NotPersisted>> {
        let mut events = Vec::with_capacity(batch.len());
        let read: Vec<Result<usize, NotPersisted>> = self
            .read_all(batch)
            .await
            .into_iter()
            .map(|read| {
                events.push(read?);
                Ok(events.len() - 1)
            })
            .collect();
        if let Some(last) = events.iter().map(|logged| logged.seq).max() {
            self.publisher.health().reaches(self.partition, last);
        }
        let mut stored = self.store(&events).await.into_iter();
        let mut results = Vec::with_capacity(batch.len());
        for event in read {
            results.push(match event {
                Ok(at) => match stored.next() {
                    Some(Ok(())) => self.notify(&events[at]).await.map_err(NotPersisted::NotNotified),
                    Some(Err(refused)) => Err(refused),
                    None => Err(StoreError::Unavailable("it gave no answer".to_owned()).into()),
                },
                Err(unreadable) => Err(unreadable),
            });
        }
        results
    }

    /// Each event decoded; one that says what only workers decide, and none did, is none.
    pub async fn read_all(&self, batch: &[Delivery]) -> Vec<Result<LogEntry, NotPersisted>> {
        let mut all: Vec<_> = batch.iter().map(|one| read(one, self.partition, self.partitions)).collect();
        let claims = batch.iter().zip(&all).filter_map(|(delivery, read)| {
            let Delivery { seq, payload, proof, .. } = delivery;
            Some(Claim { seq: *seq, event: &read.as_ref().ok()?.event, payload, proof: *proof })
        });
        let forged = self.log.forged(self.partition, claims.collect()).await;
        for read in &mut all {
            let Ok(LogEntry { seq, event }) = read else { continue };
            match &forged {
                Ok(forged) if forged.contains(seq) => {
                    *read = Err(NotPersisted::Unreadable(Unusable::Forged.to_string()));
                }
                Err(error) if event.kind.is_decision() => {
                    *read = Err(StoreError::Unavailable(error.to_string()).into());
                }
                _ => {}
            }
        }
        all
    }

    /// One result for each event.
    pub async fn store(&self, events: &[LogEntry]) -> Vec<Result<(), NotPersisted>> {
        if events.is_empty() {
            return Vec::new();
        }
        match self.store.persist(self.partition, events).await {
            Ok(()) => events.iter().map(|_| Ok(())).collect(),
            Err(e @ StoreError::Unavailable(_)) => {
                events.iter().map(|_| Err(NotPersisted::Unavailable(e.clone()))).collect()
            }
            Err(StoreError::Corrupt(_)) => self.store_singly(events).await,
        }
    }

    /// One row that cannot be read must not hold up the others.
    async fn store_singly(&self, events: &[LogEntry]) -> Vec<Result<(), NotPersisted>> {
        let mut stored = Vec::with_capacity(events.len());
        for logged in events {
            let result = self.store.persist(self.partition, std::slice::from_ref(logged)).await;
            stored.push(result.map_err(NotPersisted::from));
        }
        stored
    }

    /// Publishes the memberships that a stored event changes.
    pub async fn notify(&self, logged: &LogEntry) -> Result<(), NotifyError> {
        control::notify_members(&*self.store, &self.publisher, logged).await
    }
}

/// An event is believed only where it belongs: its own id of the conversation decides the place.
pub fn read(delivery: &Delivery, partition: Partition, partitions: u16) -> Result<LogEntry, NotPersisted> {
    let unreadable = |why: &str| NotPersisted::Unreadable(why.to_owned());
    let event = codec::decode(&delivery.payload).map_err(|e| unreadable(&e.to_string()))?;
    if subject::parse_conversation(&delivery.subject) != Some((partition, event.conversation)) {
        return Err(unreadable("the event is of another conversation than its subject"));
    }
    if Partition::of(event.conversation, partitions) != partition {
        return Err(unreadable("the conversation is of another partition"));
    }
    Ok(LogEntry { seq: delivery.seq, event })
}
