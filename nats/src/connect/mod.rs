//! Connections to NATS. A connection is one task in async-nats, so what may be slow has one of its own: requests do
//! not wait behind live traffic.

pub(crate) mod carrier; // which connection carries what
mod choice; // which server is next
pub(crate) mod reach; // which servers a connection reaches
mod watch; // whether another one reaches more

use std::{
    path::PathBuf,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use async_nats::{Client, ConnectErrorKind, ConnectOptions, Event, ServerAddr, rustls};
use backon::{ExponentialBuilder, Retryable};
use natter_schemas::backoff::Backoff;
use natter_tls::{ClientTls, KeyPair, TlsError};
use percent_encoding::percent_decode_str;
use secrecy::{ExposeSecret, SecretString};
use tracing::{debug, info, warn};

use choice::Choice;
use watch::Watch;

/// A server that is silent for three of these is given up, while one that stands still for five seconds is waited for.
/// Something arrives this often as long as it answers.
pub const PING: Duration = Duration::from_secs(2);
const CONNECT: Duration = Duration::from_secs(3);
/// A server that starts together with this process is waited for.
const FIRST_CONNECT: Duration = Duration::from_secs(10);
/// Between attempts to reconnect, on a [`Backoff`]: all edges must not come back in one instant. Users wait for the longest one
/// in full: however long a server was away, sending goes on within a second of its return.
const RECONNECT_MIN: Duration = Duration::from_millis(50);
const RECONNECT_MAX: Duration = Duration::from_millis(500);

/// What a connection is for; it has its name on the server, and its buffers, from this.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Purpose {
    /// Events into the log.
    Publish,
    /// Republished events, signals, CONTROL.
    Live,
    /// Calls of services.
    Rpc,
    /// Consumers of jobs.
    Work,
    /// Streams, consumers and the state of the log.
    Provision,
}

impl Purpose {
    const fn name(self) -> &'static str {
        match self {
            Self::Publish => "publish",
            Self::Live => "live",
            Self::Rpc => "rpc",
            Self::Work => "work",
            Self::Provision => "provision",
        }
    }

    /// Messages a subscription holds before the client drops them (and reports `SlowConsumer`). Only
    /// live traffic comes in bursts that were not requested: 262,144 × 500 B = 128 MiB at worst.
    const fn subscription_capacity(self) -> usize {
        match self {
            Self::Live => 256 * 1024,
            Self::Publish | Self::Rpc | Self::Work | Self::Provision => 64 * 1024,
        }
    }
}

/// Where NATS is, and as whom to connect.
#[derive(Debug, Clone)]
pub struct Address {
    /// One or more servers, separated by commas: `nats://user:password@host:4222,nats://…`. User and
    /// password come from the first one, percent-encoded where they need it. The user also names the inbox:
    /// `_INBOX.<user>.>`, which is all a user of `server/accounts.conf` may subscribe to for its answers.
    pub url: SecretString,
    /// A credentials file (JWT and seed). The user of the URL then only names the inbox.
    pub creds: Option<PathBuf>,
    /// Whom to trust, and a certificate to show. Where any of it is set there is no connection without TLS; otherwise
    /// for `tls://…`, and when the server wants it.
    pub tls: ClientTls,
}

impl Address {
    /// Without credentials of its own, and with the system's certificates.
    pub fn new(url: impl Into<String>) -> Self {
        Self { url: SecretString::from(url.into()), creds: None, tls: ClientTls::default() }
    }
}

