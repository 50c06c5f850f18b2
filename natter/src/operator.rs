//! What an operator's command works with: the deployment's NATS, and its store where it is needed.

use std::sync::Arc;

use anyhow::ensure;
use natter_nats::{
    apply::{self, Deployment},
    async_nats::jetstream,
    connect::{Address, Purpose, connect},
    log::LogReader,
    publisher::Publisher,
};
use natter_runtime::config::{Settings, Strictness};
use natter_schemas::id::Partition;
use natter_store::Store;

use crate::{bootstrap, settings};

pub struct Operator {
    pub settings: Settings,
    pub deployment: Deployment,
    pub js: jetstream::Context,
    pub log: LogReader,
    address: Address,
}

impl Operator {
    /// As a worker would: the same settings, the same rights, on streams as this version wants them.
    pub async fn start() -> anyhow::Result<Self> {
        let settings = settings::read(&[], Strictness::Tokenless)?;
        let address = bootstrap::address(&settings)?;
        let js = jetstream::new(connect(&address, Purpose::Work).await?);
        let deployment = apply::check(&js, &bootstrap::topology(&settings)).await?;
        let log = LogReader::new(js.clone(), deployment.partitions);
        Ok(Self { settings, deployment, js, log, address })
    }

    pub async fn publisher(&self) -> anyhow::Result<Publisher> {
        Ok(Publisher::new(connect(&self.address, Purpose::Publish).await?))
    }

    /// To be closed with `bootstrap::close_store`.
    pub async fn store(&self) -> anyhow::Result<Arc<dyn Store>> {
        bootstrap::open_store(&self.settings).await
    }

    /// The one named, or all.
    pub fn partitions(&self, named: Option<u16>) -> anyhow::Result<Vec<Partition>> {
        let all = self.deployment.partitions;
        match named {
            None => Ok(Partition::all(all).collect()),
            Some(p) => {
                ensure!(p < all, "there is no partition {p}: they are 0 to {}", all - 1);
                Ok(vec![Partition(p)])
            }
        }
    }
}
