//! The streams and consumers of a deployment, as data. `apply` makes a server so; `topology.json` is the
//! committed print, so that a change of a setting is seen in review.

use std::time::Duration;

use async_nats::jetstream::{
    consumer::{AckPolicy, DeliverPolicy, PriorityPolicy, ReplayPolicy, pull},
    stream::{self, DiscardPolicy, Republish, RetentionPolicy, StorageType},
};
use natter_schemas::{id::Partition, limits};

use crate::subject;

/// Read marks, the last value of each.
pub const READS: &str = "READS";
/// Membership and session changes, for every edge.
pub const CONTROL: &str = "CONTROL";
/// Events no worker could handle, for people to look at.
pub const PARKED: &str = "PARKED";
/// The durable consumer of each log whose events go into the store.
pub const PERSIST: &str = "persist";
/// The durable consumer of each log whose events go to Kafka, and its one group of workers. It is there without a
/// Kafka too: a consumer that is not pulled from costs a few hundred bytes and holds nothing back.
pub const MIRROR: &str = "mirror";
/// The bucket that keeps the partitions, the epoch and the event key.
pub const BUCKET: &str = "natter";
pub(crate) const PARTITIONS_KEY: &str = "partitions";
pub(crate) const EPOCH_KEY: &str = "epoch";
pub(crate) const EVENT_KEY_KEY: &str = "event-key";
/// What workers agree on and edges may not read is in a bucket of its own: rights are those of streams.
pub const WORKERS_BUCKET: &str = "natter_workers";
pub(crate) const DECISION_KEY_KEY: &str = "decision-key";
const BUCKET_KEYS: [&str; 3] = [PARTITIONS_KEY, EPOCH_KEY, EVENT_KEY_KEY];

/// The server keeps about 140 B of memory per subject: 256 MiB of marks are 1.5 million of them. A mark that
/// falls out is still in the store.
const READS_MAX_BYTES: i64 = 256 * MIB;
/// An hour of changes at 500/s of 150 B.
const CONTROL_MAX_BYTES: i64 = 256 * MIB;
/// 30,000 of the biggest events; when it is full, parking waits for people.
const PARKED_MAX_BYTES: i64 = 256 * MIB;
/// Three short values.
const BUCKET_MAX_BYTES: i64 = MIB;
const MIB: i64 = 1024 * 1024;

/// From a delivery to its redelivery, when the worker that had it is gone.
const ACK_WAIT: Duration = Duration::from_secs(30);
/// As long as the worker pinned to `mirror` does not pull, no other takes its place: three of its pulls.
pub const PIN: Duration = Duration::from_secs(10);
/// From a delivery of `mirror` to its redelivery. It is what wakes the next worker when nothing new is said, and a
/// repeat costs it nothing.
const MIRROR_ACK_WAIT: Duration = Duration::from_secs(15);
/// Pull requests waiting on one consumer: two for each of 256 workers.
const PULLS_WAITING: i64 = 512;

/// What the streams and consumers of a deployment depend on.
pub struct Topology {
    /// How many logs a deployment has; never changed.
    pub partitions: u16,
    /// Copies of everything: 1, or 3 on a cluster.
    pub replicas: usize,
    /// Of one partition's log. A full log refuses, it never forgets.
    pub log_max_bytes: i64,
}

/// The name of a partition's stream.
pub fn log_stream(p: Partition) -> String {
    format!("CONV_{p}")
}

/// Where a key of the bucket is.
pub(crate) fn bucket_subject(key: &str) -> String {
    key_subject(BUCKET, key)
}

fn key_subject(bucket: &str, key: &str) -> String {
    format!("$KV.{bucket}.{key}")
}

/// The stream behind the bucket.
pub(crate) fn bucket_stream() -> String {
    stream_of(BUCKET)
}

fn stream_of(bucket: &str) -> String {
    format!("KV_{bucket}")
}

