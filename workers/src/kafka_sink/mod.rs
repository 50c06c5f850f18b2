//! The log becomes a Kafka topic, partition by partition, in order and without gaps. Arrives: one partition's log,
//! followed by one worker at a time. Leaves: a record for each event, `natter-seq` rising by exactly 1. Fails:
//! never for good; while Kafka is away the log keeps what is due, and nothing else is disturbed.
//!
//! The truth about what is in Kafka is Kafka: a worker that takes over reads the tail of its partition and goes on with
//! the next event. The consumer's ack floor only marks which deliveries need not come again.

mod options; // how Kafka is reached
mod topic; // made when missing, refused when it does not fit

mod sink; // what partitions share

mod pinned_consumer; // 1 one worker has the place at the head of a partition
mod take_over; // 2 it finds where to go on
mod topic_tail; //    by the end of Kafka's partition
mod follow; // 3 it goes on, event by event
mod reorder; //   what comes next, what may be acked
mod encoder; //   an event becomes a record
mod writer; //  records on their way into Kafka

mod lag; // how far Kafka is behind
mod health; // whether Kafka accepts events, logged once when it changes

mod audit_copy; // audit records beside the events

mod reader; // records read back
pub mod verify; // the topic against the log

use std::{sync::Arc, time::Duration};

use natter_nats::{apply::Deployment, async_nats::jetstream, log::LogReader, trace::TraceRing};
use natter_schemas::id::Partition;
use natter_seal::DataKeys;
use tokio::time::timeout;
use tokio_util::{sync::CancellationToken, task::TaskTracker};

pub use audit_copy::copy_audit;
use follow::Follower;
use health::KafkaHealth;
pub use options::Options;
use sink::KafkaSink;
use topic::TopicError;

/// A start waits so long for Kafka's word about the topic. One that is away later does not end the process, so one
/// that is away now does not keep it from starting.
const STARTUP_TIMEOUT: Duration = Duration::from_secs(5);

/// The topic does not fit the log, or may not be made: a sentence for the operator.
#[derive(Debug, thiserror::Error)]
#[error(transparent)]
pub struct KafkaSinkError(TopicError);

/// Begins to mirror every partition; ends on `tracker` after `stop`.
pub async fn start(
    options: Options,
    (js, log, keys, trace): (jetstream::Context, LogReader, DataKeys, TraceRing),
    deployment: Arc<Deployment>,
    tracker: &TaskTracker,
    stop: &CancellationToken,
) -> Result<(), KafkaSinkError> {
    let health = KafkaHealth::default();
    match timeout(STARTUP_TIMEOUT, topic::ensure(&options, deployment.partitions)).await {
        Ok(Ok(())) => {}
        Ok(Err(TopicError::Unavailable(reason))) => health.unavailable(&reason),
        Err(_) => health.unavailable("no answer in time"),
        Ok(Err(misfit)) => return Err(KafkaSinkError(misfit)),
    }
    let partitions = deployment.partitions;
    tracker.spawn(lag::watch(log.clone(), partitions, stop.clone()));
    let mirror = Arc::new(KafkaSink { options, js, log, deployment, keys, health, trace });
    for partition in Partition::all(partitions) {
        tracker.spawn(Follower::new(Arc::clone(&mirror), partition).run(stop.clone()));
    }
    Ok(())
}
