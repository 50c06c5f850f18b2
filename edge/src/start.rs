//! Builds the components, then starts the feeds, then accepts connections.

use std::{net::SocketAddr, sync::Arc};

use natter_nats::{
    apply::Deployment,
    async_nats::{Client, jetstream},
    clock::LogClock,
    connect::{self, Address, Purpose, connect},
    event_log::EventLog,
    publisher::Publisher,
    service::{ProofSource, RpcClient},
};
use natter_runtime::{lifecycle::Lifecycle, shared_state::SharedState};
use natter_seal::DataKeys;
use nix::sys::resource::{Resource, getrlimit};
use tokio::net::TcpListener;

use crate::{
    admission::Admission,
    app::{App, Config},
    auth::{Keys, Tokens},
    client_lines::ClientLines,
    connections::Connections,
    feeds::{
        contact::ContactWatch, control::ControlFollower, live::LiveFeed,
        membership_updates::MembershipUpdates, presence::PresenceFeed, read_marks::ReadMarkFeed,
        typing::TypingFeed,
    },
    held_tokens::HeldTokens,
    inbound::{
        earlier_sends::EarlierSends, hello::Hello, publish::Sender, read_marks::ReadMarks,
        registration::Registry, seal::Sealing, typing::Typing, watchers::Watchers,
    },
    membership::Members,
    outbound::{catch_up::CatchUp, departure::Departure, flush::Flushers, gap, hub::Hub, sockets::Sockets},
    presence::{Heartbeats, KnownPresence},
    rest,
    revoked_sessions::RevokedSessions,
    serve,
};

/// Connects, follows the log and CONTROL, and serves `listener` until drain. Returns once it accepts.
pub async fn start(
    config: Config,
    deployment: Deployment,
    shared: Arc<dyn SharedState>,
    clock: LogClock,
    listener: TcpListener,
    lifecycle: Lifecycle,
) -> anyhow::Result<SocketAddr> {
    let app = assemble(config, deployment, shared, clock, lifecycle).await?;
    run(&app, listener).await
}

/// Connects and builds every component; nothing arrives yet.
pub async fn assemble(
    config: Config,
    Deployment { partitions, epoch, event_key }: Deployment,
    shared: Arc<dyn SharedState>,
    clock: LogClock,
    lifecycle: Lifecycle,
) -> anyhow::Result<Arc<App>> {
    let Access { revoked, held, tokens, rpc, live, keys } = access(&config, &clock, &lifecycle).await?;
    let log = event_log(&config, live.clone(), partitions, clock.clone());

    let members = Arc::new(Members::new(rpc.clone()));
    let admission = Arc::new(Admission::new(shared.clone(), config.rates.clone()));
    let heartbeats = heartbeats(&config, shared.clone(), live.clone(), &lifecycle);

    let (sockets, known, control, prefixes): (Arc<Sockets>, Arc<KnownPresence>, _, _) = Default::default();
    let hub = hub(&config, partitions, (&rpc, &keys), &clock, &lifecycle);
    let catch_up = Arc::new(CatchUp::new(members.clone(), admission.clone(), rpc.clone(), keys.clone()));
    let (earlier, sealing) = sending(&config, (&rpc, &keys), &lifecycle);
    let registry = Registry { sockets: sockets.clone(), hub: hub.clone(), heartbeats: heartbeats.clone() };

    Ok(Arc::new(App {
        partitions,
        departure: Departure::new(config.drain_time),
        connections: Arc::new(Connections::new(config.connections, file_limit())),
        lines: Arc::new(ClientLines::new(config.log_requests)),
        flushers: Flushers::start(&lifecycle),
        hello: Hello {
            tokens: tokens.clone(),
            revoked: revoked.clone(),
            held: held.clone(),
            control: Arc::clone(&control),
            admission: admission.clone(),
            members: members.clone(),
            registry: Arc::new(registry),
            prefixes: Arc::clone(&prefixes),
            clock: clock.clone(),
            epoch,
            limits: config.limits.clone(),
        },
        log_health: log.health().clone(),
        sender: Sender::new(members.clone(), earlier, prefixes, (log, event_key), sealing),
        read_marks: ReadMarks { members: members.clone(), rpc: rpc.clone() },
        typing: Typing { members: members.clone(), bus: live.clone(), partitions },
        watchers: Watchers {
            members: members.clone(),
            rpc: rpc.clone(),
            hub: hub.clone(),
            shared: shared.clone(),
            known: known.clone(),
        },
        membership_updates: MembershipUpdates {
            members: members.clone(),
            sockets: sockets.clone(),
            hub: hub.clone(),
            catch_up: catch_up.clone(),
            rpc: rpc.clone(),
            keys: keys.clone(),
            lifecycle: lifecycle.clone(),
        },
        control,
        admission,
        known_presence: known,
        config,
        lifecycle,
        rpc,
        keys,
        live,
        shared,
        clock,
        tokens,
        members,
        held,
        heartbeats,
        revoked,
        sockets,
        hub,
        catch_up,
    }))
}

/// What vouches for users, and what this process calls with their tokens.
struct Access {
    revoked: Arc<RevokedSessions>,
    held: Arc<HeldTokens>,
    tokens: Arc<Tokens>,
    rpc: RpcClient,
    live: Client,
    keys: DataKeys,
}

