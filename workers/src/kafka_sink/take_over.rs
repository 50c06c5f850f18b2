//! Where to go on. Arrives: a worker that has just got the place at the head of a partition. Leaves: a writer, and
//! the seq it begins with. Fails: when Kafka is away, or holds something else than this log.

use natter_nats::{
    log::{LogError, LogReader},
    trace::TraceRing,
};
use natter_schemas::id::Seq;
use tokio::task::spawn_blocking;
use tracing::info;

use super::{
    encoder::RecordEncoder,
    options::Options,
    reader::ReadError,
    topic::{self, TopicError},
    topic_tail::{self, TopicTail},
    writer::{WriteError, Writer},
};
use crate::consume::Delivery;

#[derive(Debug, thiserror::Error)]
pub enum TakeOverError {
    #[error(transparent)]
    Topic(#[from] TopicError),
    #[error("the end of the topic cannot be read: {0}")]
    TopicTail(#[from] ReadError),
    #[error("no producer: {0}")]
    Writer(#[from] WriteError),
    #[error(transparent)]
    Log(#[from] LogError),
    #[error(
        "Kafka has events up to seq {kafka}, but the log ends at {log}: the log was rolled back or is another one. Restore it, or delete the stream and run `natter migrate`, which begins a new epoch"
    )]
    Ahead { kafka: Seq, log: Seq },
    #[error(
        "Kafka and the log have different events at seq {seq}: the log was rolled back or is another one. Restore it, or delete the stream and run `natter migrate`, which begins a new epoch"
    )]
    Differs { seq: Seq },
}

impl TakeOverError {
    /// Kafka is not there; the others are for people to mend.
    pub const fn is_absence(&self) -> bool {
        match self {
            Self::Topic(TopicError::Unavailable(_)) | Self::TopicTail(_) | Self::Writer(_) | Self::Log(_) => {
                true
            }
            Self::Topic(TopicError::Partitions { .. } | TopicError::CreateFailed { .. })
            | Self::Ahead { .. }
            | Self::Differs { .. } => false,
        }
    }
}

pub async fn take_over(
    options: &Options,
    encoder: &RecordEncoder,
    log: &LogReader,
    trace: &TraceRing,
) -> Result<(Writer, Seq), TakeOverError> {
    topic::ensure(options, encoder.partitions).await?;
    let reading = {
        let (options, encoder) = (options.clone(), encoder.clone());
        spawn_blocking(move || topic_tail::read(&options, i32::from(encoder.partition.0), &encoder.epoch))
    };
    let tail = reading.await.map_err(|e| ReadError(e.to_string()))??;
    let next = next_after(&tail, encoder, log).await?;
    info!(partition = %encoder.partition, found = ?tail, seq = next, "mirroring this partition from here on");
    Ok((Writer::new(options, encoder.partition, trace)?, next))
}

async fn next_after(
    tail: &TopicTail,
    encoder: &RecordEncoder,
    log: &LogReader,
) -> Result<Seq, TakeOverError> {
    let extent = log.extent(encoder.partition).await?;
    match tail {
        TopicTail::At { seq, id } => {
            let (kafka, last) = (*seq, extent.last);
            if kafka > last {
                return Err(TakeOverError::Ahead { kafka, log: last });
            }
            let same = log.in_order(encoder.partition, kafka).await?.into_iter().next();
            if let Some(event) = same.filter(|event| event.seq == kafka).map(Delivery::from)
                && Some(encoder.record(&event).0.id.to_string()) != *id
            {
                return Err(TakeOverError::Differs { seq: kafka });
            }
            Ok(kafka + 1)
        }
        // Nothing is acked that Kafka did not have, so what it has forgotten reaches to the ack floor. Beginning
        // with the log would repeat, in front of every consumer, up to a week of it.
        TopicTail::Expired => Ok((log.mirror_floor(encoder.partition).await? + 1).max(extent.first)),
        // A topic that is new, or made again, gets all the log has.
        TopicTail::Nothing => Ok(extent.first),
    }
}
