//! Three servers with three copies of everything.

use std::{fs, net::TcpListener, process::Command};

use natter_nats::{
    apply,
    async_nats::{Client, jetstream},
    connect::{Address, Purpose, connect},
    log::{LogError, LogReader},
    publisher::Publisher,
    server, subject,
    topology::{Topology, log_stream},
};
use natter_schemas::id::{ConversationId, EventId, Partition};
use natter_testkit::{Folder, Process, small, until, until_some};

struct Cluster {
    nodes: Vec<(u16, Process)>,
    // Dropped after the processes, which write into it.
    _folder: Folder,
}

impl Cluster {
    fn start() -> Self {
        let folder = Folder::new();
        // Held all at once, or the system might give one of them twice.
        let held: Vec<_> = (0..6).map(|_| TcpListener::bind("127.0.0.1:0").unwrap()).collect();
        let ports: Vec<u16> = held.iter().map(|listener| listener.local_addr().unwrap().port()).collect();
        drop(held);
        let routes: Vec<String> =
            ports[3..].iter().map(|port| format!("\"nats-route://127.0.0.1:{port}\"")).collect();
        let routes = routes.join(", ");
        let nodes = (0..3).map(|n| {
            let (port, dir) = (ports[n], folder.file(&n.to_string()));
            let config = format!(
                "server_name: n{n}\nlisten: \"127.0.0.1:{port}\"\nmax_payload: 8MB\n\
                 jetstream {{ store_dir: \"{}\", max_file_store: 10GB }}\n\
                 cluster {{ name: test, listen: \"127.0.0.1:{}\", routes: [{routes}] }}\n",
                dir.display(),
                ports[3 + n],
            );
            let path = folder.file(&format!("{n}.conf"));
            fs::write(&path, config).unwrap();
            let mut command = Command::new(server::find().unwrap());
            command.arg("-c").arg(path);
            (port, Process::start(command, &folder.file(&format!("{n}.log"))))
        });
        let nodes = nodes.collect();
        Self { nodes, _folder: folder }
    }

    /// Connected to one node, or with `None` to any.
    async fn client(&self, node: Option<usize>) -> Client {
        let nodes = self.nodes.iter().enumerate().filter(|(n, _)| node.is_none_or(|node| node == *n));
        let url =
            nodes.map(|(_, (port, _))| format!("nats://127.0.0.1:{port}")).collect::<Vec<_>>().join(",");
        connect(&Address { url, creds: None }, Purpose::Work).await.unwrap()
    }

    /// Waits until the servers have found each other.
    async fn provision(&self, topology: &Topology) -> jetstream::Context {
        let js = jetstream::new(self.client(None).await);
        until("the servers have found each other", async || apply::apply(&js, topology, &[]).await.is_ok())
            .await;
        js
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_acked_is_read_from_every_server_of_a_cluster() {
    let cluster = Cluster::start();
    let topology = Topology { replicas: 3, ..small(1) };
    let js = cluster.provision(&topology).await;
    apply::check(&js, &topology).await.unwrap();
    let publisher = Publisher::new(cluster.client(None).await);
    let mut logs = Vec::new();
    for node in 0..3 {
        logs.push(LogReader::new(jetstream::new(cluster.client(Some(node)).await), 1));
    }
    let (mut misses, mut stale) = (0, 0);
    for _ in 0..300 {
        let c = ConversationId::fresh();
        let seq = super::publish(&publisher, 1, c, "x").await;
        for log in &logs {
            let (events, heads, whole) = tokio::join!(
                log.from(c, 0, 10),
                log.heads(std::slice::from_ref(&c)),
                log.in_order(Partition(0), seq)
            );
            misses += usize::from(events.unwrap().last().map(|event| event.seq) != Some(seq));
            misses += usize::from(whole.unwrap().last().map(|kept| kept.seq) != Some(seq));
            stale += usize::from(heads.unwrap().get(&c) != Some(&seq));
        }
    }
    assert_eq!((misses, stale), (0, 0), "of 1,800 and 900");
}

#[tokio::test(flavor = "multi_thread")]
async fn publishes_ride_over_the_death_of_a_leader() {
    let cluster = Cluster::start();
    let js = cluster.provision(&Topology { replicas: 3, ..small(1) }).await;
    let publisher = Publisher::new(cluster.client(None).await);
    let c = ConversationId::fresh();
    let subject = subject::conv(Partition(0), c);
    for n in 0..200 {
        if n == 100 {
            let info = js.get_stream(log_stream(Partition(0))).await.unwrap().get_info().await.unwrap();
            let leader = info.cluster.unwrap().leader.unwrap();
            let node: usize = leader.trim_start_matches('n').parse().unwrap();
            cluster.nodes[node].1.kill();
        }
        let id = EventId::fresh().to_string();
        publisher.publish(subject.clone(), &id, n.to_string().into()).await.unwrap();
    }
    let log = LogReader::new(js, 1);
    // A server that has not seen the election yet cannot read; that it says so is no defect of the reader.
    let events =
        until_some("the log is read after the election", async || match log.from(c, 0, 1_000).await {
            Ok(events) => Some(events),
            Err(LogError::Unavailable(_)) => None,
            Err(error) => panic!("{error}"),
        })
        .await;
    let bodies: Vec<String> =
        events.iter().map(|event| String::from_utf8(event.payload.to_vec()).unwrap()).collect();
    assert_eq!(bodies, (0..200).map(|n| n.to_string()).collect::<Vec<_>>());
}
