//! Where the cluster is and how it is talked to.

use std::path::PathBuf;

use percent_encoding::percent_decode_str;
use secrecy::SecretString;

use crate::database::{BadUrl, Database};

/// A cluster and how to reach it.
#[derive(Debug, Clone)]
pub struct Options {
    /// `host` or `host:port`, 9042 by default. The rest of the cluster is discovered from these.
    pub hosts: Vec<String>,
    /// a-z 0-9 _, beginning with a letter: it is spelled into statements.
    pub keyspace: String,
    /// With a password, or neither.
    pub user: Option<String>,
    /// With a user, or neither.
    pub password: Option<SecretString>,
    /// Certificates must name the servers' IP addresses: the driver verifies those, not host names.
    pub tls: bool,
    /// Certificates (PEM) that sign the servers'; those of the system by default.
    pub ca: Option<PathBuf>,
    /// Asked first; others only when it is away.
    pub datacenter: Option<String>,
    /// Of every read and write.
    pub consistency: Consistency,
    /// Copies in each datacenter of a keyspace that `natter migrate` makes.
    pub replication: Option<u8>,
}

/// How many replicas must have answered.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Consistency {
    /// Any one.
    One,
    /// Any one of the nearest datacenter.
    LocalOne,
    /// More than half of all.
    Quorum,
    /// More than half of the nearest datacenter's.
    #[default]
    LocalQuorum,
}

impl Consistency {
    const ALL: [Self; 4] = [Self::One, Self::LocalOne, Self::Quorum, Self::LocalQuorum];

    /// As `consistency=` in the URL spells it.
    pub const fn name(self) -> &'static str {
        match self {
            Self::One => "one",
            Self::LocalOne => "local_one",
            Self::Quorum => "quorum",
            Self::LocalQuorum => "local_quorum",
        }
    }
}

const OPTIONS: &str = "tls, ca, datacenter, consistency, replication";

impl Options {
    /// Without a password, encryption or preferences.
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

    /// What follows `scylla://` in a URL.
    pub(crate) fn from_url(rest: &str) -> Result<Self, BadUrl> {
        let (authority, path) =
            rest.split_once('/').ok_or_else(|| BadUrl::new("has no keyspace", Database::ALLOWED))?;
        let (keyspace, query) = path.split_once('?').unwrap_or((path, ""));
        let (login, hosts) = authority.rsplit_once('@').map_or((None, authority), |(l, h)| (Some(l), h));
        let (user, password) = login.map(credentials).transpose()?.unzip();
        let hosts = hosts.split(',').map(host).collect::<Result<_, _>>()?;
        let mut options = Self { user, password, ..Self::new(hosts, keyspace_name(keyspace)?) };
        for option in query.split('&').filter(|option| !option.is_empty()) {
            let (name, value) = option.split_once('=').unwrap_or((option, ""));
            options.set(name, decoded(value)?)?;
        }
        if options.ca.is_some() && !options.tls {
            return Err(BadUrl::new("has ca= without tls=true", "ca=PATH together with tls=true"));
        }
        Ok(options)
    }

    fn set(&mut self, name: &str, value: String) -> Result<(), BadUrl> {
        let wrong = || format!("has {name}={value}");
        match name {
            "tls" if value == "true" || value == "false" => self.tls = value == "true",
            "tls" => return Err(BadUrl::new(wrong(), "tls=true, tls=false")),
            "ca" if !value.is_empty() => self.ca = Some(PathBuf::from(value)),
            "datacenter" if !value.is_empty() => self.datacenter = Some(value),
            "consistency" => {
                let known = Consistency::ALL.into_iter().find(|c| c.name() == value);
                let names = Consistency::ALL.map(|c| format!("consistency={}", c.name())).join(", ");
                self.consistency = known.ok_or_else(|| BadUrl::new(wrong(), names))?;
            }
            "replication" => {
                let copies = value.parse().ok().filter(|copies| (1..=9).contains(copies));
                self.replication = Some(copies.ok_or_else(|| BadUrl::new(wrong(), "replication=1 to 9"))?);
            }
            // An unknown name may be part of a mistyped password: it is not repeated.
            _ => return Err(BadUrl::new("has an unknown or empty option", OPTIONS)),
        }
        Ok(())
    }

