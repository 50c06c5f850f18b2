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

use crate::{Folder, Process, free_server_ports, gate::Gate, until, until_some};

/// Each with a folder and ports of its own; they end with the value.
pub struct NatsCluster {
    nodes: Vec<Node>,
    /// Between the first server and the others, where it can be cut off.
    gates: Vec<Gate>,
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

    /// [`cut_off`](Self::cut_off) can part the first server from the others.
    pub async fn that_can_be_cut() -> Self {
        let folder = Folder::new();
        let stores = [0, 1, 2].map(|n| folder.file(&n.to_string()));
        let ports = free_server_ports::<6>();
        let gates = vec![Gate::to(ports[4]).await, Gate::to(ports[5]).await];
        // The first connects to both, the second to the third. A server waits for as many others as it names.
        let routes = [[gates[0].port, gates[1].port], [ports[5], 1], [1, 2]].map(|routes| routes_to(&routes));
        // What servers say of each other leads nowhere, and two have one connection.
        let more = ", advertise: \"127.0.0.1:1\", no_advertise: true, pool_size: -1";
        Self { gates, ..Self::of(folder, &stores, ports, &routes, more) }
    }

    /// Their files are below these folders, such as mounts.
    pub fn in_folders(stores: [&Path; 3]) -> Self {
        Self::start(Folder::new(), &stores.map(|store| store.join("nats")))
    }

    fn start(folder: Folder, stores: &[PathBuf; 3]) -> Self {
        let ports = free_server_ports::<6>();
        let routes = routes_to(&ports[3..]);
        Self::of(folder, stores, ports, &[routes.clone(), routes.clone(), routes], "")
    }

    fn of(folder: Folder, stores: &[PathBuf; 3], ports: [u16; 6], routes: &[String; 3], more: &str) -> Self {
        let nodes = stores.iter().enumerate().map(|(n, store)| {
            let (port, route, routes) = (ports[n], ports[3 + n], &routes[n]);
            let text = format!(
                "server_name: n{n}\nlisten: \"127.0.0.1:{port}\"\nmax_payload: 8MB\n\
                 jetstream {{ store_dir: \"{}\", max_file_store: 10GB }}\n\
                 cluster {{ name: test, listen: \"127.0.0.1:{route}\", routes: [{routes}]{more} }}\n",
                store.display(),
            );
            let config = folder.file(&format!("{n}.conf"));
            fs::write(&config, text).unwrap();
            Node { port, config, process: None }
        });
        let nodes = nodes.collect();
        let mut cluster = Self { nodes, gates: Vec::new(), folder };
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

    /// The first server runs on and does not reach the others.
    pub fn cut_off(&self) {
        assert!(!self.gates.is_empty(), "this cluster cannot be cut");
        self.gates.iter().for_each(Gate::shut);
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

fn routes_to(ports: &[u16]) -> String {
    let routes: Vec<String> = ports.iter().map(|port| format!("\"nats-route://127.0.0.1:{port}\"")).collect();
    routes.join(", ")
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
