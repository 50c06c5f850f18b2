//! Parked events, taken up by a person: looked at, run again, removed.

use std::{sync::Arc, time::Duration};

use bytes::Bytes;
use natter_nats::{
    async_nats::jetstream,
    header as headers,
    log::{LogError, LogReader, StoredMessage},
    publisher::Publisher,
    subject, topology,
};
use natter_schemas::{
    codec::{self, CodecError},
    decision::Proof,
    event::{Event, Timestamp},
    id::{Partition, Seq},
};
use natter_store::Store;
use tokio::time::interval;
use tokio_util::sync::CancellationToken;
use tracing::debug;

use crate::{
    consume::Delivery,
    persist::{self, NotPersisted, Persister},
};

/// Between two looks at how many there are: often enough for an alert.
const COUNT_EVERY: Duration = Duration::from_secs(10);

/// Reports how many there are until `stop`, so that an alert lasts until someone has looked at them.
pub async fn count(log: LogReader, stop: CancellationToken) {
    let mut turn = interval(COUNT_EVERY);
    while stop.run_until_cancelled(turn.tick()).await.is_some() {
        match log.parked_count().await {
            #[expect(clippy::cast_precision_loss, reason = "a graph needs no more than 53 bits")]
            Ok(events) => metrics::gauge!("natter_parked_events").set(events as f64),
            Err(error) => debug!(%error, "how many events are parked is not known"),
        }
    }
}

/// One parked event. Fields its headers lack are `None`: it may have been put there by hand.
#[derive(Debug, Clone)]
pub struct Parked {
    /// Its seq in stream `PARKED`: what people name it by.
    pub number: Seq,
    pub at: Option<Timestamp>,
    pub job: String,
    pub partition: Partition,
    /// Where in the partition's log it was.
    pub seq: Option<Seq>,
    /// The subject it had there.
    pub subject: Option<String>,
    pub reason: String,
    /// That a worker decided it.
    pub proof: Option<Proof>,
    pub payload: Bytes,
}

impl Parked {
    pub fn decode(&self) -> Result<Event, CodecError> {
        codec::decode(&self.payload)
    }

    /// `None` for what is no parked event at all.
    fn of(kept: StoredMessage) -> Option<Self> {
        let (job, partition) = subject::parse_parked(&kept.subject)?;
        let header = |name| kept.headers.get(name).map(|value| value.as_str().to_owned());
        Some(Self {
            number: kept.seq,
            at: kept.at(),
            job: job.to_owned(),
            partition,
            seq: header(headers::PARKED_SEQ).and_then(|seq| seq.parse().ok()),
            subject: header(headers::PARKED_SUBJECT),
            reason: header(headers::PARKED_REASON).unwrap_or_default(),
            proof: headers::proof(Some(&kept.headers)),
            payload: kept.payload,
        })
    }
}

#[derive(Debug, thiserror::Error)]
pub enum ParkedError {
    #[error("stream PARKED: {0}")]
    Log(#[from] LogError),
    #[error("{number} is not removed: {reason}")]
    Remove { number: Seq, reason: String },
}

/// Which of them.
#[derive(Debug, Clone, Default)]
pub struct Filter {
    pub job: Option<String>,
    pub partition: Option<Partition>,
}

/// Stream `PARKED`.
pub struct ParkedEvents {
    pub log: LogReader,
    pub js: jetstream::Context,
}

impl ParkedEvents {
    /// The next from number `from` on, ascending, in portions of at most 500 and about 4 MiB. None: there are no
    /// more.
    pub async fn from(&self, filter: &Filter, from: Seq) -> Result<Vec<Parked>, ParkedError> {
        let subjects = subject::parked_by(filter.job.as_deref(), filter.partition);
        let kept = self.log.parked_in_order(&subjects, from).await?;
        Ok(kept.into_iter().filter_map(Parked::of).collect())
    }

    pub async fn get(&self, number: Seq) -> Result<Option<Parked>, ParkedError> {
        Ok(self.log.parked_at(number).await?.and_then(Parked::of))
    }

    /// For good. One that is gone already is gone.
    pub async fn remove(&self, number: Seq) -> Result<(), ParkedError> {
        let failed = |reason: String| ParkedError::Remove { number, reason };
        let stream = self.js.get_stream_no_info(topology::PARKED).await;
        let stream = stream.map_err(|e| failed(e.to_string()))?;
        match stream.delete_message(number).await {
            Ok(true) => Ok(()),
            Ok(false) => Err(failed("the server gave no reason".to_owned())),
            Err(_) if self.log.parked_at(number).await?.is_none() => Ok(()),
            Err(e) => Err(failed(e.to_string())),
        }
    }
}

#[derive(Debug, thiserror::Error)]
pub enum RerunError {
    #[error("no job {0} has work that can be run again")]
    NotRerunnable(String),
    #[error("its position in the log is not recorded")]
    NoPosition,
    #[error("this deployment has no partition {0}")]
    NoPartition(Partition),
    #[error(transparent)]
    NotPersisted(#[from] NotPersisted),
}

/// Runs a job's work for one event again, as the job would have.
pub struct Rerun {
    pub partitions: u16,
    pub store: Arc<dyn Store>,
    pub publisher: Publisher,
    pub log: LogReader,
}

impl Rerun {
    pub async fn run(&self, parked: &Parked) -> Result<(), RerunError> {
        if parked.job != persist::JOB {
            return Err(RerunError::NotRerunnable(parked.job.clone()));
        }
        if parked.partition.0 >= self.partitions {
            return Err(RerunError::NoPartition(parked.partition));
        }
        let (Some(seq), Some(subject)) = (parked.seq, parked.subject.clone()) else {
            return Err(RerunError::NoPosition);
        };
        let persister = Persister {
            partition: parked.partition,
            partitions: self.partitions,
            store: Arc::clone(&self.store),
            publisher: self.publisher.clone(),
            log: self.log.clone(),
        };
        let (payload, proof) = (parked.payload.clone(), parked.proof);
        let delivery = Delivery { subject, seq, payload, proof, origin: None };
        persister.apply(&[delivery]).await.into_iter().try_for_each(|result| result.map_err(RerunError::from))
    }
}
