//! Files that cannot be used are named, with the reason.
#![allow(clippy::unwrap_used)]

use std::{fs, path::PathBuf};

use natter_testkit::{Authority, Folder};
use natter_tls::{Acceptor, ClientTls, KeyPair};

fn refused(files: KeyPair) -> String {
    Acceptor::load(files, "test").err().expect("it cannot be used").to_string()
}

fn ends(error: &str, path: &std::path::Path, why: &str) {
    assert_eq!(error, format!("{} cannot be used: {why}", path.display()));
}

#[test]
fn a_file_that_is_missing_or_holds_something_else_is_named() {
    let (authority, folder) = (Authority::new(), Folder::new());
    let right = authority.issue("server");
    let nowhere = PathBuf::from("/nowhere/server.pem");
    let error = refused(KeyPair { certificate: nowhere.clone(), ..right.clone() });
    assert!(error.starts_with("/nowhere/server.pem cannot be used: No such file"), "{error}");
    let swapped = KeyPair { certificate: right.key.clone(), key: right.certificate.clone() };
    ends(&refused(swapped), &right.key, "it holds no certificate in PEM");
    let no_key = KeyPair { key: right.certificate.clone(), ..right.clone() };
    ends(&refused(no_key), &right.certificate, "it holds no private key without a password in PEM");
    let broken = folder.file("broken.pem");
    fs::write(&broken, "-----BEGIN CERTIFICATE-----\nhunter2!\n-----END CERTIFICATE-----\n").unwrap();
    ends(&refused(KeyPair { certificate: broken.clone(), ..right.clone() }), &broken, "it is not PEM");
    fs::write(&broken, "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n").unwrap();
    ends(
        &refused(KeyPair { certificate: broken.clone(), ..right.clone() }),
        &broken,
        "it is not an X.509 certificate",
    );
    fs::write(&broken, "-----BEGIN PRIVATE KEY-----\naHVudGVyMg==\n-----END PRIVATE KEY-----\n").unwrap();
    ends(
        &refused(KeyPair { key: broken.clone(), ..right }),
        &broken,
        "it is no key for TLS (RSA, ECDSA P-256 or P-384, Ed25519)",
    );
}

#[test]
fn a_key_of_another_certificate_is_refused() {
    let authority = Authority::new();
    let (one, other) = (authority.issue("one"), authority.issue("other"));
    let error = refused(KeyPair { key: other.key.clone(), ..one.clone() });
    ends(
        &error,
        &other.key,
        &format!("it does not belong to the certificate in {}", one.certificate.display()),
    );
}

#[test]
fn whom_a_connection_trusts_is_checked_before_it_is_opened() {
    let authority = Authority::new();
    let pair = authority.issue("client");
    let right = ClientTls { ca: Some(authority.ca()), pair: Some(pair.clone()) };
    right.config().unwrap();
    let pem = right.pem().unwrap();
    assert_eq!(pem.ca, Some(fs::read(authority.ca()).unwrap()));
    let no_ca = ClientTls { ca: Some(pair.key.clone()), ..right.clone() };
    ends(&no_ca.pem().unwrap_err().to_string(), &pair.key, "it holds no certificate in PEM");
    let other = KeyPair { key: authority.issue("other").key, ..pair };
    let error = ClientTls { pair: Some(other), ..right }.pem().unwrap_err().to_string();
    assert!(error.contains("it does not belong to the certificate in "), "{error}");
}
