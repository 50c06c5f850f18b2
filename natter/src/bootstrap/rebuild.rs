//! A store that has nothing beside a log that was persisted before: the file was deleted, or is another one. What the
//! log still has is persisted again before anything else starts.

use anyhow::Context;
use natter_schemas::id::{Partition, Seq};
use natter_workers::{
    Dependencies,
    persist::Persister,
    replay::{Replay, Replayed},
};
use tracing::{info, warn};

/// Whether the store has no event, though the log's persister has acked some.
pub async fn is_due(dependencies: &Dependencies) -> anyhow::Result<bool> {
    for partition in Partition::all(dependencies.deployment.partitions) {
        if dependencies.store.highest(partition).await? > 0 {
            return Ok(false);
        }
    }
    Ok(dependencies.log.floors().await?.iter().any(|floor| *floor > 0))
}

/// Persists again everything that the log still has and had persisted; what lies above is persisted as always.
pub async fn run(dependencies: &Dependencies) -> anyhow::Result<()> {
    let floors = dependencies.log.floors().await?;
    warn!(
        partitions = floors.len(),
        highest_seq = floors.iter().max(),
        "the store is empty beside a log that was persisted before; it is rebuilt from the log. Accounts, sessions, read \
         marks and blocks are in no log and are lost"
    );
    let (mut events, mut unusable) = (0, 0);
    for (partition, floor) in Partition::all(dependencies.deployment.partitions).zip(floors) {
        let done = replayed(dependencies, partition, floor).await.with_context(|| {
            format!(
                "the store could not be rebuilt from the log of partition {partition}; start again to go on"
            )
        })?;
        events += done.stored;
        unusable += done.unreadable.total + done.refused.total;
    }
    metrics::counter!("natter_store_rebuilt_events_total").increment(events);
    if unusable > 0 {
        warn!(unusable, "events of the log could not be stored; `natter replay --from 1` lists them");
    }
    info!(events, "the store is rebuilt from the log");
    Ok(())
}

async fn replayed(dependencies: &Dependencies, partition: Partition, floor: Seq) -> anyhow::Result<Replayed> {
    let persister = Persister {
        partition,
        partitions: dependencies.deployment.partitions,
        store: dependencies.store.clone(),
        publisher: dependencies.publisher.clone(),
        log: dependencies.log.clone(),
    };
    let mut done = Replayed::default();
    let replay = Replay { persister, log: dependencies.log.clone() };
    replay.run((1, floor), &mut done, |_| {}).await?;
    Ok(done)
}
