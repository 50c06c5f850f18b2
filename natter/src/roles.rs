//! One role a process: `natter edge` and `natter worker`, against a NATS and a Redis that are there already.

use std::sync::Arc;

use anyhow::Context;
use natter_nats::{
    apply::{self, Deployment},
    async_nats::jetstream,
    connect::{Address, Purpose, connect},
};
use natter_runtime::{
    admin,
    config::{Durability, Settings, Strictness},
    lifecycle::{self, Lifecycle},
    readiness::Readiness,
    shared_state::{Redis, SharedState},
    telemetry,
};
use secrecy::ExposeSecret;
use tracing::{info, warn};

use crate::{
    bootstrap,
    cli::{EdgeArgs, WorkerArgs},
    settings,
};

pub async fn edge(args: &EdgeArgs) -> anyhow::Result<()> {
    let flags = [
        ("PORT", args.port.map(|port| port.to_string())),
        ("ADMIN_PORT", args.admin_port.map(|port| port.to_string())),
    ];
    let common = Common::start(&flags, Strictness::Production).await?;
    let settings = &common.settings;
    let listener = bootstrap::bind(settings.host, settings.port, "--port").await?;
    let secret = settings.jwt_secret.as_ref().context("JWT_SECRET is missing")?;
    let secret = secret.expose_secret().as_bytes().to_vec();
    let config = bootstrap::edge_config(settings, secret, common.address.clone());
    let (deployment, shared) = (common.deployment.clone(), common.shared.clone());
    let address = natter_edge::start(config, deployment, shared, listener, common.lifecycle.clone()).await?;
    info!(%address, admin = %common.admin, durability = settings.durability.name(), "edge is ready");
    common.run().await
}

pub async fn worker(args: &WorkerArgs) -> anyhow::Result<()> {
    let flags = [("ADMIN_PORT", args.admin_port.map(|port| port.to_string()))];
    let common = Common::start(&flags, Strictness::Tokenless).await?;
    let store = bootstrap::open_store(&common.settings).await?;
    let (deployment, shared) = (&common.deployment, common.shared.clone());
    let dependencies =
        bootstrap::worker_dependencies(&common.settings, &common.address, deployment, store.clone(), shared)
            .await?;
    bootstrap::need_worker_dependencies(&common.readiness, &dependencies);
    let jobs = if args.jobs.is_empty() { dependencies.jobs() } else { args.jobs.clone() };
    let lifecycle = &common.lifecycle;
    natter_workers::start(&dependencies, &jobs, lifecycle.tracker(), lifecycle.stop().clone()).await?;
    info!(admin = %common.admin, "worker is ready");
    common.run().await?;
    bootstrap::close_store(store.as_ref()).await;
    Ok(())
}

/// What every role has.
struct Common {
    settings: Settings,
    address: Address,
    deployment: Deployment,
    shared: Arc<dyn SharedState>,
    lifecycle: Lifecycle,
    readiness: Readiness,
    admin: std::net::SocketAddr,
}

impl Common {
    async fn start(flags: &[settings::Flag], strictness: Strictness) -> anyhow::Result<Self> {
        let settings = settings::read(flags, strictness)?;
        telemetry::start_logs(&settings.log_level, settings.log_format)?;
        let metrics = telemetry::start_metrics()?;
        bootstrap::raise_file_limit();
        if settings.durability == Durability::Relaxed {
            warn!("DURABILITY=relaxed: a power cut can take the last minutes of acked messages");
        }
        let listener = bootstrap::bind(settings.host, settings.admin_port, "--admin-port").await?;
        let address = bootstrap::address(&settings)?;
        // Several processes agree on presence, limits and idempotency keys only through Redis.
        let url = settings.redis_url.as_ref().context("REDIS_URL is missing; allowed: redis://host:6379")?;
        let shared = Arc::new(Redis::connect(url.expose_secret()).await.context("REDIS_URL cannot be used")?);
        let js = jetstream::new(connect(&address, Purpose::Rpc).await?);
        let deployment = apply::check(&js, &bootstrap::topology(&settings)).await?;
        let lifecycle = Lifecycle::new();
        let admin = listener.local_addr()?;
        let readiness = Readiness::default();
        let shared: Arc<dyn SharedState> = shared;
        bootstrap::need_shared_state(&readiness, &shared);
        admin::serve(listener, metrics, readiness.clone(), &lifecycle);
        Ok(Self { settings, address, deployment, shared, lifecycle, readiness, admin })
    }

    /// Until it is asked to stop; then everything under way is finished.
    async fn run(&self) -> anyhow::Result<()> {
        self.readiness.started();
        lifecycle::asked_to_stop().await?;
        info!("stopping");
        self.lifecycle.drain(lifecycle::DRAIN).await;
        Ok(())
    }
}
