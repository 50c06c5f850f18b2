//! Two edges, two workers, one nats-server or three, and Redis as processes, and a link wherever one of them speaks to
//! another.

mod links; // which link is between whom
mod servers; // command lines of servers
mod java; // servers that the kit starts
mod signs; // what a part shows of a fault
mod versions; // processes of the release before

use std::{
    collections::BTreeMap,
    fs,
    path::Path,
    process::{Command, Stdio},
};

use natter_nats::{
    async_nats::jetstream::{self, consumer::PullConsumer},
    connect::{Address, Purpose, connect},
    topology::PERSIST,
};
use natter_testkit::{
    Clock, Folder, Kafka, LossyDisk, Process, Survives, free_server_ports, leader_of, text, until,
};

use super::{
    link::{Conduct, Link},
    part::Part,
    scenario::Scenario,
    steps::Room,
};
use java::Java;
use links::Links;
pub use versions::Programs;
use versions::Versions;

const RATES: &str = "login=100000/s,send=100000/s,write=100000/s,read=100000/s,search=100000/s,frames=100000/s,\
                     renew=100000/s,address=100000/s,groups=100000/s";
const EDGES: usize = 2;
const WORKERS: usize = 2;
const PARTITIONS: usize = 4;

pub struct Deployment {
    // Dropped in this order: who needs others first.
    processes: BTreeMap<Part, Process>,
    java: Java,
    links: Links,
    versions: Versions,
    settings: Vec<(String, String)>,
    servers: usize,
    ports: BTreeMap<Part, u16>,
    /// On which servers listen for each other.
    routes: [u16; 3],
    /// `http://host:port` of each edge and worker that runs: its own, and that of its metrics.
    addresses: BTreeMap<Part, String>,
    admins: BTreeMap<Part, String>,
    /// The leader that was broken.
    leader: Option<Part>,
    started: usize,
    /// Of servers and of the store, where a scenario breaks one.
    disks: BTreeMap<Part, LossyDisk>,
    /// Of edges and workers, where a scenario sets them.
    clocks: BTreeMap<Part, Clock>,
    home: Folder,
}

impl Deployment {
    /// As the scenario wants it.
    pub async fn start(programs: &Programs, scenario: &Scenario) -> Self {
        let [redis, servers @ ..] = free_server_ports::<4>();
        let servers = servers.into_iter().enumerate().take(scenario.servers());
        let ports = servers.map(|(number, port)| (Part::Server(number), port)).chain([(Part::Redis, redis)]);
        let mut deployment = Self {
            processes: BTreeMap::new(),
            java: Java::start(scenario).await,
            links: Links::default(),
            versions: Versions::new(programs.clone(), scenario.begins_with_previous),
            settings: scenario.settings.clone(),
            servers: scenario.servers(),
            ports: ports.collect(),
            routes: free_server_ports::<3>(),
            addresses: BTreeMap::new(),
            admins: BTreeMap::new(),
            leader: None,
            started: 0,
            disks: BTreeMap::new(),
            clocks: BTreeMap::new(),
            home: Folder::new(),
        };
        if scenario.sets_clocks() {
            let natter = deployment.parts().into_iter().filter(|part| part.is_natter());
            let right = |part| (part, Clock::ahead(&deployment.home, &format!("{part}.clock"), 0));
            deployment.clocks = natter.map(right).collect();
        }
        if scenario.breaks_disks() {
            let disks = (0..deployment.servers).map(Part::Server).chain([Part::Store]);
            deployment.disks = disks.map(|part| (part, LossyDisk::new())).collect();
        }
        deployment.lay_links().await;
        deployment.start_part(Part::Nats).await;
        deployment.start_part(Part::Redis).await;
        until("the servers take the topology and the tables", async || {
            let mut migrate = deployment.own(Part::Worker(0), "migrate");
            let migrated = migrate.output().expect("the program can be run");
            assert!(
                migrated.status.success() || deployment.servers > 1,
                "{}",
                String::from_utf8_lossy(&migrated.stderr)
            );
            migrated.status.success()
        })
        .await;
        deployment.start_part(Part::Everything).await;
        deployment
    }

    /// Every process, in the order in which they are started.
    fn parts(&self) -> Vec<Part> {
        let servers = (0..self.servers).map(Part::Server).chain([Part::Redis]);
        servers.chain((0..WORKERS).map(Part::Worker)).chain((0..EDGES).map(Part::Edge)).collect()
    }

    async fn lay_links(&mut self) {
        let parts = self.parts();
        for from in &parts {
            for to in parts.iter().filter(|to| !to.is_natter()) {
                match (from, to) {
                    (Part::Server(from), Part::Server(to)) if from < to => {
                        self.links.lay(Part::Server(*from), Part::Server(*to), self.routes[*to]).await;
                    }
                    (Part::Worker(_) | Part::Edge(_), _) => self.links.lay(*from, *to, self.ports[to]).await,
                    _ => {}
                }
            }
            if matches!(from, Part::Edge(_)) {
                // It leads nowhere before the edge runs.
                self.links.lay(Part::Clients, *from, 1).await;
            }
        }
    }

