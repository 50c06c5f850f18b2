//! `natter dev`: everything in one process, with its nats-server as a child and SQLite.

use super::{Kind, Launch, LaunchContext, Profile, STARTS_WITHIN, Server, collector, free_port, local};
use crate::{dialect::Natter, seed::Seeder};

/// Longer than any run: tokens are not renewed.
pub const TOKEN_LIFE: &str = "1h";
/// All clients have one address; the number of open files is what bounds them.
pub const CONNECTIONS: &str = "1000000";

pub fn start(kind: Kind, context: &LaunchContext) -> anyhow::Result<Server> {
    let (port, admin) = (free_port()?, free_port()?);
    let profile = if let Kind::Natter(profile) = kind { profile } else { Profile::Relaxed };
    let data = context.scratch.join("data");
    let mut launch = Launch::new(&context.natter, context.scratch.join("natter.log"))
        .args(&["dev", "--port", &port.to_string(), "--admin-port", &admin.to_string()])
        .args(&["--data-dir", &data.display().to_string()])
        .env("RATE_LIMITS", "off")
        .env("MAX_CONNECTIONS_PER_ADDRESS", CONNECTIONS)
        .env("DURABILITY", profile.name())
        .env("CHAT_ENCRYPTION_ENABLED", (kind == Kind::Sealed).to_string())
        .env("JWT_EXPIRES_IN", TOKEN_LIFE)
        .core(context.core);
    if let Kind::Traced(percent) = kind {
        let (collector, ratio) = (format!("http://{}", collector::address()?), f64::from(percent) / 100.0);
        launch = launch.env("OTLP_ENDPOINT", collector).env("OTLP_SAMPLE_RATIO", ratio.to_string());
    }
    let mut process = launch.start()?;
    process.listens(local(port), STARTS_WITHIN)?;
    Ok(Server {
        kind,
        dialect: &Natter,
        sockets: vec![local(port)],
        http: local(port),
        seeder: Seeder::Natter,
        processes: vec![process],
        scratch: context.scratch.clone(),
    })
}
