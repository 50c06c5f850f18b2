//! The seed node: Express, Socket.IO, `PostgreSQL`, Redis and Kafka, with the settings of its own documentation,
//! rate limits off and passwords hashed as cheaply as it can. Its folder is given, its modules installed.

use std::{
    path::{Path, PathBuf},
    time::Duration,
};

use anyhow::{Context as _, bail};
use nix::sys::signal::Signal;

use super::{Kind, Launch, LaunchContext, Process, STARTS_WITHIN, Server, cluster::redis, free_port, local};
use crate::{dialect::SeedNode, schedule::sleep, seed::Seeder};

/// Its gateway listens before Kafka has given it its partitions, and what is sent until then it never shows.
const JOINS_WITHIN: Duration = Duration::from_secs(6);
const UNLIMITED: &str = "1000000000";
const POSTGRES: &str = "postgres";
/// Sixteen bytes in base64, as a cluster's id has to be.
const CLUSTER_ID: &str = "bmF0dGVyLWJlbmNoLTAwMQ";

pub fn start(context: &LaunchContext) -> anyhow::Result<Server> {
    let folder = context.seed_node.clone().context("the seed node's folder is not known: --seed-node DIR")?;
    if !folder.join("node_modules").exists() {
        bail!("{} has no node_modules: run `npm ci` there", folder.display());
    }
    let [postgres, cache, kafka, api, gateway, presence] =
        [free_port()?, free_port()?, free_port()?, free_port()?, free_port()?, free_port()?];
    let mut processes =
        vec![self::postgres(context, postgres)?, redis(context, cache)?, self::kafka(context, kafka)?];
    let fetched = context.deps.join("node/bin/node");
    let program = if fetched.exists() { fetched } else { "node".into() };
    let mut launch = Launch::new(program, context.scratch.join("seed-node.log"))
        .args(&["src/start.mjs"])
        .env("NODE_ENV", "production")
        .env("HOST", "127.0.0.1")
        .env("DATABASE_URL", format!("postgres://{POSTGRES}@127.0.0.1:{postgres}/chat"))
        .env("REDIS_URL", format!("redis://127.0.0.1:{cache}"))
        .env("KAFKA_BROKERS", format!("127.0.0.1:{kafka}"))
        .env("JWT_SECRET", "0123456789abcdef0123456789abcdef")
        .env("API_PORT", api.to_string())
        .env("GATEWAY_PORT", gateway.to_string())
        .env("PRESENCE_PORT", presence.to_string())
        .env("RATE_LIMIT_MAX", UNLIMITED)
        .env("AUTH_RATE_LIMIT_MAX", UNLIMITED)
        .env("MAX_GROUP_SIZE", "10000")
        .env("BCRYPT_ROUNDS", "4")
        .core(context.core);
    launch.dir = Some(folder);
    let mut node = launch.start()?;
    for port in [api, gateway, presence] {
        node.listens(local(port), STARTS_WITHIN)?;
    }
    sleep(JOINS_WITHIN);
    processes.push(node);
    Ok(Server {
        kind: Kind::SeedNode,
        dialect: &SeedNode,
        sockets: vec![local(gateway)],
        http: local(api),
        seeder: Seeder::SeedNode,
        processes,
        scratch: context.scratch.clone(),
    })
}

/// With its own defaults: every commit is on disk.
fn postgres(context: &LaunchContext, port: u16) -> anyhow::Result<Process> {
    let (bin, log) = (postgres_programs()?, context.scratch.join("postgres.log"));
    let folder = context.scratch.join("postgres");
    if nix::unistd::geteuid().is_root() {
        let folder = folder.display().to_string();
        let own = ["-d", "-o", POSTGRES, "-g", POSTGRES, "-m", "700", &folder];
        Launch::new("install", log.clone()).args(&own).run()?;
    }
    let as_its_own = |program: &str| {
        let mut launch = Launch::new(bin.join(program), log.clone());
        // Neither pretends to be the other's: the log is opened here, the folder is theirs.
        launch.user = Some(POSTGRES);
        launch
    };
    let data = folder.display().to_string();
    as_its_own("initdb")
        .args(&["-D", &data, "-U", POSTGRES, "--auth=trust", "-E", "UTF8", "--no-locale", "--no-sync"])
        .run()?;
    let mut launch = as_its_own("postgres")
        .args(&["-D", &data, "-k", &data, "-h", "127.0.0.1", "-p", &port.to_string()])
        .core(context.core);
    // Fast: clients that are still there do not hold it up.
    launch.stop = Signal::SIGINT;
    let mut process = launch.start()?;
    process.listens(local(port), STARTS_WITHIN)?;
    // It listens while it still recovers.
    let request = ["-q", "-h", "127.0.0.1", "-p", &port.to_string()];
    as_its_own("pg_isready").args(&request).run_until_it_succeeds(STARTS_WITHIN)?;
    let create = ["-h", "127.0.0.1", "-p", &port.to_string(), "-U", POSTGRES, "chat"];
    as_its_own("createdb").args(&create).run()?;
    Ok(process)
}

/// Debian keeps them out of PATH, by version.
fn postgres_programs() -> anyhow::Result<PathBuf> {
    let versions = std::fs::read_dir("/usr/lib/postgresql").into_iter().flatten().flatten();
    let bins = versions.map(|version| version.path().join("bin")).filter(|bin| bin.join("initdb").exists());
    let from_path = || {
        let path = std::env::var_os("PATH")?;
        std::env::split_paths(&path).find(|dir| dir.join("initdb").exists())
    };
    bins.max().or_else(from_path).context("PostgreSQL is not installed")
}

/// One broker that is its own controller.
fn kafka(context: &LaunchContext, port: u16) -> anyhow::Result<Process> {
    let jars = context.deps.join("kafka");
    if !jars.exists() {
        bail!("Kafka is not in {}: run scripts/fetch-kafka", jars.display());
    }
    let controller = free_port()?;
    let (config, logs) = (context.scratch.join("kafka.properties"), context.scratch.join("kafka"));
    std::fs::write(&config, properties(port, controller, &logs))?;
    let java = |class: &str| {
        let classes = format!("{}/*", jars.display());
        Launch::new("java", context.scratch.join("kafka.log")).args(&["-Xmx384m", "-cp", &classes, class])
    };
    let config = config.display().to_string();
    java("kafka.tools.StorageTool").args(&["format", "-t", CLUSTER_ID, "-c", &config]).run()?;
    let mut process = java("kafka.Kafka").args(&[&config]).core(context.core).start()?;
    process.listens(local(port), STARTS_WITHIN)?;
    Ok(process)
}

fn properties(port: u16, controller: u16, logs: &Path) -> String {
    format!(
        "process.roles=broker,controller\nnode.id=1\n\
         controller.quorum.voters=1@127.0.0.1:{controller}\n\
         listeners=PLAINTEXT://127.0.0.1:{port},CONTROLLER://127.0.0.1:{controller}\n\
         advertised.listeners=PLAINTEXT://127.0.0.1:{port}\n\
         controller.listener.names=CONTROLLER\n\
         listener.security.protocol.map=CONTROLLER:PLAINTEXT,PLAINTEXT:PLAINTEXT\n\
         log.dirs={}\n\
         offsets.topic.replication.factor=1\noffsets.topic.num.partitions=4\n\
         transaction.state.log.replication.factor=1\ntransaction.state.log.min.isr=1\n\
         group.initial.rebalance.delay.ms=0\n",
        logs.display(),
    )
}