    /// What the part stands for now.
    async fn resolve(&mut self, part: Part) -> Part {
        if part != Part::Leader {
            return part;
        }
        if self.leader.is_none() {
            self.leader = Some(self.find_leader().await);
        }
        self.leader.unwrap_or(part)
    }

    async fn jetstream(&self) -> jetstream::Context {
        let running = self.ports.iter().filter(|(part, _)| self.processes.contains_key(part));
        let servers = running.filter(|(part, _)| Part::Nats.covers(**part));
        let urls: Vec<String> = servers.map(|(_, port)| format!("nats://127.0.0.1:{port}")).collect();
        let client = connect(&Address::new(urls.join(",")), Purpose::Provision).await;
        jetstream::new(client.expect("a server takes connections"))
    }

    /// Until the store has everything that the logs have.
    pub async fn persisted(&self) {
        let js = self.jetstream().await;
        until("the store has what the logs have", async || {
            let mut waiting = 0;
            for partition in 0..PARTITIONS {
                let persister: PullConsumer = js
                    .get_consumer_from_stream(PERSIST, format!("CONV_{partition}"))
                    .await
                    .expect("it is there");
                waiting +=
                    persister.cached_info().num_pending + persister.cached_info().num_ack_pending as u64;
            }
            waiting == 0
        })
        .await;
    }

    /// Who leads most logs.
    async fn find_leader(&self) -> Part {
        let js = self.jetstream().await;
        let mut led = [0; 3];
        for partition in 0..PARTITIONS {
            led[leader_of(&js, &format!("CONV_{partition}")).await] += 1;
        }
        let most = (0..led.len()).max_by_key(|number| led[*number]);
        Part::Server(most.expect("there are three"))
    }

    /// A fault at the leader is over: the next one finds who leads then.
    fn heal(&mut self, part: Part) {
        if part == Part::Leader {
            self.leader = None;
        }
    }

    pub async fn set_links(&mut self, from: Part, to: Part, conduct: Conduct) {
        let ends = (self.resolve(from).await, self.resolve(to).await);
        self.links.set(ends.0, ends.1, conduct);
        if conduct == Conduct::Pass {
            self.heal(from);
            self.heal(to);
        }
    }

    /// Links between these; [`Part::Everything`] is every end.
    pub fn links(&self, from: Part, to: Part) -> Vec<&Link> {
        self.links.all(from, to)
    }

    /// `host:port` of each edge, for clients.
    pub fn edges(&self) -> Vec<String> {
        let address = |edge| self.links.address(Part::Clients, Part::Edge(edge)).to_string();
        (0..EDGES).map(address).collect()
    }

    fn running(&self, part: Part) -> Vec<Part> {
        self.processes.keys().copied().filter(|running| part.covers(*running)).collect()
    }

    pub async fn pause(&mut self, part: Part) {
        let part = self.resolve(part).await;
        self.java.pause(part);
        self.running(part).iter().for_each(|part| self.processes[part].pause());
    }

    pub async fn resume(&mut self, part: Part) {
        let resolved = self.resolve(part).await;
        self.java.resume(resolved);
        self.running(resolved).iter().for_each(|part| self.processes[part].resume());
        self.heal(part);
    }

    /// kill -9.
    pub async fn kill(&mut self, part: Part) {
        let part = self.resolve(part).await;
        self.java.kill(part);
        for part in self.running(part) {
            self.remove(part);
        }
    }

    fn remove(&mut self, part: Part) {
        self.addresses.remove(&part);
        self.admins.remove(&part);
        drop(self.processes.remove(&part));
    }

    /// Whoever runs on the same machine ends, and what was not synced there is lost.
    pub async fn cut_power(&mut self, part: Part, torn: bool) {
        let part = self.resolve(part).await;
        // SQLite is a part of every worker.
        self.kill(if part == Part::Store { Part::Workers } else { part }).await;
        self.started += 1;
        let survives = if torn { Survives::Some(self.started as u64) } else { Survives::Nothing };
        for (_, disk) in self.disks.iter_mut().filter(|(of, _)| part.covers(**of)) {
            disk.cut_power(survives);
        }
    }

    pub async fn sync(&mut self, part: Part) {
        let part = self.resolve(part).await;
        self.disks.iter().filter(|(of, _)| part.covers(**of)).for_each(|(_, disk)| disk.sync());
    }

    pub fn set_clocks(&self, part: Part, ahead: i64) {
        for (_, clock) in self.clocks.iter().filter(|(of, _)| part.covers(**of)) {
            clock.set(ahead);
        }
    }

