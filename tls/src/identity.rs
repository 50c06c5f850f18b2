use std::sync::Arc;

use rustls::{
    CertificateError, Error, InconsistentKeys, crypto::ring, pki_types::CertificateDer, sign::CertifiedKey,
};
use x509_cert::{Certificate, der::Decode};

use crate::{KeyPair, TlsError, pem};

/// A certificate that belongs to its key.
#[derive(Debug, Clone)]
pub struct Identity {
    pub certified: Arc<CertifiedKey>,
    /// In seconds since 1970.
    pub expires: u64,
}

impl Identity {
    pub fn read(files: &KeyPair) -> Result<Self, TlsError> {
        Self::of(files, &pem::read(&files.certificate)?, &pem::read(&files.key)?)
    }

    /// Of what the files hold.
    pub fn of(files: &KeyPair, certificate: &[u8], key: &[u8]) -> Result<Self, TlsError> {
        let KeyPair { certificate: path, key: key_path } = files;
        let chain = pem::certificates(path, certificate)?;
        let expires =
            expires(&chain[0]).ok_or_else(|| TlsError::new(path, "it is not an X.509 certificate"))?;
        let key = pem::key(key_path, key)?;
        let certified =
            CertifiedKey::from_der(chain, key, &ring::default_provider()).map_err(|error| match error {
                Error::InconsistentKeys(InconsistentKeys::KeyMismatch) => TlsError::new(
                    key_path,
                    format!("it does not belong to the certificate in {}", path.display()),
                ),
                Error::InvalidCertificate(CertificateError::BadEncoding) => {
                    TlsError::new(path, "it is not an X.509 certificate")
                }
                _ => TlsError::new(key_path, "it is no key for TLS (RSA, ECDSA P-256 or P-384, Ed25519)"),
            })?;
        Ok(Self { certified: Arc::new(certified), expires })
    }
}

fn expires(certificate: &CertificateDer<'_>) -> Option<u64> {
    let certificate = Certificate::from_der(certificate).ok()?;
    Some(certificate.tbs_certificate.validity.not_after.to_unix_duration().as_secs())
}
