//! TLS of the program's own ports, and of its connections to servers: rustls with ring, for all of them. Errors name the
//! file and the reason, and never repeat what is in a key.

mod pem; // files become certificates and keys
mod identity; // a certificate that belongs to its key
mod client; // whom a connection trusts, and as whom it comes
mod acceptor; // a port's handshakes, with files that may be replaced at any time

use std::{
    error::Error,
    io,
    path::{Path, PathBuf},
    sync::Arc,
};

pub use self::{
    acceptor::Acceptor,
    client::{ClientPem, ClientTls},
};
pub use tokio_rustls::{rustls, server::TlsStream};

/// A certificate with the chain below it, and its key: files in PEM.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KeyPair {
    pub certificate: PathBuf,
    pub key: PathBuf,
}

/// A file that cannot be used.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{} cannot be used: {why}", path.display())]
pub struct TlsError {
    pub path: PathBuf,
    pub why: String,
}

impl TlsError {
    fn new(path: &Path, why: impl Into<String>) -> Self {
        Self { path: path.to_owned(), why: why.into() }
    }
}

/// For drivers that choose no cryptography of their own: several are compiled in, and unless one is chosen their first TLS
/// connection panics. Whoever chose before stays.
pub fn use_ring() {
    let _ = rustls::crypto::ring::default_provider().install_default();
}

/// What rustls reports, however a driver wraps it: a connection that fails for this fails again.
pub fn cause(error: &(dyn Error + 'static)) -> Option<rustls::Error> {
    if let Some(found) = error.downcast_ref::<rustls::Error>() {
        return Some(found.clone());
    }
    if let Some(wrapped) = error.downcast_ref::<io::Error>() {
        return cause(wrapped.get_ref()?);
    }
    if let Some(shared) = error.downcast_ref::<Arc<dyn Error + Send + Sync>>() {
        return cause(&**shared);
    }
    cause(error.source()?)
}
