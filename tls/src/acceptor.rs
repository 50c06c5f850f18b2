use std::{future::Future, io, sync::Arc, time::Duration};

use natter_schemas::event::Timestamp;
use parking_lot::RwLock;
use rustls::{
    ServerConfig,
    crypto::ring,
    server::{ClientHello, ResolvesServerCert},
    sign::CertifiedKey,
};
use tokio::{
    io::{AsyncRead, AsyncWrite},
    task::spawn_blocking,
    time::timeout,
};
use tokio_rustls::{TlsAcceptor, server::TlsStream};
use tokio_util::sync::CancellationToken;
use tracing::{info, warn};

use crate::{KeyPair, TlsError, identity::Identity, pem};

/// Between two looks at the files. A change is taken up when two of them find the same: certificate and key are two files,
/// and between the replacement of one and of the other they do not belong together.
const LOOK: Duration = Duration::from_secs(2);

/// The handshakes of one port.
#[derive(Clone)]
pub struct Acceptor {
    /// A metric's label.
    port: &'static str,
    files: KeyPair,
    current: Arc<Current>,
    handshake: TlsAcceptor,
    /// Of the files that are in use.
    loaded: blake3::Hash,
}

/// What the next handshake shows.
#[derive(Debug)]
struct Current(RwLock<Arc<CertifiedKey>>);

impl ResolvesServerCert for Current {
    fn resolve(&self, _: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        Some(self.0.read().clone())
    }
}

/// Both files at one moment.
struct Contents {
    certificate: Vec<u8>,
    key: Vec<u8>,
}

impl Contents {
    fn read(files: &KeyPair) -> Result<Self, TlsError> {
        Ok(Self { certificate: pem::read(&files.certificate)?, key: pem::read(&files.key)? })
    }

    fn hash(&self) -> blake3::Hash {
        let mut hasher = blake3::Hasher::new();
        hasher.update(&(self.certificate.len() as u64).to_le_bytes());
        hasher.update(&self.certificate).update(&self.key).finalize()
    }
}

impl Acceptor {
    /// Reads the files. [`watch`](Self::watch) reads them again when they change. `port`: a metric's label.
    pub fn load(files: KeyPair, port: &'static str) -> Result<Self, TlsError> {
        let contents = Contents::read(&files)?;
        let identity = Identity::of(&files, &contents.certificate, &contents.key)?;
        if identity.expires <= now() {
            warn!(port, path = %files.certificate.display(), "this certificate has expired; clients refuse it");
        }
        let current = Arc::new(Current(RwLock::new(identity.certified)));
        let mut config = ServerConfig::builder_with_provider(Arc::new(ring::default_provider()))
            .with_safe_default_protocol_versions()
            .expect("ring knows both versions")
            .with_no_client_auth()
            .with_cert_resolver(Arc::clone(&current) as Arc<dyn ResolvesServerCert>);
        // Browsers offer HTTP/2 too, over which no socket can be opened here.
        config.alpn_protocols = vec![b"http/1.1".to_vec()];
        show_expiry(port, identity.expires);
        let handshake = TlsAcceptor::from(Arc::new(config));
        Ok(Self { port, files, current, handshake, loaded: contents.hash() })
    }

    /// The client's handshake, which has `within` to be complete.
    pub async fn accept<S>(&self, stream: S, within: Duration) -> io::Result<TlsStream<S>>
    where
        S: AsyncRead + AsyncWrite + Unpin,
    {
        let done = timeout(within, self.handshake.accept(stream)).await;
        let done = done.unwrap_or_else(|_| Err(io::ErrorKind::TimedOut.into()));
        if let Err(error) = &done {
            let reason = match error.kind() {
                io::ErrorKind::TimedOut => "timeout",
                // What rustls reports.
                io::ErrorKind::InvalidData => "refused",
                _ => "closed",
            };
            metrics::counter!("natter_tls_handshakes_failed_total", "port" => self.port, "reason" => reason)
                .increment(1);
        }
        done
    }

    /// Takes up files that are replaced, for the handshakes from then on. Connections that are open keep theirs. With
    /// files that cannot be used everything stays as it is.
    pub fn watch(&self, stop: CancellationToken) -> impl Future<Output = ()> + Send + use<> {
        let Self { port, files, current, loaded, .. } = self.clone();
        async move {
            // What is in use, or was reported to be of no use; and what the look before found.
            let (mut known, mut before) = (Ok(loaded), None);
            while timeout(LOOK, stop.cancelled()).await.is_err() {
                let read = files.clone();
                let Ok(contents) = spawn_blocking(move || Contents::read(&read)).await else { continue };
                let found = contents.as_ref().map(Contents::hash).map_err(Clone::clone);
                let settled = before.as_ref() == Some(&found);
                before = Some(found.clone());
                if found == known || !settled {
                    continue;
                }
                known = found;
                match contents.and_then(|contents| replacement(&files, &contents)) {
                    Ok(identity) => {
                        *current.0.write() = identity.certified;
                        show_expiry(port, identity.expires);
                        info!(port, path = %files.certificate.display(), "certificate replaced");
                    }
                    Err(error) => {
                        metrics::counter!("natter_tls_reload_failures_total", "port" => port).increment(1);
                        warn!(port, %error, "certificate not replaced; the one before stays in use");
                    }
                }
            }
        }
    }
}

/// At the start there is nothing better; later there is what one has.
fn replacement(files: &KeyPair, contents: &Contents) -> Result<Identity, TlsError> {
    let identity = Identity::of(files, &contents.certificate, &contents.key)?;
    if identity.expires <= now() {
        return Err(TlsError::new(&files.certificate, "it has expired"));
    }
    Ok(identity)
}

fn show_expiry(port: &'static str, expires: u64) {
    #[expect(clippy::cast_precision_loss, reason = "seconds since 1970 are exact for a long time")]
    metrics::gauge!("natter_tls_certificate_expires_timestamp_seconds", "port" => port).set(expires as f64);
}

fn now() -> u64 {
    u64::try_from(Timestamp::now().0 / 1000).unwrap_or(0)
}
