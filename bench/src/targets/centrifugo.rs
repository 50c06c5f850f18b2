//! Centrifugo with its memory engine: it has no accounts and stores nothing.

use anyhow::Context as _;
use serde_json::json;

use super::{Kind, Launch, LaunchContext, STARTS_WITHIN, Server, free_port, local};
use crate::{dialect::Centrifugo, seed::Seeder};

pub fn start(context: &LaunchContext) -> anyhow::Result<Server> {
    let binary = context.centrifugo.as_ref().context("its binary is not known: --centrifugo PATH")?;
    let (port, config) = (free_port()?, context.scratch.join("centrifugo.json"));
    let settings = json!({
        "client": { "insecure": true, "channel_limit": 10_000 },
        "channel": { "without_namespace": {
            "allow_subscribe_for_client": true,
            "allow_publish_for_subscriber": true,
        } },
        "http_server": { "address": "127.0.0.1", "port": port },
    });
    std::fs::write(&config, settings.to_string())?;
    let launch = Launch::new(binary, context.scratch.join("centrifugo.log"))
        .args(&["--config", &config.display().to_string()])
        .core(context.core);
    let mut process = launch.start()?;
    process.listens(local(port), STARTS_WITHIN)?;
    Ok(Server {
        kind: Kind::Centrifugo,
        dialect: &Centrifugo,
        sockets: vec![local(port)],
        http: local(port),
        seeder: Seeder::Bare,
        processes: vec![process],
        scratch: context.scratch.clone(),
    })
}
