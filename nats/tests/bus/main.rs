//! The bus against a real nats-server.
#![allow(clippy::unwrap_used, clippy::missing_panics_doc)]

mod accounts; // the users of a cluster
mod apply; // provisioning, drift, epochs
mod event_log; // appending, and what was there before
mod cluster; // three servers
mod control; // what every edge is sent, in order
mod config; // the committed configurations
mod tls; // encrypted, with certificates on both sides
mod disk; // a full one
mod cluster_disks; // several full ones
mod log; // Direct Get, positions
mod rolled_back; // a log that lost what it had acked
mod publish; // storing, republishing, retries
mod rights; // what each user may do
mod pull; // durable consumers
mod server; // the child process
mod nodes; // many nodes asked at once
mod service; // questions and answers

use bytes::Bytes;
use natter_nats::{publisher::Publisher, subject};
use natter_schemas::id::{ConversationId, EventId, Partition, Seq};

/// Publishes one event of a conversation and returns its seq.
async fn publish(
    publisher: &Publisher,
    partitions: u16,
    c: ConversationId,
    payload: impl Into<Bytes>,
) -> Seq {
    let subject = subject::conv(Partition::of(c, partitions), c);
    publisher.publish(subject, &EventId::fresh().to_string(), payload.into()).await.unwrap().seq
}
