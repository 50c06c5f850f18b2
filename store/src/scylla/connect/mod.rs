//! Options become a session, or an error that names the cause and the host, without the password.

#[cfg(test)]
mod tests;

use std::{num::NonZeroUsize, sync::Arc, time::Duration};

use natter_tls::{ClientTls, rustls::ClientConfig};
use scylla::{
    client::{
        PoolSize,
        execution_profile::{ExecutionProfile, ExecutionProfileHandle},
        session::Session,
        session_builder::SessionBuilder,
    },
    errors::{
        BrokenConnectionError, BrokenConnectionErrorKind, ConnectionError, ConnectionPoolError,
        ConnectionSetupRequestErrorKind, DbError, MetadataError, NewSessionError, UseKeyspaceError,
    },
    policies::{load_balancing::DefaultPolicy, retry::DefaultRetryPolicy},
    statement::SerialConsistency,
};
use secrecy::ExposeSecret;

use super::options::Options;
use crate::{Result, StoreError};

/// For one request with the driver's own retries on other hosts.
pub const REQUEST: Duration = Duration::from_secs(2);
/// For one statement that changes the schema: every node must learn of it.
pub const SCHEMA_REQUEST: Duration = Duration::from_secs(30);
/// For one host to take a connection.
const CONNECT: Duration = Duration::from_secs(3);
/// For all of them together, name look-ups and the first look at the cluster.
const CONNECT_ALL: Duration = Duration::from_secs(20);
/// A host that swallows packets is given up after their sum; requests before that run into `REQUEST`.
const KEEPALIVE: Duration = Duration::from_secs(5);
const KEEPALIVE_ANSWER: Duration = Duration::from_secs(5);
/// Against Apache Cassandra the driver would open a single one. ScyllaDB gets one a shard at least.
const CONNECTIONS: NonZeroUsize = NonZeroUsize::new(3).expect("is not zero");

/// A session in the keyspace, for the queries of the store.
pub async fn connect(options: &Options) -> Result<Session> {
    let profile = profile(options, options.consistency.into(), SerialConsistency::LocalSerial, REQUEST);
    let builder = builder(options, profile)?
        .pool_size(PoolSize::PerHost(CONNECTIONS))
        .use_keyspace(&options.keyspace, true)
        .keyspaces_to_fetch([&options.keyspace]);
    let session = open(options, builder).await?;
    knows_datacenter(&session, options)?;
    Ok(session)
}

/// A session with long time-outs in no keyspace, for migrations. Its quorum spans all datacenters: two runners in
/// two of them must not both hold the lock.
pub async fn connect_for_schema(options: &Options) -> Result<Session> {
    let quorum = scylla::statement::Consistency::Quorum;
    let profile = profile(options, quorum, SerialConsistency::Serial, SCHEMA_REQUEST);
    let builder = builder(options, profile)?
        .pool_size(PoolSize::PerHost(NonZeroUsize::MIN))
        .fetch_schema_metadata(false)
        .refresh_metadata_on_auto_schema_agreement(false);
    let session = open(options, builder).await?;
    knows_datacenter(&session, options)?;
    Ok(session)
}

fn profile(
    options: &Options,
    consistency: scylla::statement::Consistency,
    serial: SerialConsistency,
    timeout: Duration,
) -> ExecutionProfileHandle {
    let mut hosts = DefaultPolicy::builder().token_aware(true);
    if let Some(datacenter) = &options.datacenter {
        hosts = hosts.prefer_datacenter(datacenter.clone()).permit_dc_failover(true);
    }
    ExecutionProfile::builder()
        .consistency(consistency)
        .serial_consistency(Some(serial))
        .request_timeout(Some(timeout))
        .load_balancing_policy(hosts.build())
        .retry_policy(Arc::new(DefaultRetryPolicy::new()))
        .build()
        .into_handle()
}

