//! `natter dev`: nats-server as a child, SQLite, memory, all roles in one process.

mod folder; // the data folder: one natter at a time, its secrets
pub mod running; // the deployment of a folder, for commands
mod server; // everything started in order and ended in reverse
mod demo; // users, rooms and a bot that answers
mod bot; // answers messages
mod banner; // printed when everything is ready

use natter_runtime::{config::Strictness, lifecycle::StopSignals};

use crate::{
    bootstrap::{self, Process},
    cli::DevArgs,
    settings,
};
pub use folder::{DATABASE, Folder, JWT_SECRET};
use server::DevServer;
pub use server::start_nats;

pub async fn run(args: &DevArgs) -> anyhow::Result<()> {
    // From here on a signal waits to be asked for: none is lost between two waits.
    let mut stop = StopSignals::listen()?;
    let flags = [
        ("PORT", args.port.map(|port| port.to_string())),
        ("ADMIN_PORT", args.admin_port.map(|port| port.to_string())),
    ];
    let settings = settings::read(&flags, Strictness::Dev)?;
    let metrics = bootstrap::observe(&settings)?;
    bootstrap::report_build("dev");
    let folder = Folder::open(&args.data_dir)?;
    let listener = bootstrap::bind(settings.host, settings.port, "--port")?;
    let process = Process::start(&settings, "dev", metrics)?;

    let server = tokio::select! {
        started = DevServer::start(settings, &folder, listener, process, args) => started?,
        () = stop.received() => return Ok(()),
    };
    let seeding = async {
        if let Some(demo) = &server.demo {
            demo.seed(server.public, server.lifecycle()).await;
        }
    };
    tokio::select! {
        () = seeding => {}
        () = stop.received() => {
            server.stop().await;
            return Ok(());
        }
    }
    banner::print(&server, args);
    server.run(&mut stop).await
}
