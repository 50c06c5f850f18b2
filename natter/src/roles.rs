//! One role a process: `natter edge` and `natter worker`, against a NATS and a Redis that are there already.

use natter_runtime::config::Strictness;
use tracing::info;

use crate::{
    bootstrap::{self, Node},
    cli::{EdgeArgs, WorkerArgs},
};

pub async fn edge(args: &EdgeArgs) -> anyhow::Result<()> {
    let flags = [
        ("PORT", args.port.map(|port| port.to_string())),
        ("ADMIN_PORT", args.admin_port.map(|port| port.to_string())),
    ];
    let node = Node::join("edge", &flags, Strictness::Production).await?;
    bootstrap::report_build("edge");
    let settings = &node.backends.settings;
    let listener = bootstrap::bind(settings.host, settings.port, "--port")?;
    let address = node.start_edge(listener, Vec::new()).await?;
    info!(%address, admin = %node.process.admin, durability = settings.durability.name(), "edge is ready");
    node.run().await
}

pub async fn worker(args: &WorkerArgs) -> anyhow::Result<()> {
    let flags = [("ADMIN_PORT", args.admin_port.map(|port| port.to_string()))];
    let node = Node::join("worker", &flags, Strictness::Tokenless).await?;
    bootstrap::report_build("worker");
    let store = node.backends.store().await?;
    let trail = node.start_worker(store.clone(), &args.jobs).await?;
    info!(admin = %node.process.admin, "worker is ready");
    node.run().await?;
    trail.close().await;
    bootstrap::close_store(store.as_ref()).await;
    Ok(())
}
