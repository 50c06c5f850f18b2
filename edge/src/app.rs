//! All components of an edge, as data: no statics, no ambient state. Below this layer a component holds just the
//! fields that it uses; here handlers and sockets find all of them.

use std::{sync::Arc, time::Duration};

use ipnet::IpNet;
use natter_nats::{
    async_nats, clock::LogClock, connect::Address, publisher::LogHealth, service::RpcClient, trace::TraceRing,
};
use natter_runtime::{
    config::{ConnectionLimits, TokenKeys},
    lifecycle::Lifecycle,
    rates::Rates,
    readiness::Readiness,
    shared_state::SharedState,
};
use natter_schemas::{limits::Limits, rest::DemoPersonView};
use natter_seal::DataKeys;
use natter_tls::Acceptor;

use crate::{
    admission::Admission,
    auth::Tokens,
    client_lines::ClientLines,
    connections::Connections,
    feeds::{control::ControlState, membership_updates::MembershipUpdates},
    held_tokens::HeldTokens,
    inbound::{hello::Hello, publish::Sender, read_marks::ReadMarks, typing::Typing, watchers::Watchers},
    membership::Members,
    outbound::{catch_up::CatchUp, departure::Departure, flush::Flushers, hub::Hub, sockets::Sockets},
    presence::{Heartbeats, KnownPresence},
    revoked_sessions::RevokedSessions,
    web::Web,
};

/// What an edge is given at start.
pub struct Config {
    pub nats: Address,
    /// Of access tokens.
    pub keys: TokenKeys,
    pub jwt_expires_in: Duration,
    pub refresh_expires_in: Duration,
    pub cors_origins: Vec<String>,
    /// Proxies whose forwarding headers are believed.
    pub trusted_proxies: Vec<IpNet>,
    /// Of the public port; without it the port speaks HTTP without encryption.
    pub tls: Option<Acceptor>,
    pub connections: ConnectionLimits,
    pub rates: Rates,
    /// What clients may send.
    pub limits: Limits,
    /// How long sockets are given to leave when this node drains (`DRAIN_TIME`).
    pub drain_time: Duration,
    /// Whether texts are sealed before they are published.
    pub seals: bool,
    /// How long a data key is used (`CHAT_KEY_CACHE`).
    pub key_cache: Duration,
    /// How long one heartbeat keeps its user online (`PRESENCE_TTL`).
    pub presence_ttl: Duration,
    /// The durability profile's name, for `/health/ready`.
    pub durability: &'static str,
    /// The log syncs at every commit, so events that wait are committed together.
    pub group_commits: bool,
    pub web: Web,
    /// Where it is remembered what this edge did with events.
    pub trace: TraceRing,
    /// Where the admin port and reports find the parts of this edge.
    pub readiness: Readiness,
    /// How many log lines a second there are about requests that were answered, and about sockets (`LOG_REQUESTS`).
    pub log_requests: u32,
    /// Who anyone may log in as; empty outside of the demo.
    pub demo: Vec<DemoPersonView>,
}

pub struct App {
    pub config: Config,
    pub partitions: u16,
    pub lifecycle: Lifecycle,
    pub rpc: RpcClient,
    pub keys: DataKeys,
    /// The connection that live traffic arrives on.
    pub live: async_nats::Client,
    /// Whether the log takes what this edge publishes.
    pub log_health: LogHealth,
    pub shared: Arc<dyn SharedState>,
    pub clock: LogClock,

    pub tokens: Arc<Tokens>,
    pub held: Arc<HeldTokens>,
    pub admission: Arc<Admission>,
    pub connections: Arc<Connections>,
    pub lines: Arc<ClientLines>,
    pub members: Arc<Members>,
    pub heartbeats: Heartbeats,
    pub known_presence: Arc<KnownPresence>,
    pub revoked: Arc<RevokedSessions>,

    pub sockets: Arc<Sockets>,
    pub departure: Departure,
    pub hub: Arc<Hub>,
    pub flushers: Flushers,
    pub catch_up: Arc<CatchUp>,

    pub hello: Hello,
    pub sender: Sender,
    pub read_marks: ReadMarks,
    pub typing: Typing,
    pub watchers: Watchers,
    pub membership_updates: MembershipUpdates,
    pub control: Arc<ControlState>,
}
