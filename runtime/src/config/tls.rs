//! Files of TLS: of the program's own ports, and of its connections to servers.

use std::path::PathBuf;

use natter_tls::{ClientTls, KeyPair};

use super::{BadSetting, Source, text};

/// A certificate and its key: both, or neither.
pub fn pair(
    source: &Source<'_>,
    certificate: &'static str,
    key: &'static str,
) -> Result<Option<KeyPair>, BadSetting> {
    match (text(source, certificate), text(source, key)) {
        (Some(certificate), Some(key)) => {
            Ok(Some(KeyPair { certificate: PathBuf::from(certificate), key: PathBuf::from(key) }))
        }
        (None, None) => Ok(None),
        (found, _) => Err(BadSetting {
            name: if found.is_none() { certificate } else { key },
            wrong: "is missing".to_owned(),
            allowed: format!("both {certificate} and {key} (paths, PEM), or neither"),
        }),
    }
}

/// Whom a connection trusts, and as whom it comes.
pub fn client(
    source: &Source<'_>,
    ca: &'static str,
    certificate: &'static str,
    key: &'static str,
) -> Result<ClientTls, BadSetting> {
    let pair = pair(source, certificate, key)?;
    Ok(ClientTls { ca: text(source, ca).map(PathBuf::from), pair })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_certificate_without_its_key_is_refused_and_so_is_a_key() {
        for (given, missing) in [("NATS_CERT", "NATS_KEY"), ("NATS_KEY", "NATS_CERT")] {
            let source = |name: &str| (name == given).then(|| "/a/path".to_owned());
            let error =
                client(&source, "NATS_CA", "NATS_CERT", "NATS_KEY").expect_err("one of two").to_string();
            assert!(
                error.starts_with(&format!("{missing} is missing; allowed: both NATS_CERT and")),
                "{error}"
            );
        }
        let none = client(&|_| None, "NATS_CA", "NATS_CERT", "NATS_KEY").expect("none is needed");
        assert!(none.is_default());
    }
}
