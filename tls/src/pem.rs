use std::path::Path;

use rustls::pki_types::{
    CertificateDer, PrivateKeyDer,
    pem::{self, PemObject},
};

use crate::TlsError;

pub fn read(path: &Path) -> Result<Vec<u8>, TlsError> {
    std::fs::read(path).map_err(|error| TlsError::new(path, error.to_string()))
}

/// The certificates of a file with at least one; `path` is for the error.
pub fn certificates(path: &Path, text: &[u8]) -> Result<Vec<CertificateDer<'static>>, TlsError> {
    let all: Vec<_> = CertificateDer::pem_slice_iter(text)
        .collect::<Result<_, _>>()
        .map_err(|error| TlsError::new(path, reason(&error, "certificate")))?;
    if all.is_empty() { Err(TlsError::new(path, nothing("certificate"))) } else { Ok(all) }
}

/// The first key of a file; `path` is for the error.
pub fn key(path: &Path, text: &[u8]) -> Result<PrivateKeyDer<'static>, TlsError> {
    PrivateKeyDer::from_pem_slice(text)
        .map_err(|error| TlsError::new(path, reason(&error, "private key without a password")))
}

/// In words of its own: those of the parser may repeat a line of the file.
fn reason(error: &pem::Error, what: &str) -> String {
    match error {
        pem::Error::NoItemsFound => nothing(what),
        _ => "it is not PEM".to_owned(),
    }
}

fn nothing(what: &str) -> String {
    format!("it holds no {what} in PEM")
}
