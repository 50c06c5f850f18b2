//! The parts of `natter dev`, started in order and ended in reverse.

use std::{net::SocketAddr, sync::Arc};

use anyhow::{Context, bail};
use metrics_exporter_prometheus::PrometheusHandle;
use natter_nats::{
    connect::Address,
    server::{self, Server},
    topology::Topology,
};
use natter_runtime::{
    admin,
    config::{Durability, Settings},
    lifecycle::{self, Lifecycle},
    readiness::Readiness,
    shared_state::{self, SharedState},
};
use natter_store::{Store, sqlite::SqliteStore};
use secrecy::ExposeSecret;
use tokio::net::TcpListener;
use tracing::{info, warn};

use super::folder::Folder;
use crate::{bootstrap, migrate};

pub struct Process {
    pub public: SocketAddr,
    pub admin: SocketAddr,
    lifecycle: Lifecycle,
    nats: Server,
    store: Arc<dyn Store>,
}

pub async fn start(
    settings: &Settings,
    folder: &Folder,
    listener: TcpListener,
    admin: TcpListener,
    metrics: PrometheusHandle,
) -> anyhow::Result<Process> {
    if settings.durability == Durability::Replicated {
        bail!("DURABILITY is 'replicated', which needs three hosts; allowed in natter dev: durable, relaxed");
    }
    let topology = bootstrap::topology(settings);
    let nats = start_nats(settings, folder, &topology).await?;
    let store: Arc<dyn Store> = Arc::new(SqliteStore::open(&folder.join("natter.db"))?);
    let address = Address { url: nats.url().to_owned(), creds: None };
    let lifecycle = Lifecycle::new();

    let (deployment, _) = migrate::provision(&address, &topology, store.as_ref()).await?;
    let shared: Arc<dyn SharedState> = Arc::new(shared_state::Memory::new());
    let dependencies =
        bootstrap::worker_dependencies(settings, &address, &deployment, store.clone(), shared.clone())
            .await?;
    natter_workers::start(&dependencies, &dependencies.jobs(), lifecycle.tracker(), lifecycle.stop().clone())
        .await?;
    let admin_address = admin.local_addr()?;
    let readiness = Readiness::default();
    bootstrap::need_worker_dependencies(&readiness, &dependencies);
    admin::serve(admin, metrics, readiness.clone(), &lifecycle);
    let secret = match &settings.jwt_secret {
        Some(secret) => secret.expose_secret().as_bytes().to_vec(),
        None => folder.secret("jwt.secret")?,
    };
    let config = bootstrap::edge_config(settings, secret, address);
    let public = natter_edge::start(config, deployment, shared, listener, lifecycle.clone()).await?;
    readiness.started();
    Ok(Process { public, admin: admin_address, lifecycle, nats, store })
}

impl Process {
    pub fn lifecycle(&self) -> &Lifecycle {
        &self.lifecycle
    }

    /// Clients first, then the jobs, then the log, then the store: nobody loses what they still need.
    pub async fn stop(self) {
        info!("stopping");
        self.lifecycle.drain(lifecycle::DRAIN).await;
        self.nats.stop().await;
        bootstrap::close_store(self.store.as_ref()).await;
    }
}

async fn start_nats(settings: &Settings, folder: &Folder, topology: &Topology) -> anyhow::Result<Server> {
    let binary = server::find().context(
        "`make run` fetches nats-server; or install version 2.14 or later and put it into PATH (`natter doctor` \
         says more)",
    )?;
    if settings.durability == Durability::Relaxed {
        warn!("DURABILITY=relaxed: a power cut can take the last minutes of acked messages");
    }
    let options = server::Options {
        binary,
        data_dir: folder.join("nats"),
        always_sync: settings.durability == Durability::Durable,
        max_store_bytes: topology.reserved_bytes(),
    };
    Ok(Server::start(options).await?)
}
