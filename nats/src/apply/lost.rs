//! What a deployment had and its server has no more: found before anything is made again in its place.

use std::fmt;

use async_nats::jetstream::Context;
use natter_schemas::id::{Partition, Seq};

use super::{ApplyError, current::Server, highest_of, is_deployed};
use crate::topology::{Topology, bucket_stream, log_stream};

/// What is gone of a server that events were published to before.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Lost {
    /// The bucket with the epoch and the event key.
    pub bucket: bool,
    /// Partitions without their log.
    pub logs: Vec<Partition>,
    /// Partitions whose log ends below the store: it was rolled back, or is another's.
    pub behind: Vec<Partition>,
    /// Of the deployment.
    pub partitions: u16,
    /// Events in the logs that are there.
    pub logged: u64,
    /// In the store.
    pub highest: Seq,
}

impl Lost {
    /// Whether something is gone.
    pub const fn anything(&self) -> bool {
        self.needs_consent() || !self.logs.is_empty()
    }

    /// Whether an operator has to accept that it is made again: what is gone may still exist somewhere.
    pub const fn needs_consent(&self) -> bool {
        self.bucket || !self.behind.is_empty()
    }
}

/// Reads only. `highest` is the highest seq the store holds, by partition.
pub async fn lost(js: &Context, topology: &Topology, highest: &[Seq]) -> Result<Lost, ApplyError> {
    let server = Server::new(js);
    // Without the number of partitions no one has provisioned to the end, or the key is lost.
    let bucket = is_deployed(js).await?;
    let (mut logs, mut behind) = (Vec::new(), Vec::new());
    let mut logged = 0;
    for p in Partition::all(topology.partitions) {
        match server.stream(&log_stream(p)).await? {
            Some(found) => {
                logged += found.messages;
                if found.last < highest_of(highest, p) {
                    behind.push(p);
                }
            }
            None if bucket || highest_of(highest, p) > 0 => logs.push(p),
            None => {}
        }
    }
    let highest = highest.iter().copied().max().unwrap_or(0);
    // A server that never had an event has lost none.
    let bucket = !bucket && (logged > 0 || highest > 0);
    Ok(Lost { bucket, logs, behind, partitions: topology.partitions, logged, highest })
}

/// Deletes logs that were rolled back, for [`apply`](super::apply) to make them again above the store.
pub async fn discard(js: &Context, behind: &[Partition]) -> Result<(), ApplyError> {
    for p in behind {
        let stream = log_stream(*p);
        js.delete_stream(&stream).await.map_err(|error| ApplyError::Rejected {
            what: format!("stream {stream}"),
            reason: error.to_string(),
        })?;
    }
    Ok(())
}

/// In one sentence, without its end.
impl fmt::Display for Lost {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { bucket, logs, behind, partitions, logged, highest } = self;
        let mut gone = Vec::new();
        if *bucket {
            gone.push(format!("the bucket with its epoch and event key (stream {})", bucket_stream()));
        }
        if !logs.is_empty() {
            gone.push(format!("the events of {} of {partitions} partitions", logs.len()));
        }
        if !behind.is_empty() {
            let count = behind.len();
            gone.push(format!(
                "the last events of {count} of {partitions} partitions, whose logs were rolled back"
            ));
        }
        write!(
            f,
            "a part of the log is gone: {}. The store has events up to seq {highest}, what is left of the log has \
             {logged} events",
            gone.join(" and ")
        )
    }
}
