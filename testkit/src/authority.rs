//! Certificates of a CA that exists for one test only.

use std::{fs, io, path::PathBuf, sync::Arc};

use natter_tls::{
    KeyPair,
    rustls::{
        ClientConfig, RootCertStore, ServerConfig,
        crypto::ring,
        pki_types::{CertificateDer, PrivateKeyDer, ServerName},
    },
};
use rcgen::{
    BasicConstraints, CertificateParams, CertifiedIssuer, DnType, ExtendedKeyUsagePurpose, IsCa,
    KeyPair as Key, KeyUsagePurpose, date_time_ymd,
};
use tokio::net::TcpStream;
use tokio_rustls::{TlsConnector, client::TlsStream};

use crate::{Folder, PATIENCE};

/// A CA, and the files of what it signed.
pub struct Authority {
    issuer: CertifiedIssuer<'static, Key>,
    folder: Folder,
}

impl Authority {
    #[expect(clippy::new_without_default, reason = "it makes a folder and a key")]
    pub fn new() -> Self {
        let mut params = CertificateParams::default();
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
        let folder = Folder::new();
        // No two have the same name, as in reality.
        params.distinguished_name.push(DnType::CommonName, folder.path().display().to_string());
        let issuer = CertifiedIssuer::self_signed(params, Key::generate().unwrap()).unwrap();
        fs::write(folder.file("ca.pem"), issuer.pem()).unwrap();
        Self { issuer, folder }
    }

    pub fn ca(&self) -> PathBuf {
        self.folder.file("ca.pem")
    }

    pub fn certificate(&self) -> &CertificateDer<'static> {
        self.issuer.der()
    }

    /// For servers of this machine, and for clients. `name` names the files and the subject.
    pub fn issue(&self, name: &str) -> KeyPair {
        self.write(name, &Self::params(name, &["127.0.0.1", "localhost"]))
    }

    /// For another host.
    pub fn issue_for(&self, name: &str, host: &str) -> KeyPair {
        self.write(name, &Self::params(name, &[host]))
    }

    /// For this machine, until that year begins.
    pub fn issue_ending(&self, name: &str, year: i32) -> KeyPair {
        let mut params = Self::params(name, &["127.0.0.1", "localhost"]);
        params.not_after = date_time_ymd(year, 1, 1);
        self.write(name, &params)
    }

    /// For this machine, in a year that is over.
    pub fn issue_expired(&self, name: &str) -> KeyPair {
        let mut params = Self::params(name, &["127.0.0.1", "localhost"]);
        params.not_before = date_time_ymd(2020, 1, 1);
        params.not_after = date_time_ymd(2020, 12, 31);
        self.write(name, &params)
    }

    /// For a server in this process.
    pub fn server(&self, name: &str) -> ServerConfig {
        let key = Key::generate().unwrap();
        let params = Self::params(name, &["127.0.0.1", "localhost"]);
        let certificate = params.signed_by(&key, &self.issuer).unwrap();
        let key = PrivateKeyDer::Pkcs8(key.serialize_der().into());
        ServerConfig::builder_with_provider(ring::default_provider().into())
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_no_client_auth()
            .with_single_cert(vec![certificate.der().clone()], key)
            .unwrap()
    }

    /// An HTTP client that believes this CA and no other.
    pub fn http(&self) -> reqwest::Client {
        let ca = reqwest::Certificate::from_der(self.certificate()).unwrap();
        reqwest::Client::builder().no_proxy().timeout(2 * PATIENCE).tls_certs_only([ca]).build().unwrap()
    }

    /// A connection to this `https://` address of this machine, once its handshake is over.
    pub async fn connect(&self, base: &str) -> io::Result<TlsStream<TcpStream>> {
        self.connect_with(self.client(), base).await
    }

    pub async fn connect_with(&self, client: ClientConfig, base: &str) -> io::Result<TlsStream<TcpStream>> {
        let (host, port) = base.strip_prefix("https://").unwrap().split_once(':').unwrap();
        let stream = TcpStream::connect((host, port.parse::<u16>().unwrap())).await.unwrap();
        let name = ServerName::try_from(host.to_owned()).unwrap();
        TlsConnector::from(Arc::new(client)).connect(name, stream).await
    }

    /// A client that believes this CA and no other.
    pub fn client(&self) -> ClientConfig {
        let mut roots = RootCertStore::empty();
        roots.add(self.certificate().clone()).unwrap();
        ClientConfig::builder_with_provider(ring::default_provider().into())
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_root_certificates(roots)
            .with_no_client_auth()
    }

    fn params(name: &str, hosts: &[&str]) -> CertificateParams {
        let hosts: Vec<_> = hosts.iter().map(|host| (*host).to_owned()).collect();
        let mut params = CertificateParams::new(hosts).unwrap();
        params.distinguished_name.push(DnType::CommonName, name);
        params.key_usages = vec![KeyUsagePurpose::DigitalSignature];
        params.extended_key_usages =
            vec![ExtendedKeyUsagePurpose::ServerAuth, ExtendedKeyUsagePurpose::ClientAuth];
        params.use_authority_key_identifier_extension = true;
        params
    }

    fn write(&self, name: &str, params: &CertificateParams) -> KeyPair {
        let key = Key::generate().unwrap();
        let certificate = params.signed_by(&key, &self.issuer).unwrap();
        let files = KeyPair {
            certificate: self.folder.file(&format!("{name}.pem")),
            key: self.folder.file(&format!("{name}.key")),
        };
        fs::write(&files.certificate, certificate.pem()).unwrap();
        fs::write(&files.key, key.serialize_pem()).unwrap();
        files
    }
}
