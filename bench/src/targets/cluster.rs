//! Natter by role: nats-server, Redis, one worker and edges of any number, as docs/operations.md has it.

use std::time::Duration;

use anyhow::Context as _;

use super::{Ground, Kind, Launch, Process, Server, free_port, local, natter::TOKEN_LIFE};
use crate::{dialect::Natter, seed::Seeder};

const STARTS_WITHIN: Duration = Duration::from_secs(60);
/// Edges of a cluster have no `off`.
const NO_LIMITS: &str = "login=1000000/s,send=1000000/s,write=1000000/s,read=1000000/s,search=1000000/s,frames=1000000/s";
const SECRET: &str = "0123456789abcdef0123456789abcdef";

struct Parts<'a> {
    ground: &'a Ground,
    nats: u16,
    redis: u16,
}

pub fn start(edges: u8, ground: &Ground) -> anyhow::Result<Server> {
    let parts = Parts { ground, nats: free_port()?, redis: free_port()? };
    let mut processes = vec![parts.nats_server()?, parts.redis_server()?];
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
        scratch: ground.scratch.clone(),
    })
}

impl Parts<'_> {
    fn nats_server(&self) -> anyhow::Result<Process> {
        let config = self.ground.scratch.join("nats.conf");
        let store = self.ground.scratch.join("nats");
        let text = format!(
            "listen: \"127.0.0.1:{}\"\nmax_payload: 8MB\nno_fast_producer_stall: true\n\
             jetstream {{ store_dir: \"{}\", max_file_store: 20GB }}\n",
            self.nats,
            store.display(),
        );
        std::fs::write(&config, text)?;
        let launch = Launch::new(self.ground.nats_server(), self.log("nats"))
            .args(&["-c", &config.display().to_string()])
            .core(self.ground.core);
        let mut process = launch.start()?;
        process.listens(local(self.nats), STARTS_WITHIN)?;
        Ok(process)
    }

    fn redis_server(&self) -> anyhow::Result<Process> {
        redis(self.ground, self.redis)
    }

    fn natter(&self, name: &str, args: &[&str]) -> Launch {
        let database = self.ground.scratch.join("natter.db");
        Launch::new(&self.ground.natter, self.log(name))
            .args(args)
            .env("NATS_URL", format!("nats://127.0.0.1:{}", self.nats))
            .env("REDIS_URL", format!("redis://127.0.0.1:{}", self.redis))
            .env("DATABASE_URL", format!("sqlite:{}", database.display()))
            .env("DURABILITY", "relaxed")
            .env("JWT_SECRET", SECRET)
            .env("JWT_EXPIRES_IN", TOKEN_LIFE)
            .env("RATE_LIMITS", NO_LIMITS)
            .core(self.ground.core)
    }

    fn log(&self, name: &str) -> std::path::PathBuf {
        self.ground.scratch.join(format!("{name}.log"))
    }
}

impl Ground {
    /// The one that `make` fetched, else PATH's.
    pub fn nats_server(&self) -> std::path::PathBuf {
        let fetched = self.deps.join("bin/nats-server");
        if fetched.exists() { fetched } else { "nats-server".into() }
    }
}

/// Without a disk: Redis never holds the only copy of anything.
pub fn redis(ground: &Ground, port: u16) -> anyhow::Result<Process> {
    let launch = Launch::new("redis-server", ground.scratch.join("redis.log"))
        .args(&["--port", &port.to_string(), "--bind", "127.0.0.1", "--save", "", "--appendonly", "no"])
        .args(&["--maxmemory-policy", "noeviction", "--dir", &ground.scratch.display().to_string()])
        .core(ground.core);
    let mut process = launch.start()?;
    process.listens(local(port), STARTS_WITHIN)?;
    Ok(process)
}
