//! Natter by role: nats-server, Redis, one worker and edges of any number, as docs/operations.md has it.

use anyhow::Context as _;

use super::{
    Kind, Launch, LaunchContext, NatsServer, Process, Profile, STARTS_WITHIN, Server, free_port, local,
    natter::{CONNECTIONS, TOKEN_LIFE},
};
use crate::{dialect::Natter, seed::Seeder};

/// Edges of a cluster have no `off`.
const NO_LIMITS: &str = "login=1000000/s,send=1000000/s,write=1000000/s,groups=1000000/s,read=1000000/s,\
                         search=1000000/s,frames=1000000/s,renew=1000000/s,address=1000000/s";
const SECRET: &str = "0123456789abcdef0123456789abcdef";

struct Parts<'a> {
    context: &'a LaunchContext,
    nats: String,
    redis: u16,
}

pub fn start(edges: u8, context: &LaunchContext) -> anyhow::Result<Server> {
    let (nats, cache) = (NatsServer::start(context, Profile::Relaxed)?, free_port()?);
    let parts = Parts { context, nats: nats.url(), redis: cache };
    let mut processes = vec![nats.into_process(), redis(context, cache)?];
    parts.natter("migrate", &["migrate"]).run().context("natter migrate")?;
    let (admin, mut ports) = (free_port()?, Vec::new());
    let mut worker = parts.natter("worker", &["worker", "--admin-port", &admin.to_string()]).start()?;
    worker.listens(local(admin), STARTS_WITHIN)?;
    processes.push(worker);
    for _ in 0..edges {
        let (port, admin) = (free_port()?, free_port()?);
        let args = ["edge", "--port", &port.to_string(), "--admin-port", &admin.to_string()];
        let mut edge = parts.natter("edge", &args).start()?;
        edge.listens(local(port), STARTS_WITHIN)?;
        processes.push(edge);
        ports.push(local(port));
    }
    Ok(Server {
        kind: Kind::Cluster(edges),
        dialect: &Natter,
        http: *ports.first().context("a cluster has an edge")?,
        sockets: ports,
        seeder: Seeder::Natter,
        processes,
        scratch: context.scratch.clone(),
    })
}

impl Parts<'_> {
    fn natter(&self, name: &str, args: &[&str]) -> Launch {
        let database = self.context.scratch.join("natter.db");
        Launch::new(&self.context.natter, self.log(name))
            .args(args)
            .env("NATS_URL", self.nats.clone())
            .env("REDIS_URL", format!("redis://127.0.0.1:{}", self.redis))
            .env("DATABASE_URL", format!("sqlite:{}", database.display()))
            .env("DURABILITY", "relaxed")
            .env("JWT_SECRET", SECRET)
            .env("JWT_EXPIRES_IN", TOKEN_LIFE)
            .env("RATE_LIMITS", NO_LIMITS)
            .env("MAX_CONNECTIONS_PER_ADDRESS", CONNECTIONS)
            .core(self.context.core)
    }

    fn log(&self, name: &str) -> std::path::PathBuf {
        self.context.scratch.join(format!("{name}.log"))
    }
}

/// Without a disk: Redis never holds the only copy of anything.
pub fn redis(context: &LaunchContext, port: u16) -> anyhow::Result<Process> {
    let launch = Launch::new("redis-server", context.scratch.join("redis.log"))
        .args(&["--port", &port.to_string(), "--bind", "127.0.0.1", "--save", "", "--appendonly", "no"])
        .args(&["--maxmemory-policy", "noeviction", "--dir", &context.scratch.display().to_string()])
        .core(context.core);
    let mut process = launch.start()?;
    process.listens(local(port), STARTS_WITHIN)?;
    Ok(process)
}
