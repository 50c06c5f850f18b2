//! `natter dev`: nats-server as a child, SQLite, memory, all roles in one process.

mod folder; // the data folder: one natter at a time, its secrets
mod process; // the bootstrap, started in order and ended in reverse
mod demo; // users, rooms and a bot to talk to
mod bot; // answers what people say to it
mod banner; // what is printed when it is ready

use anyhow::Context;
use natter_runtime::{config::Strictness, lifecycle, telemetry};

use crate::{bootstrap, cli::DevArgs, settings};

pub async fn run(args: &DevArgs) -> anyhow::Result<()> {
    let flags = [
        ("PORT", args.port.map(|port| port.to_string())),
        ("ADMIN_PORT", args.admin_port.map(|port| port.to_string())),
    ];
    let settings = settings::read(&flags, Strictness::Dev)?;
    telemetry::start_logs(&settings.log_level, settings.log_format)?;
    let metrics = telemetry::start_metrics()?;
    bootstrap::raise_file_limit();

    let folder = folder::Folder::open(&args.data_dir)?;
    let listener = bootstrap::bind(settings.host, settings.port, "--port").await?;
    let admin = bootstrap::bind(settings.host, settings.admin_port, "--admin-port").await?;

    let process = tokio::select! {
        started = process::start(&settings, &folder, listener, admin, metrics) => started?,
        asked = lifecycle::asked_to_stop() => return Ok(asked?),
    };
    if args.demo {
        demo::seed(process.public, process.lifecycle()).await.context("the demo could not be set up")?;
    }
    banner::print(&process, &settings, args);
    lifecycle::asked_to_stop().await?;
    process.stop().await;
    Ok(())
}