impl Topology {
    /// The bucket first: it decides whether the rest may be made.
    pub fn streams(&self) -> Vec<stream::Config> {
        let logs = Partition::all(self.partitions).map(|p| self.log(p));
        [self.bucket(), self.workers_bucket()]
            .into_iter()
            .chain(logs)
            .chain([self.reads(), self.control(), self.parked()])
            .collect()
    }

    /// Those that hold what was published, which a backup is made of, and the key that proves what workers decided: all but
    /// the bucket.
    pub fn content_streams(&self) -> Vec<String> {
        self.streams().into_iter().skip(1).map(|stream| stream.name).collect()
    }

    /// Each with the stream it belongs to.
    pub fn consumers(&self) -> Vec<(String, pull::Config)> {
        let jobs = |p| [persist(), mirror()].map(|consumer| (log_stream(p), consumer));
        Partition::all(self.partitions).flat_map(jobs).collect()
    }

    /// What the streams reserve of a server's `max_file_store`.
    pub fn reserved_bytes(&self) -> u64 {
        self.streams().iter().map(|s| u64::try_from(s.max_bytes).unwrap_or(0)).sum()
    }

    /// The print that is committed.
    pub fn to_json(&self) -> String {
        let consumers: Vec<_> = self
            .consumers()
            .into_iter()
            .map(|(stream, config)| serde_json::json!({ "stream": stream, "config": config }))
            .collect();
        let all = serde_json::json!({ "streams": self.streams(), "consumers": consumers });
        format!("{all:#}\n")
    }

    fn stream(&self, name: String, subjects: Vec<String>) -> stream::Config {
        stream::Config {
            name,
            subjects,
            retention: RetentionPolicy::Limits,
            storage: StorageType::File,
            num_replicas: self.replicas,
            // -1 is "no limit", and what the server says back; 0 would read as drift.
            max_messages: -1,
            max_messages_per_subject: -1,
            max_consumers: -1,
            max_message_size: -1,
            allow_direct: true,
            duplicate_window: limits::DUPLICATE_WINDOW,
            ..stream::Config::default()
        }
    }

    fn log(&self, p: Partition) -> stream::Config {
        stream::Config {
            description: Some(format!("events of the conversations of partition {p}")),
            max_age: limits::LOG_AGE,
            max_bytes: self.log_max_bytes,
            // A full log refuses new events: the alternative is to forget acked ones.
            discard: DiscardPolicy::New,
            deny_delete: true,
            deny_purge: true,
            allow_atomic_publish: true,
            republish: Some(republish(subject::conv_all(p), format!("live.{p}.{{{{wildcard(1)}}}}"))),
            ..self.stream(log_stream(p), vec![subject::conv_all(p)])
        }
    }

    fn reads(&self) -> stream::Config {
        let destination = "live-reads.{{wildcard(1)}}.{{wildcard(2)}}.{{wildcard(3)}}";
        stream::Config {
            description: Some("the last read mark of each member of each conversation".to_owned()),
            max_messages_per_subject: 1,
            max_bytes: READS_MAX_BYTES,
            discard: DiscardPolicy::Old,
            republish: Some(republish("reads.*.*.*".to_owned(), destination.to_owned())),
            ..self.stream(READS.to_owned(), vec!["reads.*.*.*".to_owned()])
        }
    }

    fn control(&self) -> stream::Config {
        stream::Config {
            description: Some("changes of memberships and sessions, for every edge".to_owned()),
            max_age: limits::CONTROL_AGE,
            max_bytes: CONTROL_MAX_BYTES,
            discard: DiscardPolicy::Old,
            ..self
                .stream(CONTROL.to_owned(), vec!["control.user.*".to_owned(), "control.session.*".to_owned()])
        }
    }

    fn parked(&self) -> stream::Config {
        stream::Config {
            description: Some("events no worker could handle, with the reason".to_owned()),
            max_bytes: PARKED_MAX_BYTES,
            discard: DiscardPolicy::New,
            ..self.stream(PARKED.to_owned(), vec!["parked.*.*".to_owned()])
        }
    }

