//! Settings. Each has one name, one default, one error message when it is wrong; `docs/operations.md` lists them.

mod audit;
mod encryption;
mod kafka;
mod kms;
mod limits;
mod log_in;
mod logs;
mod mail;
mod names;
mod network;
mod otlp;
mod redis;
#[cfg(test)]
mod secrets_tests; // printed settings
#[cfg(test)]
mod tests;
mod tls;
mod token_keys;

pub use audit::AuditLog;
pub use encryption::{Encryption, RootKey};
pub use kafka::{Kafka, KafkaSecurity, Sasl};
pub use kms::{Kms, KmsToken};
pub use log_in::{LogIns, Provider, is_this_host};
pub use logs::LogFormat;
pub use mail::{Mail, MailTransport};
pub use names::{NAMES, meant_by};
pub use network::ConnectionLimits;
pub use otlp::Otlp;
pub use redis::Redis;
pub use token_keys::{CallProof, PemKey, TokenKeys, TokenSecret};

use std::{net::IpAddr, ops::RangeInclusive, path::PathBuf, str::FromStr, time::Duration};

use ipnet::IpNet;
use natter_schemas::limits::{
    CONTROL_AGE, DRAIN_TIME, LOG_BYTES, LOG_BYTES_MIN, Limits, PRESENCE_TTL, REFRESH_GRACE_MAX, REFRESH_MAX,
};
use natter_tls::{ClientTls, KeyPair};
use secrecy::SecretString;

use crate::rates::Rates;

/// A setting that stops the start: which, what it is, what is allowed.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{name} {wrong}; allowed: {allowed}")]
pub struct BadSetting {
    pub name: &'static str,
    pub wrong: String,
    pub allowed: String,
}

/// What an ack promises.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Durability {
    /// On disk, fsynced, before the ack.
    Durable,
    /// On three hosts, by quorum.
    Replicated,
    /// In the server's memory and the kernel's cache: a power cut can take the last minutes.
    Relaxed,
}

impl Durability {
    pub const fn name(self) -> &'static str {
        match self {
            Self::Durable => "durable",
            Self::Replicated => "replicated",
            Self::Relaxed => "relaxed",
        }
    }

    /// Replicas of every stream.
    pub const fn replicas(self) -> usize {
        match self {
            Self::Durable | Self::Relaxed => 1,
            Self::Replicated => 3,
        }
    }
}

/// `dev` relaxes what a laptop cannot give; everything else is refused when missing or weak.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Strictness {
    Dev,
    Production,
    /// As in production, for processes that sign no tokens: they need no secret.
    Tokenless,
}

/// Where settings come from: a name to its text.
pub type Source<'a> = dyn Fn(&str) -> Option<String> + 'a;

#[derive(Debug, Clone)]
pub struct Settings {
    pub host: IpAddr,
    pub port: u16,
    /// Metrics reveal much about a deployment, and no one who asks for them has to log in.
    pub admin_host: IpAddr,
    pub admin_port: u16,
    /// Of the public port, which speaks HTTP without encryption otherwise; so does the admin port.
    pub tls: Option<KeyPair>,
    pub admin_tls: Option<KeyPair>,
    /// It may hold a password.
    pub nats_url: Option<SecretString>,
    pub nats_creds: Option<PathBuf>,
    pub nats_tls: ClientTls,
    /// Which store, and where; it may hold a password. The store knows its form.
    pub database_url: Option<SecretString>,
    /// Whether content is sealed.
    pub encryption: Encryption,
    /// `None`: events are not mirrored.
    pub kafka: Option<Kafka>,
    /// The shared state of several processes.
    pub redis: Option<Redis>,
    /// How long a session without a heartbeat counts as online.
    pub presence_ttl: Duration,
    pub token_keys: TokenKeys,
    /// What workers do with calls without a token.
    pub call_proof: CallProof,
    pub jwt_expires_in: Duration,
    pub refresh_expires_in: Duration,
    /// How long after its exchange a refresh token is answered with the same successor.
    pub refresh_grace: Duration,
    pub log_ins: LogIns,
    pub cors_origins: Vec<String>,
    /// Proxies whose forwarding headers are believed.
    pub trusted_proxies: Vec<IpNet>,
    pub connections: ConnectionLimits,
    pub rates: Rates,
    /// What clients may send.
    pub limits: Limits,
    /// How long the clients of a process that stops are given to leave.
    pub drain_time: Duration,
    pub partitions: u16,
    pub durability: Durability,
    /// Bytes of one partition's log on disk, per replica; when it is full, sends are refused, never dropped.
    pub log_max_bytes: i64,
    pub log_level: String,
    pub log_format: LogFormat,
    /// How many lines a second there are at most about requests that were answered; as many about sockets.
    pub log_requests: u32,
    pub otlp: Otlp,
    pub audit: AuditLog,
}

