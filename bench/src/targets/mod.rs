//! What can be measured. A target starts its processes in a scratch folder, has the addresses that sockets connect to, makes
//! accounts and rooms, and ends with the processes it started.

mod bare; // a relay of our own that stores nothing
mod centrifugo; // for whoever has its binary
mod cluster; // natter, by role: edges of any number
mod natter; // natter, one process
mod collector; // takes spans
mod nats; // a nats-server alone
mod process; // a server process
mod seed_node; // Node.js on PostgreSQL, Redis and Kafka

use std::{fmt, net::SocketAddr, path::PathBuf, str::FromStr, time::Duration};

use crate::{dialect::Dialect, seed::Seeder};

pub use nats::NatsServer;
pub use process::{Launch, Process, free_port, local};

/// The slowest, a JVM on a busy machine, needs a quarter of it.
const STARTS_WITHIN: Duration = Duration::from_secs(90);

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Kind {
    Natter(Profile),
    /// The same, relaxed, with texts sealed.
    Sealed,
    /// The same, relaxed, exporting the spans of so many traces in a hundred.
    Traced(u8),
    /// So many edges.
    Cluster(u8),
    SeedNode,
    Bare,
    Centrifugo,
}

/// What an ack of Natter promises.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, clap::ValueEnum)]
pub enum Profile {
    Relaxed,
    Durable,
}

impl Profile {
    pub fn name(self) -> &'static str {
        match self {
            Self::Relaxed => "relaxed",
            Self::Durable => "durable",
        }
    }
}

impl Kind {
    /// Others' work: what it fails at is no failure of this bench.
    pub fn is_peer(self) -> bool {
        matches!(self, Self::SeedNode | Self::Centrifugo)
    }

    /// Whether a socket that comes back is sent what it missed.
    pub fn resumes(self) -> bool {
        !self.is_peer() && self != Self::Bare
    }
}

impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Natter(profile) => write!(f, "natter-{}", profile.name()),
            Self::Sealed => write!(f, "natter-sealed"),
            Self::Traced(percent) => write!(f, "natter-traced-{percent}"),
            Self::Cluster(edges) => write!(f, "natter-{edges}-edges"),
            Self::SeedNode => write!(f, "seed-node"),
            Self::Bare => write!(f, "bare"),
            Self::Centrifugo => write!(f, "centrifugo"),
        }
    }
}

impl FromStr for Kind {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        match text {
            "natter" | "natter-relaxed" => Ok(Self::Natter(Profile::Relaxed)),
            "natter-durable" => Ok(Self::Natter(Profile::Durable)),
            "natter-sealed" => Ok(Self::Sealed),
            "natter-traced-1" => Ok(Self::Traced(1)),
            "natter-traced-100" => Ok(Self::Traced(100)),
            "natter-1-edges" => Ok(Self::Cluster(1)),
            "natter-2-edges" => Ok(Self::Cluster(2)),
            "natter-4-edges" => Ok(Self::Cluster(4)),
            "seed-node" => Ok(Self::SeedNode),
            "bare" => Ok(Self::Bare),
            "centrifugo" => Ok(Self::Centrifugo),
            _ => Err("natter-relaxed, natter-durable, natter-sealed, natter-traced-N (1, 100), natter-N-edges (1, 2, 4), \
                      seed-node, bare or centrifugo"
                .into()),
        }
    }
}

/// What a target needs to start.
#[derive(Debug, Clone)]
pub struct LaunchContext {
    /// Empty, on the disk whose speed counts.
    pub scratch: PathBuf,
    /// The core of every server process.
    pub core: Option<usize>,
    /// The repository's `.deps`: nats-server, Kafka's jars.
    pub deps: PathBuf,
    pub natter: PathBuf,
    pub seed_node: Option<PathBuf>,
    pub centrifugo: Option<PathBuf>,
}

/// A target that runs. It ends when this is dropped.
pub struct Server {
    pub kind: Kind,
    pub dialect: &'static dyn Dialect,
    /// Addresses for sockets: of a cluster, each of its edges.
    pub sockets: Vec<SocketAddr>,
    pub http: SocketAddr,
    pub seeder: Seeder,
    /// Ended from the last to the first.
    processes: Vec<Process>,
    scratch: PathBuf,
}

impl Server {
    pub fn start(kind: Kind, context: &LaunchContext) -> anyhow::Result<Self> {
        std::fs::create_dir_all(&context.scratch)?;
        match kind {
            Kind::Natter(_) | Kind::Sealed | Kind::Traced(_) => natter::start(kind, context),
            Kind::Cluster(edges) => cluster::start(edges, context),
            Kind::SeedNode => seed_node::start(context),
            Kind::Bare => bare::start(context),
            Kind::Centrifugo => centrifugo::start(context),
        }
    }

    /// Their children are counted with them.
    pub fn pids(&self) -> Vec<u32> {
        self.processes.iter().map(Process::pid).collect()
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        while self.processes.pop().is_some() {}
        let _ = std::fs::remove_dir_all(&self.scratch);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_target_kind_is_parsed_from_its_printed_form() {
        for kind in [
            Kind::Natter(Profile::Relaxed),
            Kind::Natter(Profile::Durable),
            Kind::Sealed,
            Kind::Traced(1),
            Kind::Traced(100),
            Kind::Cluster(4),
            Kind::SeedNode,
            Kind::Bare,
            Kind::Centrifugo,
        ] {
            assert_eq!(kind.to_string().parse(), Ok(kind));
        }
        assert!("postgres".parse::<Kind>().is_err());
    }
}
