use std::{future::ready, net::SocketAddr, sync::Arc};

use anyhow::Context;
use natter_nats::{
    apply::{self, Deployment},
    async_nats::{Client, connection::State as Connection, jetstream},
    clock::LogClock,
    connect::Purpose,
    report,
    trace::{NodeName, TraceNode, TraceRing},
};
use natter_runtime::{
    access_token::VerifyingKeys,
    audit::Audit,
    config::{Durability, Encryption, Strictness},
    lifecycle::StopSignals,
    shared_state::SharedState,
};
use natter_schemas::rest::DemoPersonView;
use natter_seal::Key;
use natter_store::{Database, Store};
use natter_workers::{
    Dependencies, Job, RefreshTokens, kafka_sink,
    persist::PersistHealth,
    services::{
        keys::{LocalRoot, Root, Roots, TransitRoot},
        proofs::Proofs,
    },
};
use tokio::net::TcpListener;
use tracing::warn;

use super::{
    audit::AuditTrail,
    backends::Backends,
    process::{Process, acceptor, host_name, observe},
    rebuild,
};
use crate::settings::{self, Flag};

/// A process that runs roles, on streams as this version needs them.
pub struct Node {
    pub backends: Backends,
    pub process: Process,
    pub deployment: Deployment,
    pub shared: Arc<dyn SharedState>,
    pub clock: LogClock,
    /// What this node remembers of events.
    pub trace: TraceRing,
}

impl Node {
    /// One of several, which find each other through the NATS and the Redis that settings name.
    pub async fn join(role: &str, flags: &[Flag], strictness: Strictness) -> anyhow::Result<Self> {
        let backends = Backends::read(flags, strictness)?;
        let metrics = observe(&backends.settings)?;
        let process = Process::start(&backends.settings, role, metrics)?;
        let shared = backends.redis().await?;
        let js = backends.jetstream(Purpose::Rpc).await?;
        let deployment = backends.deployment(&js).await?;
        let trace = start_trace(js.client(), role, &process).await?;
        let clock = process.clock(js).await?;
        let state = Arc::clone(&shared);
        process.readiness.needs("redis", move || {
            let state = Arc::clone(&state);
            async move { state.ready().await.is_ok() }
        });
        Ok(Self { backends, process, deployment, shared, clock, trace })
    }

    /// Starts `jobs`, or every one there is for an empty list. What they record is to be closed when they have ended.
    pub async fn start_worker(&self, store: Arc<dyn Store>, jobs: &[Job]) -> anyhow::Result<AuditTrail> {
        let trail = AuditTrail::of_role(&self.backends.settings, self.clock.clone())?;
        let dependencies = self.dependencies(store, trail.audit.clone()).await?;
        let encryption = &self.backends.settings.encryption;
        if jobs.is_empty() && encryption.enabled && dependencies.roots.is_none() {
            return Err(Encryption::missing().into());
        }
        self.need(&dependencies);
        self.backends.check_reach(&dependencies.js, &*dependencies.store).await?;
        self.rebuild(&dependencies).await?;
        let all = dependencies.jobs();
        let jobs = if jobs.is_empty() { &all } else { jobs };
        let lifecycle = &self.process.lifecycle;
        natter_workers::start(&dependencies, jobs, lifecycle.tracker(), lifecycle.stop().clone()).await?;
        Ok(trail)
    }

    /// A file belongs to one machine and is small: it is rebuilt at once. A cluster is rebuilt by one command, not by every
    /// worker that starts.
    async fn rebuild(&self, dependencies: &Dependencies) -> anyhow::Result<()> {
        if !rebuild::is_due(dependencies).await? {
            return Ok(());
        }
        if matches!(settings::database(&self.backends.settings)?, Some(Database::Scylla(_))) {
            warn!(
                "the store is empty beside a log that was persisted before; `natter replay --from 1` rebuilds what the log \
                 still has"
            );
            return Ok(());
        }
        rebuild::run(dependencies).await
    }

