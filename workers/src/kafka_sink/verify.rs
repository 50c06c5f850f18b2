//! The topic against the log, partition by partition: complete, in order, without repeats, and each record what its
//! event becomes. What either side has forgotten by age is not held against the other.

mod audit; // pure: a partition's records, one after the other

use std::{
    collections::VecDeque,
    ops::{ControlFlow, Range},
    time::Duration,
};

use natter_nats::{
    apply::Deployment,
    log::{Extent, LogError, LogReader},
};
use natter_schemas::{
    cloudevent::Content,
    id::{Partition, Seq},
    rpc::RpcError,
};
use natter_seal::DataKeys;
use tokio::{
    sync::mpsc,
    task::spawn_blocking,
    time::{Instant, sleep},
};

use super::{
    encoder::RecordEncoder,
    options::{Options, discard},
    reader::{KafkaRecord, ReadError, Reader},
};
use crate::{capped_list::CappedList, consume::Delivery};
use audit::Audit;
pub use audit::Fault;

/// Faults shown of a partition.
const SHOWN: usize = 10;
/// Records that wait while the log is read.
const READ_AHEAD: usize = 1_024;
/// Between two looks at a topic that is still being written.
const POLL_INTERVAL: Duration = Duration::from_millis(200);

#[derive(Debug, thiserror::Error)]
pub enum VerifyError {
    #[error(transparent)]
    Log(#[from] LogError),
    #[error("the topic cannot be read: {0}")]
    Kafka(String),
    #[error("no keys for texts that went out plain: {0}")]
    Keys(#[from] RpcError),
}

impl From<ReadError> for VerifyError {
    fn from(error: ReadError) -> Self {
        Self::Kafka(error.to_string())
    }
}

/// What was found in one partition.
#[derive(Debug)]
pub struct PartitionReport {
    pub partition: Partition,
    /// Records of any epoch.
    pub records: u64,
    /// First and last seq of the present epoch in Kafka.
    pub range: Option<(Seq, Seq)>,
    /// Records that are what the log's event becomes.
    pub equal: u64,
    /// Of these, written under another `KAFKA_CONTENT` than the present one.
    pub other_content: u64,
    /// Kafka has forgotten the beginning.
    pub expired: bool,
    pub faults: CappedList<Fault>,
}

impl PartitionReport {
    pub const fn is_whole(&self) -> bool {
        self.faults.is_empty()
    }
}

pub struct Verifier {
    pub options: Options,
    pub log: LogReader,
    pub deployment: Deployment,
    /// Of texts that went out plain.
    pub keys: DataKeys,
    /// How long a mirror that is behind may take to catch up with where the log was at the start.
    pub patience: Duration,
}

impl Verifier {
    pub async fn partition(&self, partition: Partition) -> Result<PartitionReport, VerifyError> {
        let log = self.log.extent(partition).await?;
        let encoder = RecordEncoder {
            partition,
            partitions: self.deployment.partitions,
            epoch: self.deployment.epoch.clone(),
            content: self.options.kafka.content,
        };
        let walk = PartitionCheck {
            verifier: self,
            audit: Audit::new(&encoder.epoch, log, SHOWN),
            encoder,
            events: VecDeque::new(),
            equal: 0,
            other_content: 0,
        };
        walk.run(log).await
    }
}

struct PartitionCheck<'a> {
    verifier: &'a Verifier,
    audit: Audit,
    encoder: RecordEncoder,
    /// Read from the log, ascending, for records to come.
    events: VecDeque<Delivery>,
    equal: u64,
    other_content: u64,
}

impl PartitionCheck<'_> {
    async fn run(mut self, log: Extent) -> Result<PartitionReport, VerifyError> {
        let p = i32::from(self.encoder.partition.0);
        let options = self.verifier.options.clone();
        let opened = spawn_blocking(move || {
            let reader = Reader::new(&options)?;
            let ends = reader.ends(p)?;
            Ok::<_, ReadError>((reader, ends))
        });
        let (mut reader, ends) = opened.await.map_err(|e| VerifyError::Kafka(e.to_string()))??;
        self.audit.begin(ends.start);
        let (mut from, mut end) = (ends.start, ends.end);
        let deadline = Instant::now() + self.verifier.patience;
        loop {
            reader = self.records(reader, from..end).await?;
            from = end.max(from);
            if self.audit.reached(log.last) || Instant::now() >= deadline {
                break;
            }
            sleep(POLL_INTERVAL).await;
            let asked = spawn_blocking(move || {
                let ends = reader.ends(p)?;
                Ok::<_, ReadError>((reader, ends.end))
            });
            (reader, end) = asked.await.map_err(|e| VerifyError::Kafka(e.to_string()))??;
        }
        discard(reader);
        let floor = self.verifier.log.mirror_floor(self.encoder.partition).await?;
        let partition = self.encoder.partition;
        let (equal, other_content) = (self.equal, self.other_content);
        let (records, range, expired, faults) = self.audit.end(floor);
        Ok(PartitionReport { partition, records, range, equal, other_content, expired, faults })
    }

    /// A thread reads, this compares.
    async fn records(&mut self, reader: Reader, range: Range<i64>) -> Result<Reader, VerifyError> {
        let p = i32::from(self.encoder.partition.0);
        let (to, mut records) = mpsc::channel(READ_AHEAD);
        let reading = spawn_blocking(move || {
            let read = reader.read(p, range, |found| match to.blocking_send(found) {
                Ok(()) => ControlFlow::Continue(()),
                Err(_) => ControlFlow::Break(()),
            });
            read.map(|()| reader)
        });
        while let Some(found) = records.recv().await {
            if let Some(seq) = self.audit.see(&found) {
                self.compare(seq, &found).await?;
            }
        }
        Ok(reading.await.map_err(|e| VerifyError::Kafka(e.to_string()))??)
    }

    async fn compare(&mut self, seq: Seq, found: &KafkaRecord) -> Result<(), VerifyError> {
        let Some(event) = self.event(seq).await? else {
            if seq > self.verifier.log.extent(self.encoder.partition).await?.last {
                self.audit.beyond(seq, found.offset);
            }
            return Ok(());
        };
        // Plain last: it needs keys.
        let contents = [self.encoder.content, Content::Sealed, Content::Omitted, Content::Plain];
        let mut difference = None;
        for (n, content) in contents.into_iter().enumerate() {
            let encoder = RecordEncoder { content, ..self.encoder.clone() };
            let (record, _) = encoder.opened_record(&event, &self.verifier.keys).await?;
            match audit::difference(found, &record) {
                None => {
                    self.equal += 1;
                    self.other_content += u64::from(n > 0);
                    return Ok(());
                }
                Some(differs) => difference = difference.or(Some(differs)),
            }
        }
        self.audit.changed(seq, found.offset, difference.unwrap_or_default());
        Ok(())
    }

    /// The log's event at `seq`; None: the log does not have it (any more).
    async fn event(&mut self, seq: Seq) -> Result<Option<Delivery>, VerifyError> {
        loop {
            while self.events.front().is_some_and(|event| event.seq < seq) {
                self.events.pop_front();
            }
            match self.events.front() {
                Some(event) => return Ok((event.seq == seq).then(|| event.clone())),
                None => {
                    let read = self.verifier.log.in_order(self.encoder.partition, seq).await?;
                    if read.is_empty() {
                        return Ok(None);
                    }
                    self.events.extend(read.into_iter().map(Delivery::from));
                }
            }
        }
    }
}
