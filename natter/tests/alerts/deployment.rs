//! Two edges, two workers, Redis, a nats-server and a store on small disks, and Kafka if asked for.

use std::{fs, process::Command};

use natter_nats::server;
use natter_testkit::{
    Clock, Cluster, Folder, Kafka, Process, SmallDisk, User, free_server_ports, text, until,
};
use serde_json::Value;

use crate::NATTER;

/// Where metrics are, wherever a process is restarted.
const ROLES: [&str; 4] = ["edge", "edge", "worker", "worker"];

pub struct Deployment {
    // Dropped in this order: who needs others first.
    processes: [Option<Process>; ROLES.len()],
    pub cluster: Cluster,
    pub nats: Nats,
    pub kafka: Option<Kafka>,
    pub store_disk: SmallDisk,
    /// Of the last worker.
    pub clock: Option<Clock>,
    admin_ports: [u16; ROLES.len()],
    settings: Vec<(&'static str, String)>,
    addresses: Vec<String>,
    home: Folder,
}

impl Deployment {
    /// `whole`: with Kafka, and a worker whose clock can be set.
    pub async fn start(whole: bool) -> Self {
        let (home, store_disk) = (Folder::new(), SmallDisk::mount(64));
        let nats = Nats::start();
        let kafka = if whole { Some(Kafka::start().await) } else { None };
        let mut settings = vec![
            ("NATS_URL", nats.url()),
            ("DATABASE_URL", format!("sqlite:{}/natter.db", store_disk.path().display())),
        ];
        settings.extend(kafka.as_ref().map(|kafka| ("KAFKA_BROKERS", kafka.brokers())));
        let clock = whole.then(|| Clock::ahead(&home, "clock", 0));
        let (processes, cluster) = ([const { None }; ROLES.len()], Cluster::bare(NATTER).await);
        let (admin_ports, addresses) = (free_server_ports(), Vec::new());
        let mut all = Self {
            processes,
            cluster,
            nats,
            kafka,
            store_disk,
            clock,
            admin_ports,
            settings,
            addresses,
            home,
        };
        until("the log takes its topology", async || all.run(&["migrate"])).await;
        for number in (0..ROLES.len()).rev() {
            all.start_process(number).await;
        }
        all
    }

    fn changed(&self) -> Vec<(&str, &str)> {
        self.settings.iter().map(|(name, value)| (*name, value.as_str())).collect()
    }

    /// Whether a command of the program succeeds.
    pub fn run(&self, arguments: &[&str]) -> bool {
        self.cluster.run(arguments, &self.changed()).status.success()
    }

    /// What a command of the program prints.
    pub fn output(&self, arguments: &[&str]) -> String {
        let output = self.cluster.run(arguments, &self.changed());
        String::from_utf8(output.stdout).unwrap()
    }

    pub async fn start_process(&mut self, number: usize) {
        let (role, port) = (ROLES[number], self.admin_ports[number].to_string());
        let mut command = self.cluster.command(&[role], &self.changed());
        command.env("ADMIN_PORT", port);
        if let Some(clock) = self.clock.as_ref().filter(|_| number == ROLES.len() - 1) {
            clock.give_to(&mut command);
        }
        let process = Process::start(command, &self.home.file(&format!("{role}-{number}.log")));
        let ready = process.wait_for_event(&format!("{role} is ready")).await;
        if role == "edge" {
            self.addresses.push(format!("http://{}", text(&ready["address"])));
        }
        self.processes[number] = Some(process);
    }

    pub fn kill_process(&mut self, number: usize) {
        self.processes[number].take().unwrap().kill();
    }

    /// `host:port` of what Prometheus scrapes.
    pub fn targets(&self) -> Vec<String> {
        self.admin_ports.iter().map(|port| format!("127.0.0.1:{port}")).collect()
    }

    /// As one of the workers meets it.
    pub async fn store_is_down(&self) -> bool {
        for (role, target) in ROLES.iter().zip(self.targets()) {
            let ready = reqwest::get(format!("http://{target}/health/ready")).await.unwrap();
            let ready: Value = ready.json().await.unwrap();
            if *role == "worker" && ready["parts"]["store"] == "down" {
                return true;
            }
        }
        false
    }

    pub async fn user(&self, edge: usize, name: &str) -> User {
        User::register(self.addresses.clone(), edge, name).await
    }
}

/// A nats-server on a small disk, always on the same port.
pub struct Nats {
    process: Option<Process>,
    port: u16,
    // Dropped after the process, which writes into them.
    pub disk: SmallDisk,
    home: Folder,
}

impl Nats {
    fn start() -> Self {
        let (disk, home) = (SmallDisk::mount(96), Folder::new());
        let [port] = free_server_ports();
        let mut nats = Self { process: None, port, disk, home };
        nats.restart();
        nats
    }

    pub fn url(&self) -> String {
        format!("nats://127.0.0.1:{}", self.port)
    }

    pub fn kill(&mut self) {
        self.process = None;
    }

    /// With its files.
    pub fn restart(&mut self) {
        self.kill();
        let config = self.home.file("nats.conf");
        let text = format!(
            "listen: \"127.0.0.1:{}\"\nmax_payload: 8MB\njetstream {{ store_dir: \"{}\", max_file_store: 10GB }}\n",
            self.port,
            self.disk.path().join("nats").display(),
        );
        fs::write(&config, text).unwrap();
        let mut command = Command::new(server::find().expect("a nats-server to test with (make deps)"));
        command.arg("-c").arg(config);
        self.process = Some(Process::start(command, &self.home.file("nats.log")));
    }
}