impl Settings {
    pub fn read(source: &Source<'_>, strictness: Strictness) -> Result<Self, BadSetting> {
        let dev = strictness == Strictness::Dev;
        let partitions = partitions(source, dev)?;
        Ok(Self {
            host: number(source, "HOST", "an IP address")?.unwrap_or(if dev {
                IpAddr::from([127, 0, 0, 1])
            } else {
                IpAddr::from([0, 0, 0, 0])
            }),
            port: number(source, "PORT", "a port from 0 (any free one) to 65535")?.unwrap_or(3000),
            admin_host: number(source, "ADMIN_HOST", "an IP address")?
                .unwrap_or(IpAddr::from([127, 0, 0, 1])),
            admin_port: number(source, "ADMIN_PORT", "a port from 0 (any free one) to 65535")?
                .unwrap_or(9464),
            tls: tls::pair(source, "TLS_CERT", "TLS_KEY")?,
            admin_tls: tls::pair(source, "ADMIN_TLS_CERT", "ADMIN_TLS_KEY")?,
            nats_url: text(source, "NATS_URL").map(SecretString::from),
            nats_creds: text(source, "NATS_CREDS").map(PathBuf::from),
            nats_tls: tls::client(source, "NATS_CA", "NATS_CERT", "NATS_KEY")?,
            database_url: text(source, "DATABASE_URL").map(SecretString::from),
            encryption: encryption::read(source)?,
            kafka: kafka::read(source)?,
            redis: redis::read(source)?,
            presence_ttl: lifetime(source, "PRESENCE_TTL", 45, PRESENCE_TTL)?,
            token_keys: token_keys::read(source, strictness == Strictness::Production)?,
            call_proof: token_keys::call_proof(source)?,
            jwt_expires_in: lifetime(source, "JWT_EXPIRES_IN", 15 * 60, SECOND..=CONTROL_AGE)?,
            refresh_expires_in: lifetime(source, "REFRESH_EXPIRES_IN", 30 * 86_400, SECOND..=REFRESH_MAX)?,
            refresh_grace: lifetime(source, "REFRESH_GRACE", 30, Duration::ZERO..=REFRESH_GRACE_MAX)?,
            log_ins: log_in::read(source, dev)?,
            cors_origins: network::cors(source)?,
            trusted_proxies: network::trusted_proxies(source)?,
            connections: network::connections(source)?,
            rates: rates(source, dev)?,
            limits: limits::read(source)?,
            drain_time: lifetime(
                source,
                "DRAIN_TIME",
                if dev { 0 } else { 10 },
                Duration::ZERO..=DRAIN_TIME,
            )?,
            partitions,
            durability: durability(source)?,
            log_max_bytes: log_max_bytes(source, partitions)?,
            log_level: text(source, "LOG_LEVEL").unwrap_or_else(|| logs::default_level(dev)),
            log_format: logs::format(source, dev)?,
            log_requests: logs::requests(source, dev)?,
            otlp: otlp::read(source)?,
            audit: audit::read(source)?,
        })
    }
}

const SECOND: Duration = Duration::from_secs(1);

fn text(source: &Source<'_>, name: &str) -> Option<String> {
    source(name).map(|value| value.trim().to_owned()).filter(|value| !value.is_empty())
}

fn bad(name: &'static str, value: &str, allowed: impl Into<String>) -> BadSetting {
    BadSetting { name, wrong: format!("is '{value}'"), allowed: allowed.into() }
}

fn number<T: FromStr>(
    source: &Source<'_>,
    name: &'static str,
    allowed: &str,
) -> Result<Option<T>, BadSetting> {
    text(source, name).map(|value| value.parse().map_err(|_| bad(name, &value, allowed))).transpose()
}