    pub fn kafka(&self) -> Option<&Kafka> {
        self.java.kafka()
    }

    pub async fn set_disk(&mut self, part: Part, room: Room) {
        let resolved = self.resolve(part).await;
        for (_, disk) in self.disks.iter().filter(|(of, _)| resolved.covers(**of)) {
            disk.set_full(room == Room::Full);
        }
        if room == Room::Free {
            self.heal(part);
        }
    }

    /// What does not run of it, on the ports and with the files that it had.
    pub async fn start_part(&mut self, part: Part) {
        let resolved = self.resolve(part).await;
        self.java.start_part(resolved).await;
        for part in self.parts().into_iter().filter(|part| resolved.covers(*part)) {
            if !self.processes.contains_key(&part) {
                self.start_process(part).await;
            }
        }
        self.heal(part);
    }

    async fn start_process(&mut self, part: Part) {
        self.started += 1;
        let log = self.home.file(&format!("{part}-{}.log", self.started));
        let command = match part {
            Part::Server(number) => self.nats(number),
            Part::Redis => self.redis(),
            Part::Worker(_) => self.own(part, "worker"),
            Part::Edge(_) => self.own(part, "edge"),
            _ => panic!("{part} is no process"),
        };
        let process = Process::start(command, &log);
        match part {
            Part::Worker(_) => {
                let ready = process.wait_for_event("worker is ready").await;
                self.admins.insert(part, format!("http://{}", text(&ready["admin"])));
                self.addresses.insert(part, format!("http://{}", text(&ready["admin"])));
            }
            Part::Edge(_) => {
                let ready = process.wait_for_event("edge is ready").await;
                self.links.between(Part::Clients, part).lead_to(&text(&ready["address"]));
                self.addresses.insert(part, format!("http://{}", text(&ready["address"])));
                self.admins.insert(part, format!("http://{}", text(&ready["admin"])));
            }
            _ => self.listens(part, &process).await,
        }
        self.processes.insert(part, process);
    }

    async fn listens(&self, part: Part, process: &Process) {
        let port = self.ports[&part];
        until(&format!("{part} listens"), async || {
            assert!(!process.has_ended(), "{part} ended: {}", process.log());
            tokio::net::TcpStream::connect(("127.0.0.1", port)).await.is_ok()
        })
        .await;
    }

    /// Of the part's version.
    fn own(&self, part: Part, role: &str) -> Command {
        self.natter(self.versions.of(part), part, role)
    }

    fn natter(&self, program: &Path, part: Part, role: &str) -> Command {
        let mut command = Command::new(program);
        command.arg(role).env_clear().stdin(Stdio::null());
        let servers = (0..self.servers).map(|number| self.links.address(part, Part::Server(number)));
        let urls: Vec<String> = servers.map(|address| format!("nats://{address}")).collect();
        let database = self.folder_of(Part::Store).join("natter.db");
        command.envs([
            ("NATS_URL", urls.join(",")),
            ("REDIS_URL", format!("redis://{}", self.links.address(part, Part::Redis))),
            ("DATABASE_URL", format!("sqlite:{}", database.display())),
            ("JWT_SECRET", "0123456789abcdef0123456789abcdef".to_owned()),
            ("JWT_EXPIRES_IN", "1h".to_owned()),
            ("HOST", "127.0.0.1".to_owned()),
            ("PORT", "0".to_owned()),
            ("ADMIN_PORT", "0".to_owned()),
            ("PARTITIONS", PARTITIONS.to_string()),
            ("DURABILITY", self.durability().to_owned()),
            ("LOG_MAX_BYTES", (64 * 1024 * 1024).to_string()),
            ("RATE_LIMITS", RATES.to_owned()),
            ("LOG_FORMAT", "json".to_owned()),
        ]);
        if matches!(part, Part::Worker(_)) {
            command.envs(self.java.settings());
        }
        command.envs(self.settings.iter().cloned());
        if let Some(clock) = self.clocks.get(&part) {
            clock.give_to(&mut command);
        }
        command
    }

    /// What the scenario says, or what fits the number of servers.
    fn durability(&self) -> &str {
        let chosen = self.settings.iter().find(|(key, _)| key == "DURABILITY");
        let fits = if self.servers > 1 { "replicated" } else { "durable" };
        chosen.map_or(fits, |(_, value)| value)
    }

    /// The ends of the logs of all processes, for a run that failed.
    pub fn keep_logs(&self, folder: &Path) -> std::io::Result<()> {
        fs::create_dir_all(folder)?;
        for entry in fs::read_dir(self.home.path())?.flatten() {
            if entry.path().extension().is_some_and(|extension| extension == "log") {
                fs::copy(entry.path(), folder.join(entry.file_name()))?;
            }
        }
        Ok(())
    }
}
