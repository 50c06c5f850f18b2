//! What integration tests of all crates share. Every server is a real one, in a folder and on ports of its own, and
//! ends with the test process. `docs/testing.md` shows how it is used.
#![allow(
    clippy::missing_panics_doc,
    clippy::must_use_candidate,
    clippy::unwrap_used,
    reason = "a test that cannot start its server has failed"
)]

mod until; // waiting for a condition, with a deadline and a sentence

mod folder; // a temporary folder that goes in any case
mod process; // a child process that ends with this one, and its log
mod clock; // a clock that is wrong
mod small_disk; // a file system that can be filled
mod lossy_disk; // a file system whose power can be cut
mod authority; // certificates of a CA of its own

mod nats_server;
mod nats_cluster;
mod gate; // a connection that can be shut
mod redis;
mod cassandra;
mod kafka;
mod kafka_reader; // what a topic has
mod openbao;
mod collector;
mod prometheus;
mod provider;

mod cluster; // a whole deployment of the real program
mod dev_server; // `natter dev`

mod contract; // whether an answer is one of those that are described
mod user; // an account and its calls over HTTP
mod device; // a WebSocket that reads all the time
mod socket; // a WebSocket that reads when the test does
mod frames; // what docs/asyncapi.json says of them
mod conversation; // rooms, and the order of their events

use std::net::TcpListener;

pub use self::{
    authority::Authority,
    cassandra::Cassandra,
    clock::Clock,
    cluster::{Cluster, PRESENCE_TTL, clocks_apart},
    collector::{CollectedSpan, Collector},
    conversation::{Room, chain, chain_seqs, kind, seq, text},
    dev_server::{DevServer, command, is_alive},
    device::Device,
    folder::Folder,
    kafka::Kafka,
    kafka_reader::{KafkaReader, KafkaRecord},
    lossy_disk::{LossyDisk, Survives},
    nats_cluster::{NatsCluster, leader_of},
    nats_server::{NatsProcess, TestServer, small},
    openbao::OpenBao,
    process::Process,
    prometheus::Prometheus,
    provider::{Conduct, Provider, Signing, query},
    redis::Redis,
    small_disk::SmallDisk,
    socket::{Received, Socket, upgrade, upgrade_over},
    until::{PATIENCE, until, until_some, until_within},
    user::{Answer, PASSWORD, User},
};

/// Between the choice of a port and a server's start another process may take it: then another port is tried.
const START_ATTEMPTS: usize = 3;

/// A port that nothing listens on now; another process may take it before a server does.
pub fn free_port() -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port is free");
    listener.local_addr().expect("it is bound").port()
}

/// Ports that nothing listens on now and that differ: all are held until all are chosen. From below those that the
/// system hands out, of which one may be taken before the server listens, or between a kill and a restart.
pub fn free_server_ports<const COUNT: usize>() -> [u16; COUNT] {
    let bound = || {
        // Random by the id's last bytes.
        let [.., a, b] = *uuid::Uuid::now_v7().as_bytes();
        TcpListener::bind(("127.0.0.1", 20_000 + u16::from_be_bytes([a, b]) % 12_000)).ok()
    };
    let mut free = std::iter::repeat_with(bound).flatten();
    let held: [TcpListener; COUNT] = std::array::from_fn(|_| free.next().expect("it goes on for ever"));
    held.map(|listener| listener.local_addr().expect("it is bound").port())
}