async fn access(config: &Config, clock: &LogClock, lifecycle: &Lifecycle) -> anyhow::Result<Access> {
    let revoked = Arc::<RevokedSessions>::default();
    // Tokens of ended sessions are held no longer.
    let held = Arc::new(HeldTokens::new(revoked.clone(), clock.clone()));
    let (rpc, live) = connections(&config.nats, &held).await?;
    let keys = data_keys(config, &rpc, lifecycle);
    let tokens = Arc::new(Tokens::new(Keys::new(&config.keys)?, config.jwt_expires_in, clock.clone()));
    Ok(Access { revoked, held, tokens, rpc, live, keys })
}

/// One connection is one task: answers to calls do not wait behind live traffic. Publishing shares the live one:
/// an ack and the event it is about come in one packet, wake one task, and leave in one write.
async fn connections(nats: &Address, held: &Arc<HeldTokens>) -> anyhow::Result<(RpcClient, Client)> {
    let rpc = connect(nats, Purpose::Rpc).await?;
    let tokens: Arc<dyn ProofSource> = held.clone();
    Ok((RpcClient::of_users(rpc, tokens), connect(nats, Purpose::Live).await?))
}

fn event_log(config: &Config, live: Client, partitions: u16, clock: LogClock) -> EventLog {
    let publisher = if config.group_commits { Publisher::grouping } else { Publisher::new }(live);
    EventLog::new(publisher, partitions, clock, config.trace.clone())
}

fn hub(
    config: &Config,
    partitions: u16,
    (rpc, keys): (&RpcClient, &DataKeys),
    clock: &LogClock,
    lifecycle: &Lifecycle,
) -> Arc<Hub> {
    let services = (rpc.clone(), keys.clone());
    Hub::new(partitions, services, clock.clone(), lifecycle.clone(), config.trace.clone())
}

/// What sends need: look-ups of earlier ones, and sealing.
fn sending(
    config: &Config,
    (rpc, keys): (&RpcClient, &DataKeys),
    lifecycle: &Lifecycle,
) -> (EarlierSends, Sealing) {
    let earlier = EarlierSends::new(rpc.clone(), lifecycle.tracker().clone());
    (earlier, Sealing { keys: keys.clone(), enabled: config.seals })
}

fn heartbeats(
    config: &Config,
    shared: Arc<dyn SharedState>,
    live: Client,
    lifecycle: &Lifecycle,
) -> Heartbeats {
    let (heartbeats, writing) = Heartbeats::new(shared, live, config.presence_ttl, lifecycle);
    lifecycle.spawn("presence heartbeats", writing);
    heartbeats
}

/// Of users, dropped when they are too old.
fn data_keys(config: &Config, rpc: &RpcClient, lifecycle: &Lifecycle) -> DataKeys {
    let keys = DataKeys::of_readers(rpc.clone(), config.key_cache);
    let (expiring, stop) = (keys.clone().expire(), lifecycle.stop().clone());
    lifecycle.spawn("keys expire", async move {
        stop.run_until_cancelled(expiring).await;
    });
    keys
}

/// As many files as this process may open: its start has raised the limit as far as it goes.
fn file_limit() -> usize {
    let limit = getrlimit(Resource::RLIMIT_NOFILE).map_or(u64::MAX, |(soft, _)| soft);
    usize::try_from(limit).unwrap_or(usize::MAX)
}

/// Starts the feeds, then accepts connections.
pub async fn run(app: &Arc<App>, listener: TcpListener) -> anyhow::Result<SocketAddr> {
    let address = listener.local_addr()?;
    rest::show_parts(app);
    let (client, hub, partitions, lifecycle) = (&app.live, &app.hub, app.partitions, &app.lifecycle);
    LiveFeed {
        client: client.clone(),
        hub: hub.clone(),
        log: app.log_health.clone(),
        partitions,
        lifecycle: lifecycle.clone(),
    }
    .start()
    .await?;
    ReadMarkFeed {
        hub: hub.clone(),
        sockets: app.sockets.clone(),
        rpc: app.rpc.clone(),
        lifecycle: lifecycle.clone(),
    }
    .start(client)
    .await?;
    TypingFeed { client: client.clone(), hub: hub.clone(), partitions, lifecycle: lifecycle.clone() }
        .start()
        .await?;
    PresenceFeed {
        hub: hub.clone(),
        known: app.known_presence.clone(),
        members: app.members.clone(),
        shared: app.shared.clone(),
    }
    .start(client, lifecycle)
    .await?;
    // Subscriptions are written behind: only a round trip shows that the server has them.
    connect::round_trip(client).await;
    lifecycle.spawn("gap watch", gap::watch(hub.clone()));
    ControlFollower {
        js: jetstream::new(client.clone()),
        state: app.control.clone(),
        members: app.members.clone(),
        known: app.known_presence.clone(),
        updates: app.membership_updates.clone(),
        revoked: app.revoked.clone(),
        sockets: app.sockets.clone(),
        keys: app.keys.known().clone(),
    }
    .start(lifecycle)
    .await?;
    ContactWatch {
        client: client.clone(),
        shared: app.shared.clone(),
        state: app.control.clone(),
        sockets: app.sockets.clone(),
    }
    .start(lifecycle);
    serve::start(app, listener);
    Ok(address)
}
