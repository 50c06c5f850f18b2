use std::{sync::Arc, time::Duration};

use anyhow::{Context, ensure};
use natter_nats::{
    apply::{self, Deployment, Difference, Lost},
    async_nats::{Client, jetstream},
    connect::{Address, Purpose, connect},
    log::{Decisions, LogReader},
    publisher::Publisher,
    service::RpcClient,
    topology::Topology,
};
use natter_runtime::{
    config::{CallProof, Settings, Strictness},
    shared_state::{Redis, SharedState},
};
use natter_schemas::{
    decision::DecisionKey,
    id::{Partition, Seq},
};
use natter_seal::DataKeys;
use natter_store::Store;
use natter_workers::services::profiles::Profiles;
use secrecy::ExposeSecret;
use tracing::warn;

use crate::settings::{self, Flag};

/// How long a process that ends waits for the store's last writes.
const CLOSE: Duration = Duration::from_secs(5);

/// The services that settings name. Nothing is connected until it is asked for.
pub struct Backends {
    pub settings: Settings,
    pub nats: Address,
}

impl Backends {
    /// As the environment and `flags` specify, with the NATS of `NATS_URL`.
    pub fn read(flags: &[Flag], strictness: Strictness) -> anyhow::Result<Self> {
        let settings = settings::read(flags, strictness)?;
        let url = settings.nats_url.clone().context("NATS_URL is missing; allowed: nats://host:4222[,…]")?;
        let nats = Address { url, creds: settings.nats_creds.clone(), tls: settings.nats_tls.clone() };
        Ok(Self { settings, nats })
    }

    /// What NATS has to be like for these settings.
    pub fn topology(&self) -> Topology {
        topology(&self.settings)
    }

    /// A connection of its own.
    pub async fn client(&self, purpose: Purpose) -> anyhow::Result<Client> {
        Ok(connect(&self.nats, purpose).await?)
    }

    /// Over a connection of its own.
    pub async fn jetstream(&self, purpose: Purpose) -> anyhow::Result<jetstream::Context> {
        Ok(jetstream::new(self.client(purpose).await?))
    }

    /// Over a connection of its own.
    pub async fn publisher(&self) -> anyhow::Result<Publisher> {
        Ok(Publisher::new(self.client(Purpose::Publish).await?))
    }

    /// The store of `DATABASE_URL`, to be closed with [`close_store`].
    pub async fn store(&self) -> anyhow::Result<Arc<dyn Store>> {
        Ok(settings::need_database(&self.settings)?.open().await?)
    }

    /// The users of the store in clear: what opens them is asked of workers.
    pub async fn profiles(&self, store: &Arc<dyn Store>) -> anyhow::Result<Profiles> {
        let (rpc, encryption) =
            (RpcClient::of_worker(self.client(Purpose::Rpc).await?), &self.settings.encryption);
        let keys = DataKeys::of_profiles(rpc, encryption.key_cache);
        Ok(Profiles { store: Arc::clone(store), keys, seals: encryption.enabled })
    }

    /// Several processes agree on presence, limits and idempotency keys only through Redis.
    pub async fn redis(&self) -> anyhow::Result<Arc<dyn SharedState>> {
        let redis = self.settings.redis.as_ref();
        let redis = redis.context("REDIS_URL is missing; allowed: redis://host:6379")?;
        Ok(Arc::new(
            Redis::connect_with(redis.url.expose_secret(), &redis.tls)
                .await
                .context("REDIS_URL cannot be used")?,
        ))
    }

    /// What `natter migrate` made; fails where it differs from what this version needs.
    pub async fn deployment(&self, js: &jetstream::Context) -> anyhow::Result<Deployment> {
        Ok(apply::check(js, &self.topology()).await?)
    }

    /// What a worker reads: without decisions that no worker made.
    pub fn log(&self, js: jetstream::Context, deployment: &Deployment, key: DecisionKey) -> LogReader {
        let accepts_unproven = self.settings.call_proof == CallProof::Accepted;
        LogReader::new(js, deployment.partitions).judging(Decisions { key, accepts_unproven })
    }

    /// Fails where the log ends below what the store has: going on would give seqs out a second time.
    pub async fn check_reach(&self, js: &jetstream::Context, store: &dyn Store) -> anyhow::Result<()> {
        // The store first: it has nothing that the log has not.
        let highest = highest(store, self.settings.partitions).await?;
        Ok(apply::check_reach(js, &self.topology(), &highest).await?)
    }

    /// Makes the log what the topology says, above everything the store has. Without the bucket of epoch and event key, or
    /// where a log was rolled back, only if that is accepted: the folder that NATS lost may still exist somewhere.
    pub async fn provision(&self, store: &dyn Store, accept_new_log: bool) -> anyhow::Result<Provisioned> {
        let (js, topology) = (self.jetstream(Purpose::Provision).await?, self.topology());
        let highest = highest(store, topology.partitions).await?;
        let lost = apply::lost(&js, &topology, &highest).await?;
        ensure!(
            !lost.needs_consent() || accept_new_log,
            "{lost}. Restore the JetStream folder from a backup; or go on without with --accept-new-log: clients load \
             everything again, events that were not in the store are lost, and a message that is sent again from before \
             may be stored twice"
        );
        apply::discard(&js, &lost.behind).await?;
        let (deployment, differences) = apply::apply(&js, &topology, &highest).await?;
        Ok(Provisioned { deployment, differences, lost })
    }
}

/// The highest seq in the store, by partition.
async fn highest(store: &dyn Store, partitions: u16) -> anyhow::Result<Vec<Seq>> {
    let mut highest = Vec::new();
    for partition in Partition::all(partitions) {
        highest.push(store.highest(partition).await?);
    }
    Ok(highest)
}

/// What NATS is like now, and what it took.
pub struct Provisioned {
    pub deployment: Deployment,
    pub differences: Vec<Difference>,
    /// What was created again in the place of something that was gone.
    pub lost: Lost,
}

/// What NATS has to be like for these settings.
pub fn topology(settings: &Settings) -> Topology {
    Topology {
        partitions: settings.partitions,
        replicas: settings.durability.replicas(),
        log_max_bytes: settings.log_max_bytes,
    }
}

/// Lets the store finish its writes.
pub async fn close_store(store: &dyn Store) {
    if tokio::time::timeout(CLOSE, store.close()).await.is_err() {
        warn!("the store did not close in time; it recovers at the next start");
    }
}
