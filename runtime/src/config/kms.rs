//! `CHAT_KMS_…`: a Vault or `OpenBao` whose transit engine wraps the keys of users.

use std::path::PathBuf;

use secrecy::SecretString;

use super::{BadSetting, Source, bad, text};

#[derive(Debug, Clone)]
pub struct Kms {
    /// `https://host:8200`.
    pub url: String,
    /// Where its transit engine is.
    pub mount: String,
    /// The engine's key.
    pub key: String,
    pub token: KmsToken,
    /// Certificates (PEM) that sign its own; those of the system by default.
    pub ca: Option<PathBuf>,
}

#[derive(Debug, Clone)]
pub enum KmsToken {
    Fixed(SecretString),
    /// Read at every call: whoever renews the token writes it there.
    File(PathBuf),
}

/// `None`: there is no KMS.
pub fn read(source: &Source<'_>) -> Result<Option<Kms>, BadSetting> {
    let Some(url) = text(source, "CHAT_KMS_URL") else { return Ok(None) };
    let host = url.strip_prefix("https://").or_else(|| url.strip_prefix("http://"));
    if host.is_none_or(|host| host.is_empty() || host.contains(['@', ' ', '?', '#'])) {
        // It may have a password in it.
        return Err(bad("CHAT_KMS_URL", "of another form", "https://host:8200, http://host:8200"));
    }
    let key = text(source, "CHAT_KMS_KEY").unwrap_or_else(|| "transit/natter".to_owned());
    let allowed = "mount/key of a transit engine";
    let parts = key.rsplit_once('/').filter(|(mount, key)| !mount.is_empty() && !key.is_empty());
    let plain = |c: char| c.is_ascii_alphanumeric() || "-_./".contains(c);
    let (mount, name) =
        parts.filter(|_| key.chars().all(plain)).ok_or_else(|| bad("CHAT_KMS_KEY", &key, allowed))?;
    let token = match (text(source, "CHAT_KMS_TOKEN"), text(source, "CHAT_KMS_TOKEN_FILE")) {
        (_, Some(file)) => KmsToken::File(PathBuf::from(file)),
        (Some(token), None) => KmsToken::Fixed(SecretString::from(token)),
        (None, None) => {
            let allowed = "a token, or CHAT_KMS_TOKEN_FILE with a file that has one".to_owned();
            return Err(BadSetting { name: "CHAT_KMS_TOKEN", wrong: "is missing".to_owned(), allowed });
        }
    };
    let (mount, key) = (mount.to_owned(), name.to_owned());
    Ok(Some(Kms { url, mount, key, token, ca: text(source, "CHAT_KMS_CA").map(PathBuf::from) }))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn settings(pairs: &[(&str, &str)]) -> Result<Option<Kms>, BadSetting> {
        read(&|name: &str| pairs.iter().find(|(key, _)| *key == name).map(|(_, value)| (*value).to_owned()))
    }

    #[test]
    fn a_kms_has_an_address_a_key_and_a_token() {
        assert!(settings(&[("CHAT_KMS_KEY", "a/b")]).expect("nothing is set").is_none());
        let set = [("CHAT_KMS_URL", "http://bao:8200"), ("CHAT_KMS_TOKEN", "hunter2")];
        let kms = settings(&set).expect("allowed").expect("a KMS");
        assert_eq!((kms.mount.as_str(), kms.key.as_str()), ("transit", "natter"));
        assert!(!format!("{kms:?}").contains("hunter2"));
        let file =
            [("CHAT_KMS_URL", "https://bao"), ("CHAT_KMS_TOKEN_FILE", "/t"), ("CHAT_KMS_KEY", "a/b/c")];
        let kms = settings(&file).expect("allowed").expect("a KMS");
        assert_eq!((kms.mount.as_str(), kms.key.as_str()), ("a/b", "c"));
        assert!(matches!(kms.token, KmsToken::File(_)));
        for (name, wrong) in [
            ("CHAT_KMS_URL", vec![("CHAT_KMS_URL", "bao:8200")]),
            ("CHAT_KMS_URL", vec![("CHAT_KMS_URL", "https://root:hunter2@bao")]),
            ("CHAT_KMS_KEY", vec![set[0], set[1], ("CHAT_KMS_KEY", "natter")]),
            ("CHAT_KMS_KEY", vec![set[0], set[1], ("CHAT_KMS_KEY", "a/b?c")]),
            ("CHAT_KMS_TOKEN", vec![set[0]]),
        ] {
            let error = settings(&wrong).expect_err(name).to_string();
            assert!(error.starts_with(name) && error.contains("allowed: "), "{error}");
            assert!(!error.contains("hunter2"), "{error}");
        }
    }
}
