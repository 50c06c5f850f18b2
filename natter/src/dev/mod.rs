//! `natter dev`: nats-server as a child, SQLite, memory, all roles in one process.

mod banner;
mod bot; // answers what people say to it
mod demo; // users, rooms and a bot to talk to
mod folder; // the data folder: one natter at a time, its secrets
mod process; // the parts, started in order and ended in reverse // what is printed when it is ready

use std::net::SocketAddr;

use anyhow::Context;
use runtime::{config::Strictness, lifecycle, telemetry};
use tokio::net::TcpListener;

use crate::{cli::DevArgs, settings};

pub async fn run(args: &DevArgs) -> anyhow::Result<()> {
    let flags = [
        ("PORT", args.port.map(|port| port.to_string())),
        ("ADMIN_PORT", args.admin_port.map(|port| port.to_string())),
    ];
    let settings = settings::read(&flags, Strictness::Dev)?;
    telemetry::start_logs(&settings.log_level, settings.log_format)?;
    let metrics = telemetry::start_metrics()?;
    raise_file_limit();

    let folder = folder::Folder::open(&args.data_dir)?;
    let listener = bind(settings.host, settings.port, "--port").await?;
    let admin = bind(settings.host, settings.admin_port, "--admin-port").await?;

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

async fn bind(host: std::net::IpAddr, port: u16, flag: &str) -> anyhow::Result<TcpListener> {
    let address = SocketAddr::new(host, port);
    TcpListener::bind(address).await.with_context(|| {
        format!("cannot listen on {address}; is another server running there? Choose a port with {flag}")
    })
}

/// A socket is a file: the usual soft limit of 1,024 is far below what this process serves.
fn raise_file_limit() {
    use nix::sys::resource::{Resource, getrlimit, setrlimit};
    if let Ok((_, hard)) = getrlimit(Resource::RLIMIT_NOFILE)
        && let Err(error) = setrlimit(Resource::RLIMIT_NOFILE, hard, hard)
    {
        tracing::warn!(%error, "the limit of open files stays low");
    }
}