/// A secret by its value, or by the path of the file that has it.
fn secret(
    source: &Source<'_>,
    name: &'static str,
    file: &'static str,
) -> Result<Option<SecretString>, BadSetting> {
    let allowed = || format!("either {name}, or {file}: the path of a file that has it");
    match (text(source, name), text(source, file)) {
        (Some(_), Some(_)) => {
            Err(BadSetting { name: file, wrong: format!("is set beside {name}"), allowed: allowed() })
        }
        (Some(secret), None) => Ok(Some(SecretString::from(secret))),
        (None, Some(path)) => read_file(file, &path).map(Some),
        (None, None) => Ok(None),
    }
}

/// A small file of text, without the white space around it.
fn read_file(name: &'static str, path: &str) -> Result<SecretString, BadSetting> {
    let wrong = |wrong| BadSetting { name, wrong, allowed: "a file of text that can be read".to_owned() };
    let text = std::fs::read_to_string(path)
        .map_err(|error| wrong(format!("names {path}, which cannot be read ({error})")))?;
    match text.trim() {
        "" => Err(wrong(format!("names {path}, which is empty"))),
        text => Ok(SecretString::from(text)),
    }
}

/// `90s`, `15m`, `12h`, `30d`, or plain seconds.
pub fn duration(value: &str) -> Option<Duration> {
    let digits = value.trim_end_matches(|c: char| c.is_ascii_alphabetic());
    let unit = match &value[digits.len()..] {
        "" | "s" => 1,
        "m" => 60,
        "h" => 3600,
        "d" => 86_400,
        _ => return None,
    };
    digits.parse::<u64>().ok()?.checked_mul(unit).map(Duration::from_secs)
}

fn lifetime(
    source: &Source<'_>,
    name: &'static str,
    default_seconds: u64,
    allowed: RangeInclusive<Duration>,
) -> Result<Duration, BadSetting> {
    let Some(value) = text(source, name) else { return Ok(Duration::from_secs(default_seconds)) };
    duration(&value).filter(|d| allowed.contains(d)).ok_or_else(|| {
        let (least, most) = (allowed.start().as_secs(), allowed.end().as_secs());
        bad(name, &value, format!("{least}s to {most}s, as in 90s, 15m, 12h or 30d"))
    })
}

fn rates(source: &Source<'_>, dev: bool) -> Result<Rates, BadSetting> {
    let base = if dev { Rates::dev() } else { Rates::production() };
    match text(source, "RATE_LIMITS") {
        None => Ok(base),
        Some(off) if off == "off" && dev => Ok(Rates::off()),
        Some(off) if off == "off" => Err(bad("RATE_LIMITS", &off, "'off' only in natter dev")),
        Some(list) => base.with(&list).map_err(|allowed| bad("RATE_LIMITS", &list, allowed)),
    }
}

fn partitions(source: &Source<'_>, dev: bool) -> Result<u16, BadSetting> {
    use natter_schemas::limits::{PARTITIONS_DEFAULT, PARTITIONS_DEV, PARTITIONS_MAX};
    let allowed = format!("1 to {PARTITIONS_MAX}");
    let default = if dev { PARTITIONS_DEV } else { PARTITIONS_DEFAULT };
    let partitions = number(source, "PARTITIONS", &allowed)?.unwrap_or(default);
    if (1..=PARTITIONS_MAX).contains(&partitions) {
        Ok(partitions)
    } else {
        Err(bad("PARTITIONS", &partitions.to_string(), allowed))
    }
}

fn durability(source: &Source<'_>) -> Result<Durability, BadSetting> {
    let all = [Durability::Durable, Durability::Replicated, Durability::Relaxed];
    let Some(value) = text(source, "DURABILITY") else { return Ok(Durability::Durable) };
    all.into_iter()
        .find(|d| d.name() == value)
        .ok_or_else(|| bad("DURABILITY", &value, all.map(Durability::name).join(", ")))
}

fn log_max_bytes(source: &Source<'_>, partitions: u16) -> Result<i64, BadSetting> {
    let allowed = format!("bytes of one partition's log, {LOG_BYTES_MIN} or more");
    let bytes = number(source, "LOG_MAX_BYTES", &allowed)?.unwrap_or(LOG_BYTES / i64::from(partitions));
    if bytes >= LOG_BYTES_MIN { Ok(bytes) } else { Err(bad("LOG_MAX_BYTES", &bytes.to_string(), allowed)) }
}
