//! What `natter dev`, `natter edge` and `natter worker` are put together from.

use std::{
    future::ready,
    net::{IpAddr, SocketAddr},
    sync::Arc,
    time::Duration,
};

use anyhow::Context;
use natter_nats::{
    apply::Deployment,
    async_nats::{connection::State as Connection, jetstream},
    connect::{Address, Purpose, connect},
    log::LogReader,
    publisher::Publisher,
    topology::Topology,
};
use natter_runtime::{
    config::{Durability, Settings},
    readiness::Readiness,
    shared_state::SharedState,
};
use natter_store::Store;
use natter_workers::Dependencies;
use tokio::net::TcpListener;

use crate::settings;

pub fn topology(settings: &Settings) -> Topology {
    Topology {
        partitions: settings.partitions,
        replicas: settings.durability.replicas(),
        log_max_bytes: settings.log_max_bytes,
    }
}

/// The NATS of `NATS_URL`.
pub fn address(settings: &Settings) -> anyhow::Result<Address> {
    let url = settings.nats_url.clone().context("NATS_URL is missing; allowed: nats://host:4222[,…]")?;
    Ok(Address { url, creds: settings.nats_creds.clone() })
}

/// The store of `DATABASE_URL`.
pub async fn open_store(settings: &Settings) -> anyhow::Result<Arc<dyn Store>> {
    Ok(settings::need_database(settings)?.open().await?)
}

/// Lets the store finish its writes, for as long as a process that ends may take.
pub async fn close_store(store: &dyn Store) {
    if tokio::time::timeout(Duration::from_secs(5), store.close()).await.is_err() {
        tracing::warn!("the store did not close in time; it recovers at the next start");
    }
}

pub async fn worker_dependencies(
    settings: &Settings,
    address: &Address,
    deployment: &Deployment,
    store: Arc<dyn Store>,
    shared: Arc<dyn SharedState>,
) -> anyhow::Result<Dependencies> {
    // The backlog of the log must not slow the answers down: connections of their own.
    let work = jetstream::new(connect(address, Purpose::Work).await?);
    let client = connect(address, Purpose::Rpc).await?;
    Ok(Dependencies {
        store,
        client: client.clone(),
        log: LogReader::new(jetstream::new(client), deployment.partitions),
        js: work,
        publisher: Publisher::new(connect(address, Purpose::Publish).await?),
        deployment: Arc::new(deployment.clone()),
        shared,
        refresh_lifetime: settings.refresh_expires_in,
        limits: settings.limits.clone(),
        kafka: settings.kafka.clone().map(natter_workers::kafka_sink::Options::from),
    })
}

/// What a worker cannot work without.
pub fn need_worker_dependencies(readiness: &Readiness, dependencies: &Dependencies) {
    let client = dependencies.client.clone();
    readiness.needs("nats", move || ready(client.connection_state() == Connection::Connected));
    let store = dependencies.store.clone();
    readiness.needs("store", move || {
        let store = store.clone();
        async move { store.ready().await.is_ok() }
    });
}

pub fn need_shared_state(readiness: &Readiness, shared: &Arc<dyn SharedState>) {
    let shared = shared.clone();
    readiness.needs("redis", move || {
        let shared = shared.clone();
        async move { shared.ready().await.is_ok() }
    });
}

pub fn edge_config(settings: &Settings, jwt_secret: Vec<u8>, nats: Address) -> natter_edge::Config {
    natter_edge::Config {
        nats,
        jwt_secret,
        jwt_expires_in: settings.jwt_expires_in,
        refresh_expires_in: settings.refresh_expires_in,
        cors_origins: settings.cors_origins.clone(),
        rates: settings.rates.clone(),
        limits: settings.limits.clone(),
        presence_ttl: settings.presence_ttl,
        durability: settings.durability.name(),
        group_commits: settings.durability == Durability::Durable,
    }
}

pub async fn bind(host: IpAddr, port: u16, flag: &str) -> anyhow::Result<TcpListener> {
    let address = SocketAddr::new(host, port);
    TcpListener::bind(address).await.with_context(|| {
        format!("cannot listen on {address}; is another server running there? Choose a port with {flag}")
    })
}

/// A socket is a file: the usual soft limit of 1,024 is far below what this process serves.
pub fn raise_file_limit() {
    use nix::sys::resource::{Resource, getrlimit, setrlimit};
    if let Ok((_, hard)) = getrlimit(Resource::RLIMIT_NOFILE)
        && let Err(error) = setrlimit(Resource::RLIMIT_NOFILE, hard, hard)
    {
        tracing::warn!(%error, "the limit of open files stays low");
    }
}