    /// For sentences: never with user or password.
    pub(super) fn place(&self) -> String {
        self.hosts.join(", ")
    }
}

fn credentials(login: &str) -> Result<(String, SecretString), BadUrl> {
    match login.split_once(':') {
        Some((user, password)) if !user.is_empty() && !password.is_empty() => {
            Ok((decoded(user)?, SecretString::from(decoded(password)?)))
        }
        _ => Err(BadUrl::new(
            "has a user without a password",
            "user:password@ before the hosts, percent-encoded",
        )),
    }
}

fn host(host: &str) -> Result<String, BadUrl> {
    let allowed = "hosts as host or host:port, comma-separated";
    let (name, port) = host.rsplit_once(':').unwrap_or((host, "9042"));
    let plain = !name.is_empty() && name.bytes().all(|b| b.is_ascii_alphanumeric() || b"-._".contains(&b));
    if plain && port.parse::<u16>().is_ok_and(|port| port > 0) {
        Ok(host.to_owned())
    } else {
        Err(BadUrl::new("has a host that is none", allowed))
    }
}

/// Unquoted names of CQL, in the lower case that CQL would make of them.
fn keyspace_name(name: &str) -> Result<String, BadUrl> {
    let fits = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'_';
    if name.starts_with(|c: char| c.is_ascii_lowercase()) && name.len() <= 48 && name.bytes().all(fits) {
        Ok(name.to_owned())
    } else {
        Err(BadUrl::new(
            "has no keyspace of 1 to 48 of a-z 0-9 _ that begins with a letter",
            Database::ALLOWED,
        ))
    }
}

fn decoded(text: &str) -> Result<String, BadUrl> {
    let decoded = percent_decode_str(text).decode_utf8();
    decoded
        .map(std::borrow::Cow::into_owned)
        .map_err(|_| BadUrl::new("is not UTF-8 once decoded", Database::ALLOWED))
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

/// A keyspace that does not exist yet.
#[cfg(test)]
pub fn new_keyspace(server: &natter_testkit::Cassandra) -> Options {
    let url = server.new_keyspace();
    let rest = url.strip_prefix("scylla://").expect("the kit gives such URLs");
    Options::from_url(rest).expect("the kit gives readable URLs")
}

#[cfg(test)]
mod tests {
    use secrecy::ExposeSecret;

    use super::*;

    fn of(url: &str) -> Result<Database, BadUrl> {
        url.parse()
    }

    #[test]
    fn a_cluster_is_hosts_keyspace_and_options() {
        let url = "scylla://natter:p%40ss%3Aword@a.example,b:19042/chat?tls=true&ca=/etc/ca.pem\
                   &datacenter=dc1&consistency=quorum&replication=3";
        let Ok(Database::Scylla(scylla)) = of(url) else { panic!("not understood") };
        assert_eq!(
            (scylla.hosts, scylla.keyspace),
            (vec!["a.example".into(), "b:19042".into()], "chat".into())
        );
        assert_eq!(scylla.user.as_deref(), Some("natter"));
        assert_eq!(scylla.password.unwrap().expose_secret(), "p@ss:word");
        assert_eq!((scylla.tls, scylla.ca), (true, Some(PathBuf::from("/etc/ca.pem"))));
        assert_eq!((scylla.datacenter.as_deref(), scylla.consistency), (Some("dc1"), Consistency::Quorum));
        assert_eq!(scylla.replication, Some(3));
    }

    #[test]
    fn what_is_wrong_with_a_cluster_is_said_without_the_password() {
        for url in [
            "scylla:hunter2",
            "scylla://u:hunter2@host",
            "scylla://u:hunter2@host/",
            "scylla://u:hunter2@host/Chat",
            "scylla://u:hunter2@/chat",
            "scylla://u:hunter2@host:port/chat",
            "scylla://u:hunter2@host,,b/chat",
            "scylla://hunter2@host/chat",
            "scylla://u:%ff@host/chat",
            "scylla://host/chat?tls=maybe",
            "scylla://host/chat?ca=/x",
            "scylla://host/chat?consistency=any",
            "scylla://host/chat?replication=0",
            "scylla://host/chat?pasword=hunter2",
        ] {
            let error = of(url).expect_err(url).to_string();
            assert!(error.contains("; allowed: "), "{error}");
            assert!(!error.contains("hunter2"), "{error}");
        }
    }
}
