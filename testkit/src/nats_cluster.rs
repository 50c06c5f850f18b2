//! Three nats-servers that are a cluster.

use std::{
    fs,
    path::{Path, PathBuf},
    process::Command,
};

use natter_nats::{
    apply,
    async_nats::{Client, jetstream},
    connect::{Address, Purpose, connect},
    server,
    topology::Topology,
};

use crate::{Folder, Process, free_server_ports, until, until_some};

/// Each with a folder and ports of its own; they end with the value.
pub struct NatsCluster {
    nodes: Vec<Node>,
    // Dropped after the processes, which write into it.
    folder: Folder,
}

struct Node {
    port: u16,
    config: PathBuf,
    /// `None` once it is killed.
    process: Option<Process>,
}

impl NatsCluster {
    #[expect(clippy::new_without_default, reason = "it starts processes")]
    pub fn new() -> Self {
        let folder = Folder::new();
        let stores = [0, 1, 2].map(|n| folder.file(&n.to_string()));
        Self::start(folder, &stores)
    }

    /// Their files are below these folders, such as mounts.
    pub fn in_folders(stores: [&Path; 3]) -> Self {
        Self::start(Folder::new(), &stores.map(|store| store.join("nats")))
    }

    fn start(folder: Folder, stores: &[PathBuf; 3]) -> Self {
        let ports = free_server_ports::<6>();
        let routes: Vec<String> =
            ports[3..].iter().map(|port| format!("\"nats-route://127.0.0.1:{port}\"")).collect();
        let routes = routes.join(", ");
        let nodes = stores.iter().enumerate().map(|(n, store)| {
            let (port, route) = (ports[n], ports[3 + n]);
            let text = format!(
                "server_name: n{n}\nlisten: \"127.0.0.1:{port}\"\nmax_payload: 8MB\n\
                 jetstream {{ store_dir: \"{}\", max_file_store: 10GB }}\n\
                 cluster {{ name: test, listen: \"127.0.0.1:{route}\", routes: [{routes}] }}\n",
                store.display(),
            );
            let config = folder.file(&format!("{n}.conf"));
            fs::write(&config, text).unwrap();
            Node { port, config, process: None }
        });
        let nodes = nodes.collect();
        let mut cluster = Self { nodes, folder };
        for node in 0..3 {
            cluster.restart(node);
        }
        cluster
    }

    /// Without a warning.
    pub fn kill(&mut self, node: usize) {
        self.nodes[node].process = None;
    }

    /// Kills it, if it runs, and starts it with its files on its ports.
    pub fn restart(&mut self, node: usize) {
        self.kill(node);
        let Node { config, process, .. } = &mut self.nodes[node];
        let mut command = Command::new(server::find().expect("a nats-server to test with (make deps)"));
        command.arg("-c").arg(config);
        *process = Some(Process::start(command, &self.folder.file(&format!("{node}.log"))));
    }

    /// Of all servers, as in `NATS_URL`.
    pub fn url(&self) -> String {
        let urls: Vec<String> = (0..3).map(|node| self.url_of(node)).collect();
        urls.join(",")
    }

    fn url_of(&self, node: usize) -> String {
        format!("nats://127.0.0.1:{}", self.nodes[node].port)
    }

    /// Connected to any.
    pub async fn client(&self) -> Client {
        connect_to(self.url()).await
    }

    /// Connected to this one only.
    pub async fn client_of(&self, node: usize) -> Client {
        connect_to(self.url_of(node)).await
    }

    /// Waits until the servers have found each other.
    pub async fn provision(&self, topology: &Topology) -> jetstream::Context {
        let js = jetstream::new(self.client().await);
        until("the servers have found each other", async || apply::apply(&js, topology, &[]).await.is_ok())
            .await;
        js
    }
}

async fn connect_to(url: String) -> Client {
    connect(&Address::new(url), Purpose::Work).await.expect("the cluster takes connections")
}

/// Which server leads a stream, once one does.
pub async fn leader_of(js: &jetstream::Context, stream: &str) -> usize {
    let leader = async || js.get_stream(stream).await.ok()?.get_info().await.ok()?.cluster?.leader;
    let name = until_some("the stream has a leader", leader).await;
    name.trim_start_matches('n').parse().expect("it is one of ours")
}
