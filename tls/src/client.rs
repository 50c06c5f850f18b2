use std::{path::PathBuf, sync::Arc};

use rustls::{ClientConfig, RootCertStore, crypto::ring, sign::SingleCertAndKey};

use crate::{KeyPair, TlsError, identity::Identity, pem};

/// Whom a connection trusts, and as whom it comes.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ClientTls {
    /// Certificates (PEM) that sign those of servers, and no others are believed; by default the system's.
    pub ca: Option<PathBuf>,
    /// What is shown to a server that asks for a certificate.
    pub pair: Option<KeyPair>,
}

/// The files of a [`ClientTls`], checked, for a driver that reads them itself.
#[derive(Debug)]
pub struct ClientPem {
    pub ca: Option<Vec<u8>>,
    /// Certificate and key.
    pub pair: Option<(Vec<u8>, Vec<u8>)>,
}

impl ClientTls {
    /// Nothing is set: whoever wants TLS gets it with the system's certificates.
    pub fn is_default(&self) -> bool {
        *self == Self::default()
    }

    pub fn config(&self) -> Result<ClientConfig, TlsError> {
        let builder = ClientConfig::builder_with_provider(Arc::new(ring::default_provider()))
            .with_safe_default_protocol_versions()
            .expect("ring knows both versions")
            .with_root_certificates(self.roots()?);
        Ok(match &self.pair {
            Some(files) => {
                let identity = Identity::read(files)?.certified;
                builder.with_client_cert_resolver(Arc::new(SingleCertAndKey::from(identity)))
            }
            None => builder.with_no_client_auth(),
        })
    }

    pub fn pem(&self) -> Result<ClientPem, TlsError> {
        self.config()?;
        let ca = self.ca.as_deref().map(pem::read).transpose()?;
        let read = |pair: &KeyPair| Ok((pem::read(&pair.certificate)?, pem::read(&pair.key)?));
        Ok(ClientPem { ca, pair: self.pair.as_ref().map(read).transpose()? })
    }

    fn roots(&self) -> Result<RootCertStore, TlsError> {
        let mut roots = RootCertStore::empty();
        let Some(path) = &self.ca else {
            // What cannot be read of the system's is missed only if it would have been needed.
            roots.add_parsable_certificates(rustls_native_certs::load_native_certs().certs);
            return Ok(roots);
        };
        for certificate in pem::certificates(path, &pem::read(path)?)? {
            roots
                .add(certificate)
                .map_err(|_| TlsError::new(path, "it holds something that is no X.509 certificate"))?;
        }
        Ok(roots)
    }
}