    /// Laid out as a key-value bucket (ADR-8), written as a stream so that it is made and checked like one. Each key is
    /// written once, and there are no others: JetStream answers to whatever subject it is given, so an edge can have it
    /// write here.
    pub(crate) fn bucket(&self) -> stream::Config {
        let keys = BUCKET_KEYS.map(bucket_subject).to_vec();
        self.keys_of(BUCKET, "partitions, epoch and event key of this deployment", keys)
    }

    fn workers_bucket(&self) -> stream::Config {
        let keys = vec![key_subject(WORKERS_BUCKET, DECISION_KEY_KEY)];
        self.keys_of(WORKERS_BUCKET, "what only workers of this deployment know", keys)
    }

    fn keys_of(&self, bucket: &str, description: &str, subjects: Vec<String>) -> stream::Config {
        stream::Config {
            description: Some(description.to_owned()),
            max_messages_per_subject: 1,
            max_bytes: BUCKET_MAX_BYTES,
            discard: DiscardPolicy::New,
            discard_new_per_subject: true,
            allow_rollup: true,
            deny_delete: true,
            ..self.stream(stream_of(bucket), subjects)
        }
    }
}

fn republish(source: String, destination: String) -> Republish {
    Republish { source, destination, headers_only: false }
}

/// Shared by all workers; every event is delivered until a worker acks it.
fn persist() -> pull::Config {
    pull::Config {
        durable_name: Some(PERSIST.to_owned()),
        name: Some(PERSIST.to_owned()),
        description: Some("events on their way into the store".to_owned()),
        deliver_policy: DeliverPolicy::All,
        ack_policy: AckPolicy::Explicit,
        ack_wait: ACK_WAIT,
        max_deliver: -1,
        max_ack_pending: limits::PERSIST_ACK_PENDING,
        max_waiting: PULLS_WAITING,
        replay_policy: ReplayPolicy::Instant,
        ..pull::Config::default()
    }
}

/// Followed by one worker at a time, in order: acking an event acks all before it.
fn mirror() -> pull::Config {
    pull::Config {
        durable_name: Some(MIRROR.to_owned()),
        name: Some(MIRROR.to_owned()),
        description: Some("events on their way to Kafka".to_owned()),
        deliver_policy: DeliverPolicy::All,
        ack_policy: AckPolicy::All,
        ack_wait: MIRROR_ACK_WAIT,
        max_deliver: -1,
        max_ack_pending: limits::MIRROR_ACK_PENDING,
        max_waiting: PULLS_WAITING,
        replay_policy: ReplayPolicy::Instant,
        priority_policy: PriorityPolicy::PinnedClient,
        priority_groups: vec![MIRROR.to_owned()],
        priority_timeout: PIN,
        ..pull::Config::default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_committed_print_is_the_topology() {
        let path = concat!(env!("CARGO_MANIFEST_DIR"), "/topology.json");
        let topology =
            Topology { partitions: limits::PARTITIONS_DEFAULT, replicas: 1, log_max_bytes: 1024 * MIB };
        if std::env::var_os("UPDATE").is_some() {
            std::fs::write(path, topology.to_json()).unwrap();
        }
        let committed = std::fs::read_to_string(path).unwrap();
        assert_eq!(committed, topology.to_json(), "run with UPDATE=1 and look at the difference");
    }

    #[test]
    fn nothing_is_kept_in_memory_or_acked_before_it_is_written() {
        let topology = Topology { partitions: 2, replicas: 3, log_max_bytes: MIB };
        for stream in topology.streams() {
            assert!(stream.storage == StorageType::File, "{}", stream.name);
            assert!(stream.persist_mode.is_none(), "{}", stream.name);
            assert!(stream.max_bytes > 0, "{}", stream.name);
        }
        assert!(topology.consumers().iter().all(|(_, c)| !c.memory_storage));
    }
}
