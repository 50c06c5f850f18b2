//! The bare relay: this program again, as a server.

use super::{Kind, Launch, LaunchContext, STARTS_WITHIN, Server, free_port, local};
use crate::{dialect::Natter, seed::Seeder};

pub fn start(context: &LaunchContext) -> anyhow::Result<Server> {
    let port = free_port()?;
    let launch = Launch::new(std::env::current_exe()?, context.scratch.join("bare.log"))
        .args(&["bare", "--port", &port.to_string()])
        .core(context.core);
    let mut process = launch.start()?;
    process.listens(local(port), STARTS_WITHIN)?;
    Ok(Server {
        kind: Kind::Bare,
        dialect: &Natter,
        sockets: vec![local(port)],
        http: local(port),
        seeder: Seeder::Bare,
        processes: vec![process],
        scratch: context.scratch.clone(),
    })
}
