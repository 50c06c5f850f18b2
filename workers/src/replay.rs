//! A partition's log persisted again, for a store that was lost or restored from a backup. It may run beside
//! workers: every event may be persisted any number of times.

use std::{collections::HashMap, time::Duration};

use natter_nats::log::{LogError, LogReader, StoredMessage};
use natter_schemas::{
    backoff::Backoff,
    event::LogEntry,
    id::{ConversationId, EventId, Seq, UserId},
};
use tokio::time::sleep;

use crate::{
    capped_list::CappedList,
    consume::Delivery,
    control::{self, NotifyError},
    persist::{NotPersisted, Persister},
};

/// How often a store that does not answer is asked again: for about half a minute in all.
const RETRIES: u32 = 5;
const BACKOFF_MIN: Duration = Duration::from_secs(1);
const BACKOFF_MAX: Duration = Duration::from_secs(16);
/// Seqs shown of each kind of failure.
const SHOWN: usize = 1_000;

#[derive(Debug, thiserror::Error)]
pub enum ReplayError {
    #[error(transparent)]
    Log(#[from] LogError),
    #[error("{0}")]
    Unavailable(NotPersisted),
    #[error("everything is stored, but not all memberships are published: {0}")]
    NotNotified(#[from] NotifyError),
}

/// What became of a partition's events.
#[derive(Debug)]
pub struct Replayed {
    /// Of the first and the last event found.
    pub first: Option<Seq>,
    pub last: Option<Seq>,
    pub stored: u64,
    /// No events, or not of this place; with the reason.
    pub unreadable: CappedList<(Seq, String)>,
    /// The store has something else in their place.
    pub refused: CappedList<(Seq, String)>,
    /// Memberships published to edges.
    pub notified: usize,
}

pub struct Replay {
    pub persister: Persister,
    pub log: LogReader,
}

impl Replay {
    /// Persists what the log has from `from` to `to`, both included. `passed` is called with the number of positions done
    /// with each batch. On an error `done` has what was done; everything below its last seq is stored.
    pub async fn run(
        &self,
        (from, to): (Seq, Seq),
        done: &mut Replayed,
        passed: impl Fn(u64),
    ) -> Result<(), ReplayError> {
        // Published at the end: in between, the store knows of people who are added and not yet that they left.
        let mut members = HashMap::new();
        let mut next = from;
        while next <= to {
            let mut kept = self.log.in_order(self.persister.partition, next).await?;
            kept.truncate(kept.partition_point(|event| event.seq <= to));
            let Some(last) = kept.last().map(|event| event.seq) else { break };
            self.batch(&kept, done, &mut members).await?;
            done.first = done.first.or(kept.first().map(|event| event.seq));
            done.last = Some(last);
            passed(last + 1 - next);
            next = last + 1;
        }
        passed((to + 1).saturating_sub(next));
        done.notified = members.len();
        let members = members.into_iter().map(|((conversation, user), event)| (conversation, user, event));
        control::notify_each(&*self.persister.store, &self.persister.publisher, members).await?;
        Ok(())
    }

    async fn batch(
        &self,
        kept: &[StoredMessage],
        done: &mut Replayed,
        members: &mut HashMap<(ConversationId, UserId), EventId>,
    ) -> Result<(), ReplayError> {
        let mut events = Vec::with_capacity(kept.len());
        let deliveries: Vec<_> = kept.iter().cloned().map(Delivery::from).collect();
        for (delivery, read) in deliveries.iter().zip(self.persister.read_all(&deliveries).await) {
            match read {
                Ok(logged) => events.push(logged),
                Err(unavailable @ NotPersisted::Unavailable(_)) => {
                    return Err(ReplayError::Unavailable(unavailable));
                }
                Err(unreadable) => done.unreadable.push((delivery.seq, unreadable.to_string())),
            }
        }
        for (LogEntry { seq, event }, result) in events.iter().zip(self.store(&events).await?) {
            match result {
                Ok(()) => {
                    done.stored += 1;
                    let concerned = control::concerned(event).into_iter();
                    members.extend(concerned.map(|user| ((event.conversation, user), event.id)));
                }
                Err(refused) => done.refused.push((*seq, refused.to_string())),
            }
        }
        Ok(())
    }

    /// Stored or refused, when it returns a result for each.
    async fn store(&self, events: &[LogEntry]) -> Result<Vec<Result<(), NotPersisted>>, ReplayError> {
        let mut backoff = Backoff::new(BACKOFF_MIN, BACKOFF_MAX);
        loop {
            let mut results = self.persister.store(events).await;
            let is_away =
                |result: &Result<(), NotPersisted>| matches!(result, Err(NotPersisted::Unavailable(_)));
            let Some(away) = results.iter().position(is_away) else { return Ok(results) };
            if backoff.failures() == RETRIES {
                let Err(away) = results.swap_remove(away) else { continue };
                return Err(ReplayError::Unavailable(away));
            }
            sleep(backoff.next_delay()).await;
        }
    }
}

impl Default for Replayed {
    fn default() -> Self {
        Self {
            first: None,
            last: None,
            stored: 0,
            unreadable: CappedList::of(SHOWN),
            refused: CappedList::of(SHOWN),
            notified: 0,
        }
    }
}
