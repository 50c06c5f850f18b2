//! Centrifugo with its memory engine: it knows nobody and stores nothing.

use anyhow::Context as _;
use serde_json::json;

use super::{Ground, Kind, Launch, STARTS_WITHIN, Server, free_port, local};
use crate::{dialect::Centrifugo, seed::Seeder};

pub fn start(ground: &Ground) -> anyhow::Result<Server> {
    let binary = ground.centrifugo.as_ref().context("its binary is not known: --centrifugo PATH")?;
    let (port, config) = (free_port()?, ground.scratch.join("centrifugo.json"));
    let settings = json!({
        "client": { "insecure": true, "channel_limit": 10_000 },
        "channel": { "without_namespace": {
            "allow_subscribe_for_client": true,
            "allow_publish_for_subscriber": true,
        } },
        "http_server": { "address": "127.0.0.1", "port": port },
    });
    std::fs::write(&config, settings.to_string())?;
    let launch = Launch::new(binary, ground.scratch.join("centrifugo.log"))
        .args(&["--config", &config.display().to_string()])
        .core(ground.core);
    let mut process = launch.start()?;
    process.listens(local(port), STARTS_WITHIN)?;
    Ok(Server {
        kind: Kind::Centrifugo,
        dialect: &Centrifugo,
        sockets: vec![local(port)],
        http: local(port),
        seeder: Seeder::Bare,
        processes: vec![process],
        scratch: ground.scratch.clone(),
    })
}
