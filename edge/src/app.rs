//! What an edge is made of. Everything is a field: no statics, no ambient state.

use std::{net::SocketAddr, sync::Arc, time::Duration};

use natter_nats::{
    apply::Deployment, async_nats, connect::Address, publisher::Publisher, service::RpcClient,
};
use natter_runtime::{lifecycle::Lifecycle, rates::Rates, shared_state::SharedState};
use natter_schemas::limits::Limits;
use tokio::net::TcpListener;

use crate::{
    auth::Tokens,
    control,
    limit::Limiter,
    membership::Members,
    outbound,
    outbound::{flush::Flushers, hub::Hub, signals::Told},
    presence::Presence,
    serve,
    sockets::Sockets,
};

/// What an edge is told at start.
pub struct Config {
    pub nats: Address,
    pub jwt_secret: Vec<u8>,
    pub jwt_expires_in: Duration,
    pub refresh_expires_in: Duration,
    pub cors_origins: Vec<String>,
    pub rates: Rates,
    /// What clients may send.
    pub limits: Limits,
    /// How long one beat keeps its user online (`PRESENCE_TTL`).
    pub presence_ttl: Duration,
    /// The durability profile's name, for `/health/ready`.
    pub durability: &'static str,
    /// The log syncs at every commit, so events that wait are committed together.
    pub group_commits: bool,
}

pub struct Edge {
    pub(crate) deployment: Deployment,
    pub(crate) config: Config,
    pub(crate) tokens: Tokens,
    pub(crate) rpc: RpcClient,
    pub(crate) publisher: Publisher,
    pub(crate) members: Members,
    pub(crate) sockets: Sockets,
    pub(crate) hub: Arc<Hub>,
    pub(crate) flushers: Flushers,
    pub(crate) limiter: Limiter,
    pub(crate) shared: Arc<dyn SharedState>,
    pub(crate) lifecycle: Lifecycle,
    /// The connection that live traffic arrives on.
    pub(crate) live: async_nats::Client,
    pub(crate) control: control::Contact,
    pub(crate) presence: Presence,
    /// What viewers here know of others' presence.
    pub(crate) told: Told,
}

impl Edge {
    /// Connects, follows the log and CONTROL, and serves `listener` until drain. Returns once it accepts.
    pub async fn start(
        config: Config,
        deployment: Deployment,
        shared: Arc<dyn SharedState>,
        listener: TcpListener,
        lifecycle: Lifecycle,
    ) -> anyhow::Result<SocketAddr> {
        use natter_nats::connect::{Purpose, connect};
        let address = listener.local_addr()?;
        // One connection is one task: answers to questions do not wait behind live traffic. Publishing shares the
        // live one: an ack and the event it is about come in one packet, wake one task, and leave in one write.
        let rpc = connect(&config.nats, Purpose::Rpc).await?;
        let live = connect(&config.nats, Purpose::Live).await?;
        let publish = live.clone();
        let rpc = RpcClient::new(rpc);
        let stop = lifecycle.stop().clone();
        let (presence, beating) = Presence::new(shared.clone(), live.clone(), config.presence_ttl, stop);
        lifecycle.spawn("presence heartbeats", beating);
        let edge = Arc::new(Self {
            tokens: Tokens::new(&config.jwt_secret, config.jwt_expires_in),
            members: Members::new(rpc.clone()),
            sockets: Sockets::default(),
            hub: Hub::new(deployment.partitions, rpc.clone(), lifecycle.clone()),
            flushers: Flushers::start(),
            limiter: Limiter::new(shared.clone(), config.rates.clone()),
            publisher: if config.group_commits {
                Publisher::grouping(publish)
            } else {
                Publisher::new(publish)
            },
            control: control::Contact::default(),
            presence,
            told: Told::default(),
            deployment,
            config,
            rpc,
            shared,
            lifecycle,
            live,
        });
        outbound::live::follow(&edge).await?;
        control::follow(&edge).await?;
        serve::start(&edge, listener);
        Ok(address)
    }
}