fn builder(options: &Options, profile: ExecutionProfileHandle) -> Result<SessionBuilder> {
    let mut builder = SessionBuilder::new()
        .known_nodes(&options.hosts)
        .default_execution_profile_handle(profile)
        .connection_timeout(CONNECT)
        .hostname_resolution_timeout(Some(CONNECT))
        .keepalive_interval(KEEPALIVE)
        .keepalive_timeout(KEEPALIVE_ANSWER);
    if let (Some(user), Some(password)) = (&options.user, &options.password) {
        builder = builder.user(user, password.expose_secret());
    }
    if options.tls {
        builder = builder.tls_context(Some(Arc::new(tls(options)?)));
    }
    Ok(builder)
}

fn tls(options: &Options) -> Result<ClientConfig> {
    let tls = ClientTls { ca: options.ca.clone(), pair: None };
    tls.config().map_err(|error| StoreError::Unavailable(format!("TLS: {error}")))
}

async fn open(options: &Options, builder: SessionBuilder) -> Result<Session> {
    let place = options.place();
    match tokio::time::timeout(CONNECT_ALL, builder.build()).await {
        Ok(Ok(session)) => Ok(session),
        Ok(Err(error)) => Err(StoreError::Unavailable(format!("{place}: {}", reason(&error, options)))),
        Err(_) => {
            let seconds = CONNECT_ALL.as_secs();
            Err(StoreError::Unavailable(format!("{place}: no session within {seconds} s")))
        }
    }
}

/// A mistyped datacenter would quietly mean that every host is a far one.
fn knows_datacenter(session: &Session, options: &Options) -> Result<()> {
    let Some(wanted) = &options.datacenter else { return Ok(()) };
    let state = session.get_cluster_state();
    let mut found: Vec<&str> =
        state.get_nodes_info().iter().filter_map(|node| node.datacenter.as_deref()).collect();
    if found.contains(&wanted.as_str()) {
        return Ok(());
    }
    found.sort_unstable();
    found.dedup();
    let (place, found) = (options.place(), found.join(", "));
    Err(StoreError::Unavailable(format!("{place}: no datacenter is called '{wanted}'; there is {found}")))
}

fn reason(error: &NewSessionError, options: &Options) -> String {
    match error {
        NewSessionError::FailedToResolveAnyHostname(_) => "no such host".to_owned(),
        NewSessionError::UseKeyspaceError(UseKeyspaceError::RequestError(_)) => missing_keyspace(options),
        NewSessionError::MetadataError(MetadataError::ConnectionPoolError(ConnectionPoolError::Broken {
            last_connection_error,
        })) => refused(last_connection_error, options),
        other => other.to_string(),
    }
}

pub(super) fn missing_keyspace(options: &Options) -> String {
    format!("there is no keyspace '{}'; run 'natter migrate'", options.keyspace)
}

fn refused(error: &ConnectionError, options: &Options) -> String {
    match error {
        ConnectionError::ConnectTimeout => format!("no answer within {} s", CONNECT.as_secs()),
        ConnectionError::IoError(error) => match error.kind() {
            std::io::ErrorKind::ConnectionRefused => "nothing listens there".to_owned(),
            // How rustls reports what it cannot accept, through tokio.
            std::io::ErrorKind::InvalidData if options.tls => format!("TLS: {error}"),
            _ => error.to_string(),
        },
        ConnectionError::ConnectionSetupRequestError(setup) => match setup.get_error() {
            ConnectionSetupRequestErrorKind::DbError(DbError::AuthenticationError, _) => {
                let user = options.user.as_deref().unwrap_or_default();
                format!("user '{user}' or the password is wrong")
            }
            ConnectionSetupRequestErrorKind::MissingAuthentication => {
                "it wants a user and a password".to_owned()
            }
            ConnectionSetupRequestErrorKind::BrokenConnection(error) => broken(error, options),
            other => other.to_string(),
        },
        other => other.to_string(),
    }
}

fn broken(error: &BrokenConnectionError, options: &Options) -> String {
    match error.downcast_ref() {
        Some(BrokenConnectionErrorKind::KeepaliveTimeout(_)) => {
            "it takes connections and does not answer".to_owned()
        }
        _ if options.tls => error.to_string(),
        _ => format!("{error}; does it want TLS?"),
    }
}
