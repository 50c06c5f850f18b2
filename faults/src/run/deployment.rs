//! Two edges, two workers, nats-server and Redis as processes, and a link wherever one of them speaks to another.

use std::{collections::BTreeMap, fs, path::PathBuf, process::Command, process::Stdio};

use natter_testkit::{Folder, Process, free_server_ports, text, until};

use super::{link::Link, steps::Part};

const RATES: &str = "login=100000/s,send=100000/s,write=100000/s,read=100000/s,search=100000/s,frames=100000/s,\
                     renew=100000/s,address=100000/s,groups=100000/s";
const EDGES: usize = 2;
const WORKERS: usize = 2;
const PARTITIONS: &str = "4";

pub struct Deployment {
    // Dropped in this order: who needs others first.
    processes: BTreeMap<Part, Process>,
    links: BTreeMap<(Part, Part), Link>,
    program: PathBuf,
    settings: Vec<(String, String)>,
    ports: BTreeMap<Part, u16>,
    /// `http://host:port` of the metrics of each edge that runs.
    admins: BTreeMap<Part, String>,
    started: usize,
    home: Folder,
}

impl Deployment {
    /// Of this binary, with these settings changed.
    pub async fn start(program: PathBuf, settings: Vec<(String, String)>) -> Self {
        let [nats, redis] = free_server_ports::<2>();
        let ports = BTreeMap::from([(Part::Nats, nats), (Part::Redis, redis)]);
        let mut deployment = Self {
            processes: BTreeMap::new(),
            links: BTreeMap::new(),
            program,
            settings,
            ports,
            admins: BTreeMap::new(),
            started: 0,
            home: Folder::new(),
        };
        deployment.lay_links().await;
        for part in [Part::Nats, Part::Redis] {
            deployment.start_part(part).await;
        }
        let mut migrate = deployment.natter(Part::Worker(0), "migrate");
        let migrated = migrate.output().expect("the program can be run");
        assert!(migrated.status.success(), "{}", String::from_utf8_lossy(&migrated.stderr));
        for part in Self::parts().into_iter().filter(|part| part.is_natter()) {
            deployment.start_part(part).await;
        }
        deployment
    }

    /// All that can break.
    pub fn parts() -> Vec<Part> {
        let workers = (0..WORKERS).map(Part::Worker);
        [Part::Nats, Part::Redis].into_iter().chain(workers).chain((0..EDGES).map(Part::Edge)).collect()
    }

    async fn lay_links(&mut self) {
        for part in Self::parts().into_iter().filter(|part| part.is_natter()) {
            for server in [Part::Nats, Part::Redis] {
                let link = Link::to(&format!("127.0.0.1:{}", self.ports[&server])).await;
                self.links.insert((part, server), link);
            }
        }
        for edge in (0..EDGES).map(Part::Edge) {
            // It leads nowhere before the edge runs.
            self.links.insert((Part::Clients, edge), Link::to("127.0.0.1:1").await);
        }
    }

    /// Links between these; [`Part::Everything`] is every end.
    pub fn links(&self, from: Part, to: Part) -> Vec<&Link> {
        let among = |(a, b): &(Part, Part)| from.covers(*a) && to.covers(*b);
        self.links.iter().filter(|(ends, _)| among(ends)).map(|(_, link)| link).collect()
    }

    /// `host:port` of each edge, for clients.
    pub fn edges(&self) -> Vec<String> {
        let address = |edge: usize| self.links[&(Part::Clients, Part::Edge(edge))].address.to_string();
        (0..EDGES).map(address).collect()
    }

    pub fn process(&self, part: Part) -> &Process {
        self.processes.get(&part).unwrap_or_else(|| panic!("{part} does not run"))
    }

    /// kill -9.
    pub fn kill(&mut self, part: Part) {
        self.admins.remove(&part);
        drop(self.processes.remove(&part));
    }

