//! What can break, by name.

use std::{fmt, str::FromStr};

use anyhow::bail;

/// Most servers of one kind.
const MOST: usize = 3;

/// A process, in the order in which they are started; or several; or what only a step names.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Part {
    /// A nats-server, by number.
    Server(usize),
    Redis,
    Worker(usize),
    Edge(usize),
    /// All of them.
    Nats,
    Workers,
    Edges,
    Everything,
    /// The nats-server that leads most logs when it breaks; until it is healed the same one.
    Leader,
    /// The disk that SQLite is on.
    Store,
    Kafka,
    Cassandra,
    /// The ends of links alone.
    Clients,
}

impl Part {
    pub fn is_natter(self) -> bool {
        matches!(self, Self::Worker(_) | Self::Edge(_))
    }

    pub fn is_process(self) -> bool {
        !matches!(self, Self::Store | Self::Clients)
    }

    pub fn covers(self, other: Self) -> bool {
        match self {
            Self::Nats => matches!(other, Self::Server(_)),
            Self::Workers => matches!(other, Self::Worker(_)),
            Self::Edges => matches!(other, Self::Edge(_)),
            Self::Everything => true,
            _ => self == other,
        }
    }
}

impl fmt::Display for Part {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Server(number) => write!(f, "nats-{number}"),
            Self::Redis => f.write_str("redis"),
            Self::Worker(number) => write!(f, "worker-{number}"),
            Self::Edge(number) => write!(f, "edge-{number}"),
            Self::Nats => f.write_str("nats"),
            Self::Workers => f.write_str("workers"),
            Self::Edges => f.write_str("edges"),
            Self::Everything => f.write_str("everything"),
            Self::Leader => f.write_str("nats-leader"),
            Self::Store => f.write_str("store"),
            Self::Kafka => f.write_str("kafka"),
            Self::Cassandra => f.write_str("cassandra"),
            Self::Clients => f.write_str("clients"),
        }
    }
}

impl FromStr for Part {
    type Err = anyhow::Error;

    fn from_str(text: &str) -> anyhow::Result<Self> {
        let number = |kind: &str| {
            let number: usize = text.strip_prefix(kind)?.parse().ok()?;
            (number < MOST).then_some(number)
        };
        Ok(match text {
            "redis" => Self::Redis,
            "nats" => Self::Nats,
            "workers" => Self::Workers,
            "edges" => Self::Edges,
            "everything" => Self::Everything,
            "nats-leader" => Self::Leader,
            "store" => Self::Store,
            "kafka" => Self::Kafka,
            "cassandra" => Self::Cassandra,
            "clients" => Self::Clients,
            _ => {
                let server = number("nats-").map(Self::Server);
                let natter =
                    || number("worker-").map(Self::Worker).or_else(|| number("edge-").map(Self::Edge));
                match server.or_else(natter) {
                    Some(part) => part,
                    None => bail!(
                        "{text} is none of nats, nats-0, nats-leader, redis, workers, worker-0, edges, edge-0, store, kafka, cassandra, clients, everything"
                    ),
                }
            }
        })
    }
}
