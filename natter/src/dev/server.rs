//! Everything of `natter dev`, started in order and ended in reverse.

use std::{net::SocketAddr, sync::Arc};

use anyhow::{Context, bail};
use natter_nats::{
    connect::{Address, Purpose},
    server::{self, Server},
};
use natter_runtime::{
    config::{Durability, Settings, TokenKeys},
    lifecycle::{Lifecycle, StopSignals},
    shared_state,
};
use natter_store::{Store, sqlite::SqliteStore};
use tokio::net::TcpListener;
use tracing::warn;

use super::{
    demo::Demo,
    folder::{DATABASE, Folder, JWT_SECRET, MESSAGE_KEY},
};
use crate::{
    bootstrap::{self, AuditTrail, Backends, Node, Process, Provisioned},
    cli::DevArgs,
};

pub struct DevServer {
    pub public: SocketAddr,
    /// With `--demo`.
    pub demo: Option<Demo>,
    node: Node,
    nats: Server,
    store: Arc<dyn Store>,
    trail: AuditTrail,
}

impl DevServer {
    pub async fn start(
        mut settings: Settings,
        folder: &Folder,
        listener: TcpListener,
        process: Process,
        args: &DevArgs,
    ) -> anyhow::Result<Self> {
        if settings.durability == Durability::Replicated {
            bail!(
                "DURABILITY is 'replicated', which needs three hosts; allowed in natter dev: durable, relaxed"
            );
        }
        if settings.tls.is_some() && args.demo {
            bail!(
                "--demo speaks to the server without TLS; run without TLS_CERT and TLS_KEY, or without --demo"
            );
        }
        let scheme = if settings.tls.is_some() { "https" } else { "http" };
        let here = format!("{scheme}://{}", listener.local_addr()?);
        settings.log_ins.public_url.get_or_insert(here);
        if !settings.token_keys.can_sign() {
            settings.token_keys.secrets = TokenKeys::unnamed(folder.secret(JWT_SECRET)?.to_vec()).secrets;
        }
        // Kept when sealing is switched off: what was sealed is still read.
        if settings.encryption.enabled || folder.join(MESSAGE_KEY).exists() {
            settings.encryption = settings.encryption.or_key(folder.secret(MESSAGE_KEY)?);
        }
        let nats = start_nats(&settings, folder).await?;
        let store: Arc<dyn Store> = Arc::new(SqliteStore::open(&folder.join(DATABASE))?);
        let address = Address::new(nats.url().to_owned());
        let backends = Backends { settings, nats: address };
        let Provisioned { deployment, lost, .. } =
            backends.provision(store.as_ref(), args.accept_new_log).await?;
        if lost.anything() {
            metrics::counter!("natter_log_lost_total").increment(1);
            warn!("{lost}; what was only there is lost, and clients load everything again");
        }
        let js = backends.jetstream(Purpose::Rpc).await?;
        let trace = bootstrap::start_trace(js.client(), "dev", &process).await?;
        let clock = process.clock(js).await?;
        let shared = Arc::new(shared_state::Memory::new());
        let node = Node { backends, process, deployment, shared, clock, trace };
        let trail = node.start_worker(store.clone(), &[]).await?;
        let demo = args.demo.then(|| Demo::new(&node.backends.settings.limits));
        let people = demo.as_ref().map(|demo| demo.people.clone()).unwrap_or_default();
        let public = node.start_edge(listener, people).await?;
        node.process.readiness.started();
        Ok(Self { public, demo, node, nats, store, trail })
    }

    pub const fn admin(&self) -> SocketAddr {
        self.node.process.admin
    }

    pub const fn settings(&self) -> &Settings {
        &self.node.backends.settings
    }

    pub const fn lifecycle(&self) -> &Lifecycle {
        &self.node.process.lifecycle
    }

    /// Until a signal to stop, or until nats-server has died for good.
    pub async fn run(self, stop: &mut StopSignals) -> anyhow::Result<()> {
        let ended = tokio::select! {
            () = stop.received() => Ok(()),
            lost = self.nats.lost() => Err(lost.into()),
        };
        self.stop().await;
        ended
    }

    /// Clients end first, then the jobs, then the log, then the store: no client loses what it still needs.
    pub async fn stop(self) {
        self.node.process.drain().await;
        self.trail.close().await;
        self.nats.stop().await;
        bootstrap::close_store(self.store.as_ref()).await;
    }
}

pub async fn start_nats(settings: &Settings, folder: &Folder) -> anyhow::Result<Server> {
    let binary = server::find().context(
        "`make run` fetches nats-server; or install version 2.14 or later and put it into PATH (`natter doctor` \
         says more)",
    )?;
    let options = server::Options {
        binary,
        data_dir: folder.join("nats"),
        always_sync: settings.durability == Durability::Durable,
        max_store_bytes: bootstrap::topology(settings).reserved_bytes(),
    };
    Ok(Server::start(options).await?)
}