    async fn dependencies(&self, store: Arc<dyn Store>, audit: Audit) -> anyhow::Result<Dependencies> {
        let settings = &self.backends.settings;
        let client = self.backends.client(Purpose::Rpc).await?;
        let decision_key = apply::decision_key(&jetstream::new(client.clone())).await?;
        Ok(Dependencies {
            store,
            persisting: PersistHealth::default(),
            client: client.clone(),
            log: self.backends.log(jetstream::new(client), &self.deployment, decision_key.clone()),
            decision_key,
            // The backlog of the log must not slow the answers down: a connection of its own.
            js: self.backends.jetstream(Purpose::Work).await?,
            publisher: self.backends.publisher().await?,
            clock: self.clock.clone(),
            deployment: Arc::new(self.deployment.clone()),
            proofs: Arc::new(Proofs::new(
                VerifyingKeys::new(&settings.token_keys)?,
                settings.call_proof,
                self.clock.clone(),
            )),
            shared: Arc::clone(&self.shared),
            refresh: RefreshTokens { lifetime: settings.refresh_expires_in, grace: settings.refresh_grace },
            log_ins: settings.log_ins.clone(),
            limits: settings.limits.clone(),
            audit,
            trace: self.trace.clone(),
            roots: roots(&settings.encryption)?,
            seals: settings.encryption.enabled,
            key_cache: settings.encryption.key_cache,
            kafka: settings.kafka.clone().map(kafka_sink::Options::from),
        })
    }

    /// What a worker cannot work without.
    fn need(&self, dependencies: &Dependencies) {
        let readiness = &self.process.readiness;
        let client = dependencies.client.clone();
        readiness.needs("nats", move || ready(client.connection_state() == Connection::Connected));
        let log = dependencies.publisher.health().clone();
        readiness.needs("log", move || ready(log.is_up()));
        let (store, persisting) = (Arc::clone(&dependencies.store), dependencies.persisting.clone());
        readiness.needs("store", move || {
            let (store, persisting) = (Arc::clone(&store), persisting.clone());
            async move { persisting.is_up() && store.ready().await.is_ok() }
        });
    }

    /// Serves sockets and HTTP; returns where. Anyone may log in as one of `demo`.
    pub async fn start_edge(
        &self,
        listener: TcpListener,
        demo: Vec<DemoPersonView>,
    ) -> anyhow::Result<SocketAddr> {
        let settings = &self.backends.settings;
        let config = natter_edge::Config {
            nats: self.backends.nats.clone(),
            keys: settings.token_keys.clone(),
            jwt_expires_in: settings.jwt_expires_in,
            refresh_expires_in: settings.refresh_expires_in,
            cors_origins: settings.cors_origins.clone(),
            trusted_proxies: settings.trusted_proxies.clone(),
            tls: acceptor(settings.tls.as_ref(), "public").context("TLS_CERT, TLS_KEY")?,
            connections: settings.connections,
            rates: settings.rates.clone(),
            limits: settings.limits.clone(),
            drain_time: settings.drain_time,
            seals: settings.encryption.enabled,
            key_cache: settings.encryption.key_cache,
            presence_ttl: settings.presence_ttl,
            durability: settings.durability.name(),
            group_commits: settings.durability == Durability::Durable,
            web: natter_edge::Web::embedded(),
            trace: self.trace.clone(),
            readiness: self.process.readiness.clone(),
            log_requests: settings.log_requests,
            demo,
        };
        let (deployment, shared, clock) =
            (self.deployment.clone(), Arc::clone(&self.shared), self.clock.clone());
        natter_edge::start(config, deployment, shared, clock, listener, self.process.lifecycle.clone()).await
    }

    /// Everything runs; returns after a signal to stop, when all work under way is finished.
    pub async fn run(&self) -> anyhow::Result<()> {
        self.process.readiness.started();
        StopSignals::listen()?.received().await;
        self.process.drain().await;
        Ok(())
    }
}

/// This node answers what it remembers of an event and what it is like, and the others hear that it is there.
pub async fn start_trace(client: Client, role: &str, process: &Process) -> anyhow::Result<TraceRing> {
    let name = NodeName { role: role.to_owned(), host: host_name()?, pid: std::process::id() };
    let (ring, lifecycle) = (TraceRing::default(), &process.lifecycle);
    let (tracker, stop) = (lifecycle.tracker(), lifecycle.stop());
    report::answer(client.clone(), name.clone(), process.reporter(), tracker, stop.clone()).await?;
    TraceNode::start(client, name, ring.clone(), tracker, stop.clone()).await?;
    Ok(ring)
}

/// What wraps the keys of users; `None`: nothing is set.
pub fn roots(encryption: &Encryption) -> anyhow::Result<Option<Roots>> {
    let mut roots: Vec<Box<dyn Root>> = Vec::new();
    if let Some(kms) = encryption.kms.clone() {
        roots.push(Box::new(TransitRoot::new(kms)?));
    }
    for key in encryption.root_keys()? {
        roots.push(Box::new(LocalRoot::new(Key::from(*key.bytes()))));
    }
    Ok(Roots::new(roots))
}
