//! Where the cluster is and how it is talked to.

use std::path::PathBuf;

use secrecy::SecretString;

#[derive(Debug, Clone)]
pub struct Options {
    /// `host` or `host:port`; 9042 unless said. The rest of the cluster is found from these.
    pub hosts: Vec<String>,
    /// a-z 0-9 _, beginning with a letter: it is spelled into statements.
    pub keyspace: String,
    pub user: Option<String>,
    pub password: Option<SecretString>,
    /// Certificates must name the servers' IP addresses: the driver verifies those, not host names.
    pub tls: bool,
    /// Certificates (PEM) that sign the servers'; those of the system unless said.
    pub ca: Option<PathBuf>,
    /// Asked first; others only when it is away.
    pub datacenter: Option<String>,
    pub consistency: Consistency,
    /// Copies of a keyspace that a migration makes.
    pub replication: Option<u8>,
}

/// How many replicas must have answered.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Consistency {
    One,
    LocalOne,
    Quorum,
    #[default]
    LocalQuorum,
}

impl Options {
    pub fn new(hosts: Vec<String>, keyspace: impl Into<String>) -> Self {
        Self {
            hosts,
            keyspace: keyspace.into(),
            user: None,
            password: None,
            tls: false,
            ca: None,
            datacenter: None,
            consistency: Consistency::default(),
            replication: None,
        }
    }

    /// For sentences: never with user or password.
    pub(super) fn place(&self) -> String {
        self.hosts.join(", ")
    }
}

impl From<Consistency> for scylla::statement::Consistency {
    fn from(consistency: Consistency) -> Self {
        match consistency {
            Consistency::One => Self::One,
            Consistency::LocalOne => Self::LocalOne,
            Consistency::Quorum => Self::Quorum,
            Consistency::LocalQuorum => Self::LocalQuorum,
        }
    }
}
