//! The connection: made once at the start, with an error when it cannot be; reconnected for ever after.

use std::time::Duration;

use natter_schemas::{backoff::Backoff, limits};
use natter_tls::{ClientPem, ClientTls, TlsError};
use redis::{
    AsyncConnectionConfig, Client, ClientTlsConfig, ErrorKind, IntoConnectionInfo, RedisError,
    ServerErrorKind, TlsCertificates,
    aio::{ConnectionManager, ConnectionManagerConfig},
    io::tcp::TcpSettings,
};
use tokio::time::{Instant, sleep, timeout};

/// A Redis that starts beside this process, or loads its data, gets this long.
const STARTUP_TIMEOUT: Duration = Duration::from_secs(10);
const CONNECT_TIMEOUT: Duration = Duration::from_secs(1);
/// Between attempts, on a [`Backoff`].
const RETRY_DELAY_MIN: Duration = Duration::from_millis(50);
const RETRY_DELAY_MAX: Duration = Duration::from_secs(1);
/// Bytes the other host does not confirm for this long mean that it is gone: without it the kernel tries for
/// a quarter of an hour.
#[cfg(target_os = "linux")]
const TCP_USER_TIMEOUT: Duration = Duration::from_secs(5);

/// No shared state: the process does not start. Never repeats the address, which may hold a password.
#[derive(Debug, thiserror::Error)]
pub enum ConnectError {
    #[error("not a Redis address: {0}")]
    Address(RedisError),
    /// A file of a certificate or its key.
    #[error(transparent)]
    Tls(#[from] TlsError),
    #[error("no Redis answered within {STARTUP_TIMEOUT:?}: {0}")]
    Unreachable(RedisError),
    #[error("Redis refuses the connection: {0}")]
    Rejected(RedisError),
    #[error("Redis cannot be used (7.0 or newer is needed, with INFO and scripts allowed): {0}")]
    Unsuitable(RedisError),
}

pub async fn connect(url: &str, tls: &ClientTls) -> Result<ConnectionManager, ConnectError> {
    let client = client(url, tls)?;
    wait_for(&client).await?;
    let config = ConnectionManagerConfig::new()
        .set_pipeline_buffer_size(limits::REDIS_WAITING)
        // Calls have a time-out of their own, which covers all their steps.
        .set_response_timeout(None)
        .set_connection_timeout(Some(CONNECT_TIMEOUT))
        .set_min_delay(RETRY_DELAY_MIN)
        .set_max_delay(RETRY_DELAY_MAX)
        // For ever: a manager that gave up stays so after an error other than I/O.
        .set_number_of_retries(usize::MAX);
    ConnectionManager::new_lazy_with_config(client, config).map_err(ConnectError::Rejected)
}

fn client(url: &str, tls: &ClientTls) -> Result<Client, ConnectError> {
    let tcp = TcpSettings::default().set_nodelay(true);
    #[cfg(target_os = "linux")]
    let tcp = tcp.set_user_timeout(TCP_USER_TIMEOUT);
    natter_tls::use_ring();
    let info = url.into_connection_info().map_err(ConnectError::Address)?.set_tcp_settings(tcp);
    if tls.is_default() {
        return Client::open(info).map_err(ConnectError::Address);
    }
    let ClientPem { ca: root_cert, pair } = tls.pem()?;
    let client_tls = pair.map(|(client_cert, client_key)| ClientTlsConfig { client_cert, client_key });
    Client::build_with_tls(info, TlsCertificates { client_tls, root_cert }).map_err(ConnectError::Address)
}

/// The manager's own first attempt would not distinguish a wrong password from a server that is not up yet.
async fn wait_for(client: &Client) -> Result<(), ConnectError> {
    let config = AsyncConnectionConfig::new().set_connection_timeout(Some(CONNECT_TIMEOUT));
    let deadline = Instant::now() + STARTUP_TIMEOUT;
    let mut backoff = Backoff::new(RETRY_DELAY_MIN, RETRY_DELAY_MAX);
    loop {
        let wait = backoff.next_delay();
        let attempt = async {
            let mut connection = client.get_multiplexed_async_connection_with_config(&config).await?;
            redis::cmd("PING").exec_async(&mut connection).await
        };
        match attempt.await {
            Ok(()) => return Ok(()),
            Err(cause) if !is_transient(&cause) || natter_tls::cause(&cause).is_some() => {
                return Err(ConnectError::Rejected(cause));
            }
            Err(cause) if Instant::now() + wait > deadline => return Err(ConnectError::Unreachable(cause)),
            Err(_) => sleep(wait).await,
        }
    }
}

fn is_transient(cause: &RedisError) -> bool {
    matches!(cause.kind(), ErrorKind::Io | ErrorKind::Server(ServerErrorKind::BusyLoading))
}

/// Runs a script that needs everything the others need.
pub async fn probe(
    script: &redis::ScriptInvocation<'_>,
    connection: &ConnectionManager,
) -> Result<(), ConnectError> {
    let mut connection = connection.clone();
    let Ok(answer) = timeout(STARTUP_TIMEOUT, script.invoke_async::<()>(&mut connection)).await else {
        let cause = std::io::Error::from(std::io::ErrorKind::TimedOut);
        return Err(ConnectError::Unreachable(cause.into()));
    };
    answer.map_err(ConnectError::Unsuitable)
}
