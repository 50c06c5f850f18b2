//! What an operator's command works with: the deployment's NATS, and its store where it is needed.

use std::sync::Arc;

use anyhow::ensure;
use natter_nats::{
    apply::{self, Deployment},
    async_nats::{Client, jetstream},
    connect::Purpose,
    log::LogReader,
    publisher::Publisher,
    service::RpcClient,
};
use natter_runtime::config::{Settings, Strictness};
use natter_schemas::id::Partition;
use natter_seal::DataKeys;
use natter_store::Store;
use natter_workers::services::profiles::Profiles;

use crate::{bootstrap::Backends, cli::target::Target, dev};

pub struct Operator {
    backends: Backends,
    pub deployment: Deployment,
    pub js: jetstream::Context,
    pub log: LogReader,
}

impl Operator {
    /// As a worker would: the same settings, the same rights, on streams as this version needs them.
    pub async fn start(target: &Target) -> anyhow::Result<Self> {
        let backends = backends(target, Strictness::Tokenless)?;
        let js = backends.jetstream(Purpose::Work).await?;
        let deployment = backends.deployment(&js).await?;
        let log = LogReader::new(js.clone(), deployment.partitions);
        Ok(Self { backends, deployment, js, log })
    }

    pub const fn settings(&self) -> &Settings {
        &self.backends.settings
    }

    /// The log as workers read it, for what is persisted again: without decisions that none of them made.
    pub async fn judged_log(&self) -> anyhow::Result<LogReader> {
        let key = apply::decision_key(&self.js).await?;
        Ok(self.backends.log(self.js.clone(), &self.deployment, key))
    }

    /// A connection of its own.
    pub async fn client(&self, purpose: Purpose) -> anyhow::Result<Client> {
        self.backends.client(purpose).await
    }

    pub async fn publisher(&self) -> anyhow::Result<Publisher> {
        self.backends.publisher().await
    }

    /// To be closed with `bootstrap::close_store`.
    pub async fn store(&self) -> anyhow::Result<Arc<dyn Store>> {
        self.backends.store().await
    }

    /// Data keys, from the workers.
    pub async fn keys(&self) -> anyhow::Result<DataKeys> {
        let rpc = RpcClient::of_worker(self.backends.client(Purpose::Rpc).await?);
        Ok(DataKeys::new(rpc, self.settings().encryption.key_cache))
    }

    /// Users of the store, in clear.
    pub async fn profiles(&self, store: &Arc<dyn Store>) -> anyhow::Result<Profiles> {
        self.backends.profiles(store).await
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

/// What the settings name, or a data folder.
pub fn backends(target: &Target, strictness: Strictness) -> anyhow::Result<Backends> {
    match &target.data_dir {
        Some(data_dir) => dev::running::running(data_dir),
        None => Backends::read(&[], strictness),
    }
}