/// Why there is no connection.
#[derive(Debug, thiserror::Error)]
pub enum ConnectError {
    /// Shown without its secrets.
    #[error("{0} is not a NATS address: expected nats://host:port, several separated by commas")]
    Address(String),
    /// It cannot be read, or holds something else.
    #[error("the credentials file {path} cannot be used: {source}")]
    Credentials {
        /// The file or folder.
        path: PathBuf,
        /// The cause.
        source: std::io::Error,
    },
    /// A file of a certificate or its key.
    #[error(transparent)]
    Tls(#[from] TlsError),
    /// There is no TLS with it that both sides accept: repeating does not help.
    #[error("TLS with NATS at {servers} fails: {why}")]
    Refused {
        /// Host and port of each, without secrets.
        servers: String,
        /// The cause.
        why: rustls::Error,
    },
    /// Wrong user, password or credentials: repeating does not help.
    #[error("NATS at {servers} refuses this user")]
    NotAllowed {
        /// Host and port of each, without secrets.
        servers: String,
    },
    /// None of the servers answered in time.
    #[error("NATS at {servers} cannot be reached: {source}")]
    Unreachable {
        /// Host and port of each, without secrets.
        servers: String,
        /// The cause.
        source: async_nats::ConnectError,
    },
}

/// Connects, waiting up to 10 s for a server that is not there yet. Afterwards the client reconnects for ever;
/// what was sent meanwhile is lost, so every sender waits for its answer.
pub async fn connect(address: &Address, purpose: Purpose) -> Result<Client, ConnectError> {
    let servers = parse_servers(address.url.expose_secret())?;
    let bare = without_credentials(&servers)?;
    let shown = servers.iter().map(|s| format!("{}:{}", s.host(), s.port())).collect::<Vec<_>>().join(", ");
    let retries = ExponentialBuilder::default()
        .with_min_delay(RECONNECT_MIN)
        .with_max_delay(RECONNECT_MAX)
        .with_jitter()
        .without_max_times()
        .with_total_delay(Some(FIRST_CONNECT));
    let (choice, was_connected) = (Choice::default(), Arc::new(AtomicBool::new(false)));
    let attempt = || async {
        let options = options(address, &servers, &format!("natter {}", purpose.name()))?;
        let options = staying(options, purpose, choice.clone(), Arc::clone(&was_connected));
        options.connect(bare.clone()).await.map_err(|source| match source.kind() {
            ConnectErrorKind::AuthorizationViolation | ConnectErrorKind::Authentication => {
                ConnectError::NotAllowed { servers: shown.clone() }
            }
            _ => match natter_tls::cause(&source) {
                Some(why) => ConnectError::Refused { servers: shown.clone(), why },
                None => ConnectError::Unreachable { servers: shown.clone(), source },
            },
        })
    };
    let client = attempt
        .retry(retries)
        .when(|e| matches!(e, ConnectError::Unreachable { .. }))
        .notify(|e, after| debug!(purpose = purpose.name(), error = %e, wait_ms = after.as_millis(), "nats does not answer; connecting again"))
        .await?;
    was_connected.store(true, Ordering::Relaxed);
    // Where there is one server alone, no other one is better.
    if servers.len() > 1 {
        let (client, address) = (client.clone(), address.clone());
        tokio::spawn(Watch { client, choice, address, servers, purpose }.run());
    }
    Ok(client)
}

/// Returns when the server has read everything this connection sent before, subscriptions above all: `flush`
/// only reports that it was sent. The subject has no responder, which the server reports in its turn.
pub async fn round_trip(client: &Client) {
    let _ = client.request("svc.none.settled", "".into()).await;
}

fn parse_servers(url: &str) -> Result<Vec<ServerAddr>, ConnectError> {
    let bad = || ConnectError::Address(without_secrets(url));
    let servers: Vec<ServerAddr> =
        url.split(',').map(str::trim).map(|s| s.parse().map_err(|_| bad())).collect::<Result<_, _>>()?;
    if servers.is_empty() { Err(bad()) } else { Ok(servers) }
}

/// The driver logs the addresses that it tries. It takes user and password from its options alone.
fn without_credentials(servers: &[ServerAddr]) -> Result<Vec<ServerAddr>, ConnectError> {
    let bare = |server: &ServerAddr| {
        let mut url = server.clone().into_inner();
        let removed = url.set_username("").and_then(|()| url.set_password(None));
        let address = removed.ok().and_then(|()| ServerAddr::from_url(url).ok());
        address.ok_or_else(|| ConnectError::Address(format!("{}:{}", server.host(), server.port())))
    };
    servers.iter().map(bare).collect()
}

/// An address as it may appear in a message: whatever stands before an `@` stays out.
fn without_secrets(url: &str) -> String {
    url.split(',').map(|s| s.rsplit_once('@').map_or(s, |(_, host)| host)).collect::<Vec<_>>().join(",")
}

/// Of a connection for one purpose, which is made again when it breaks: then after a delay, as all others of that server
/// are made again as well.
fn staying(
    options: ConnectOptions,
    purpose: Purpose,
    choice: Choice,
    was_connected: Arc<AtomicBool>,
) -> ConnectOptions {
    let delay = move |attempts| {
        if was_connected.load(Ordering::Relaxed) { reconnect_delay(attempts) } else { Duration::ZERO }
    };
    options
        .reconnect_delay_callback(delay)
        .subscription_capacity(purpose.subscription_capacity())
        .reconnect_to_server_callback(move |pool, _| std::future::ready(choice.next(&pool)))
        .event_callback(move |event| async move { on_event(purpose, &event) })
}

fn options(address: &Address, servers: &[ServerAddr], name: &str) -> Result<ConnectOptions, ConnectError> {
    natter_tls::use_ring();
    let mut options =
        ConnectOptions::new().name(name).ping_interval(PING).connection_timeout(CONNECT).max_reconnects(None);
    options = with_tls(options, &address.tls)?;
    let user = servers.first().and_then(ServerAddr::username).map(percent_decoded);
    // Each user has an inbox of its own, or one could read the answers to another.
    if let Some(user) = user.as_deref().filter(|user| is_one_word(user)) {
        options = options.custom_inbox_prefix(format!("_INBOX.{user}"));
    }
    if let Some(path) = &address.creds {
        let failed = |source| ConnectError::Credentials { path: path.clone(), source };
        let text = std::fs::read_to_string(path).map_err(failed)?;
        return options.credentials(&text).map_err(failed);
    }
    // async-nats reads host and port from an address, and leaves user and password to its options.
    Ok(match (user, servers.first().and_then(ServerAddr::password)) {
        (Some(user), Some(password)) => options.user_and_password(user, percent_decoded(password)),
        (Some(token), None) => options.token(token),
        (None, _) => options,
    })
}

/// The driver reads the files at every connection, so that certificates can be replaced: they are checked here for an error
/// that names them.
fn with_tls(options: ConnectOptions, tls: &ClientTls) -> Result<ConnectOptions, TlsError> {
    if tls.is_default() {
        return Ok(options);
    }
    tls.config()?;
    let mut options = options.require_tls(true);
    if let Some(ca) = &tls.ca {
        options = options.add_root_certificates(ca.clone());
    }
    if let Some(KeyPair { certificate, key }) = &tls.pair {
        options = options.add_client_certificate(certificate.clone(), key.clone());
    }
    Ok(options)
}

fn is_one_word(user: &str) -> bool {
    !user.is_empty() && user.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-' || b == b'_')
}

fn percent_decoded(text: &str) -> String {
    percent_decode_str(text).decode_utf8_lossy().into_owned()
}

fn reconnect_delay(attempts: usize) -> Duration {
    Backoff::new(RECONNECT_MIN, RECONNECT_MAX).after(u32::try_from(attempts).unwrap_or(u32::MAX)).next_delay()
}

fn on_event(purpose: Purpose, event: &Event) {
    let purpose = purpose.name();
    match event {
        Event::Connected => {
            metrics::gauge!("natter_nats_connected", "purpose" => purpose).set(1);
            info!(purpose, "connected to nats");
        }
        Event::Disconnected => {
            metrics::gauge!("natter_nats_connected", "purpose" => purpose).set(0);
            metrics::counter!("natter_nats_disconnects_total", "purpose" => purpose).increment(1);
            warn!(purpose, "disconnected from nats; reconnecting");
        }
        Event::LameDuckMode => info!(purpose, "nats server is about to stop; moving to another"),
        Event::SlowConsumer(subscription) => {
            metrics::counter!("natter_nats_slow_consumer_total", "purpose" => purpose).increment(1);
            warn!(purpose, subscription, "subscription was full; messages dropped");
        }
        Event::ServerError(error) => warn!(purpose, %error, "nats server reported an error"),
        Event::ClientError(error) => warn!(purpose, %error, "nats client reported an error"),
        Event::Draining | Event::Closed => debug!(purpose, reason = %event, "nats connection ended"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_bad_address_is_named_without_its_password() {
        let error = parse_servers("nats://user:secret@ho st:4222").unwrap_err().to_string();
        assert!(error.contains("ho st") && !error.contains("secret"), "{error}");
    }

    #[test]
    fn an_address_is_printed_without_its_password() {
        let address = Address::new("nats://edge:hunter2@nats:4222");
        assert!(!format!("{address:?}").contains("hunter2"));
    }

    #[test]
    fn the_driver_gets_addresses_without_credentials() {
        let servers =
            parse_servers("nats://edge:hunter2@a:1,tls://edge:hunter2@b:2,nats://hunter2@c").unwrap();
        let bare = without_credentials(&servers).unwrap();
        assert_eq!(bare.len(), 3);
        assert!(
            !format!("{bare:?}").contains("hunter2") && bare.iter().all(|server| server.username().is_none())
        );
        assert_eq!((bare[1].host(), bare[1].port(), bare[1].tls_required()), ("b", 2, true));
    }

    #[test]
    fn several_servers_may_be_given() {
        assert_eq!(parse_servers("nats://a:1,nats://b:2, nats://c:3").unwrap().len(), 3);
    }

    #[test]
    fn a_password_may_have_any_character() {
        assert_eq!(percent_decoded("p%40ss%2Fw%25rd%"), "p@ss/w%rd%");
    }

    #[test]
    fn a_server_that_was_away_for_long_is_found_within_half_a_second() {
        for attempts in [0, 1, 2, 10, usize::MAX] {
            let delay = reconnect_delay(attempts);
            assert!(delay >= RECONNECT_MIN && delay <= Duration::from_millis(500), "{attempts}: {delay:?}");
        }
    }
}
