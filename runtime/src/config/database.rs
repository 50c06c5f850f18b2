//! `DATABASE_URL`: where accounts and history are kept. It may hold a password, so no sentence repeats it.

use std::path::PathBuf;

use percent_encoding::percent_decode_str;
use secrecy::SecretString;

use super::{BadSetting, Source, text};

/// Where history is kept.
#[derive(Debug, Clone)]
pub enum Database {
    Sqlite(PathBuf),
    Scylla(Scylla),
}

/// A ScyllaDB or Apache Cassandra cluster.
#[derive(Debug, Clone)]
pub struct Scylla {
    /// `host` or `host:port`; 9042 unless said. The rest of the cluster is found from these.
    pub hosts: Vec<String>,
    pub keyspace: String,
    pub user: Option<String>,
    pub password: Option<SecretString>,
    pub tls: bool,
    /// Certificates (PEM) that sign the servers'; those of the system unless said.
    pub ca: Option<PathBuf>,
    /// Asked first; others only when it is away.
    pub datacenter: Option<String>,
    pub consistency: Consistency,
    /// Copies in each datacenter of a keyspace that `natter migrate` makes.
    pub replication: Option<u8>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Consistency {
    One,
    LocalOne,
    Quorum,
    LocalQuorum,
}

impl Consistency {
    const ALL: [Self; 4] = [Self::One, Self::LocalOne, Self::Quorum, Self::LocalQuorum];

    pub const fn name(self) -> &'static str {
        match self {
            Self::One => "one",
            Self::LocalOne => "local_one",
            Self::Quorum => "quorum",
            Self::LocalQuorum => "local_quorum",
        }
    }
}

const ALLOWED: &str = "sqlite:PATH, scylla://[user:password@]host[:port][,host…]/keyspace[?option=value&…]";
const OPTIONS: &str = "tls, ca, datacenter, consistency, replication";

pub fn read(source: &Source<'_>) -> Result<Option<Database>, BadSetting> {
    let Some(url) = text(source, "DATABASE_URL") else { return Ok(None) };
    match url.split_once(':') {
        Some(("sqlite", path)) if !path.is_empty() => Ok(Some(Database::Sqlite(PathBuf::from(path)))),
        Some(("scylla", rest)) => {
            let rest = rest.strip_prefix("//").ok_or_else(|| bad("is not scylla://…", ALLOWED))?;
            scylla(rest).map(Database::Scylla).map(Some)
        }
        Some((scheme, _)) => Err(bad(&format!("is '{scheme}:…'"), ALLOWED)),
        None => Err(bad("has no scheme", ALLOWED)),
    }
}

fn bad(wrong: &str, allowed: &str) -> BadSetting {
    BadSetting { name: "DATABASE_URL", wrong: wrong.to_owned(), allowed: allowed.to_owned() }
}

fn scylla(rest: &str) -> Result<Scylla, BadSetting> {
    let (authority, path) = rest.split_once('/').ok_or_else(|| bad("has no keyspace", ALLOWED))?;
    let (keyspace, query) = path.split_once('?').unwrap_or((path, ""));
    let (login, hosts) = authority.rsplit_once('@').map_or((None, authority), |(l, h)| (Some(l), h));
    let (user, password) = login.map(credentials).transpose()?.unzip();
    let mut scylla = Scylla {
        hosts: hosts.split(',').map(host).collect::<Result<_, _>>()?,
        keyspace: keyspace_name(keyspace)?,
        user,
        password,
        tls: false,
        ca: None,
        datacenter: None,
        consistency: Consistency::LocalQuorum,
        replication: None,
    };
    for option in query.split('&').filter(|option| !option.is_empty()) {
        let (name, value) = option.split_once('=').unwrap_or((option, ""));
        scylla.set(name, decoded(value)?)?;
    }
    if scylla.ca.is_some() && !scylla.tls {
        return Err(bad("has ca= without tls=true", "ca=PATH together with tls=true"));
    }
    Ok(scylla)
}

impl Scylla {
    fn set(&mut self, name: &str, value: String) -> Result<(), BadSetting> {
        let wrong = || format!("has {name}={value}");
        match name {
            "tls" if value == "true" || value == "false" => self.tls = value == "true",
            "tls" => return Err(bad(&wrong(), "tls=true, tls=false")),
            "ca" if !value.is_empty() => self.ca = Some(PathBuf::from(value)),
            "datacenter" if !value.is_empty() => self.datacenter = Some(value),
            "consistency" => {
                let known = Consistency::ALL.into_iter().find(|c| c.name() == value);
                let names = Consistency::ALL.map(|c| format!("consistency={}", c.name())).join(", ");
                self.consistency = known.ok_or_else(|| bad(&wrong(), &names))?;
            }
            "replication" => {
                let copies = value.parse().ok().filter(|copies| (1..=9).contains(copies));
                self.replication = Some(copies.ok_or_else(|| bad(&wrong(), "replication=1 to 9"))?);
            }
            // An unknown name may be a mistyped password's place: it is not repeated.
            _ => return Err(bad("has an unknown or empty option", OPTIONS)),
        }
        Ok(())
    }
}

fn credentials(login: &str) -> Result<(String, SecretString), BadSetting> {
    match login.split_once(':') {
        Some((user, password)) if !user.is_empty() && !password.is_empty() => {
            Ok((decoded(user)?, SecretString::from(decoded(password)?)))
        }
        _ => Err(bad("has a user without a password", "user:password@ before the hosts, percent-encoded")),
    }
}

fn host(host: &str) -> Result<String, BadSetting> {
    let allowed = "hosts as host or host:port, comma-separated";
    let (name, port) = host.rsplit_once(':').unwrap_or((host, "9042"));
    let plain = !name.is_empty() && name.bytes().all(|b| b.is_ascii_alphanumeric() || b"-._".contains(&b));
    if plain && port.parse::<u16>().is_ok_and(|port| port > 0) {
        Ok(host.to_owned())
    } else {
        Err(bad("has a host that is none", allowed))
    }
}

/// Unquoted names of CQL, in the lower case that CQL would make of them.
fn keyspace_name(name: &str) -> Result<String, BadSetting> {
    let fits = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'_';
    if name.starts_with(|c: char| c.is_ascii_lowercase()) && name.len() <= 48 && name.bytes().all(fits) {
        Ok(name.to_owned())
    } else {
        Err(bad("has no keyspace of 1 to 48 of a-z 0-9 _ that begins with a letter", ALLOWED))
    }
}

fn decoded(text: &str) -> Result<String, BadSetting> {
    let decoded = percent_decode_str(text).decode_utf8();
    decoded.map(std::borrow::Cow::into_owned).map_err(|_| bad("is not UTF-8 once decoded", ALLOWED))
}

#[cfg(test)]
mod tests {
    use secrecy::ExposeSecret;

    use super::*;

    fn of(url: &str) -> Result<Option<Database>, BadSetting> {
        read(&|_| Some(url.to_owned()))
    }

    #[test]
    fn a_cluster_is_hosts_keyspace_and_options() {
        let url = "scylla://natter:p%40ss%3Aword@a.example,b:19042/chat?tls=true&ca=/etc/ca.pem\
                   &datacenter=dc1&consistency=quorum&replication=3";
        let Ok(Some(Database::Scylla(scylla))) = of(url) else { panic!("not understood") };
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
            assert!(error.starts_with("DATABASE_URL ") && error.contains("allowed: "), "{error}");
            assert!(!error.contains("hunter2"), "{error}");
        }
    }
}