    /// On the ports and with the files that it had.
    pub async fn start_part(&mut self, part: Part) {
        self.started += 1;
        let log = self.home.file(&format!("{part}-{}.log", self.started));
        let command = match part {
            Part::Nats => self.nats(),
            Part::Redis => self.redis(),
            Part::Worker(_) => self.natter(part, "worker"),
            Part::Edge(_) => self.natter(part, "edge"),
            Part::Clients | Part::Everything => panic!("{part} is no process"),
        };
        let process = Process::start(command, &log);
        match part {
            Part::Worker(_) => drop(process.wait_for_event("worker is ready").await),
            Part::Edge(_) => {
                let ready = process.wait_for_event("edge is ready").await;
                self.links[&(Part::Clients, part)].lead_to(&text(&ready["address"]));
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

    fn nats(&self) -> Command {
        let config = self.home.file("nats.conf");
        let text = format!(
            "listen: \"127.0.0.1:{}\"\nmax_payload: 8MB\n\
             jetstream {{ store_dir: \"{}\", max_file_store: 10GB, sync_interval: always }}\n",
            self.ports[&Part::Nats],
            self.home.file("nats").display(),
        );
        fs::write(&config, text).expect("the folder can be written to");
        let server = natter_nats::server::find().expect("a nats-server (make deps)");
        let mut command = Command::new(server);
        command.arg("-c").arg(config);
        command
    }

    fn redis(&self) -> Command {
        let mut command = Command::new("redis-server");
        let port = self.ports[&Part::Redis].to_string();
        command.args(["--port", &port, "--bind", "127.0.0.1", "--save", "", "--appendonly", "no", "--dir"]);
        command.arg(self.home.path());
        command
    }

    fn natter(&self, part: Part, role: &str) -> Command {
        let server = |server: Part| self.links[&(part, server)].address;
        let mut command = Command::new(&self.program);
        command.arg(role).env_clear().stdin(Stdio::null());
        let database = self.home.file("natter.db");
        command.envs([
            ("NATS_URL", format!("nats://{}", server(Part::Nats))),
            ("REDIS_URL", format!("redis://{}", server(Part::Redis))),
            ("DATABASE_URL", format!("sqlite:{}", database.display())),
            ("JWT_SECRET", "0123456789abcdef0123456789abcdef".to_owned()),
            ("JWT_EXPIRES_IN", "1h".to_owned()),
            ("HOST", "127.0.0.1".to_owned()),
            ("PORT", "0".to_owned()),
            ("ADMIN_PORT", "0".to_owned()),
            ("PARTITIONS", PARTITIONS.to_owned()),
            ("LOG_MAX_BYTES", (64 * 1024 * 1024).to_string()),
            ("RATE_LIMITS", RATES.to_owned()),
            ("LOG_FORMAT", "json".to_owned()),
        ]);
        command.envs(self.settings.iter().cloned());
        command
    }

    /// The sum of a counter over the edges that run.
    pub async fn counted(&self, counter: &str) -> u64 {
        let mut sum = 0.0;
        for admin in self.admins.values() {
            let Ok(answer) = reqwest::get(format!("{admin}/metrics")).await else { continue };
            let text = answer.text().await.unwrap_or_default();
            let values = text.lines().filter(|line| line.starts_with(counter));
            sum += values.filter_map(|line| line.rsplit(' ').next()?.parse::<f64>().ok()).sum::<f64>();
        }
        #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a count of events")]
        let sum = sum as u64;
        sum
    }

    /// The ends of the logs of all processes, for a run that failed.
    pub fn keep_logs(&self, folder: &std::path::Path) -> std::io::Result<()> {
        fs::create_dir_all(folder)?;
        for entry in fs::read_dir(self.home.path())?.flatten() {
            if entry.path().extension().is_some_and(|extension| extension == "log") {
                fs::copy(entry.path(), folder.join(entry.file_name()))?;
            }
        }
        Ok(())
    }
}
