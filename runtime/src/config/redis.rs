//! `REDIS_*`: the state that several processes share.

use natter_tls::ClientTls;
use secrecy::SecretString;

use super::{BadSetting, Source, bad, text, tls};

#[derive(Debug, Clone)]
pub struct Redis {
    /// It may hold a password.
    pub url: SecretString,
    pub tls: ClientTls,
}

pub fn read(source: &Source<'_>) -> Result<Option<Redis>, BadSetting> {
    let tls = tls::client(source, "REDIS_CA", "REDIS_CERT", "REDIS_KEY")?;
    let allowed = "redis[s]://[user:password@]host[:port][/database]";
    let Some(url) = text(source, "REDIS_URL") else { return Ok(None) };
    // It may hold a password: only its scheme is repeated.
    match url.split_once("://") {
        Some(("redis", _)) if !tls.is_default() => {
            Err(bad("REDIS_URL", "redis://…", "rediss://… together with REDIS_CA or REDIS_CERT"))
        }
        // What stands behind a # would switch the check of certificates off.
        Some(("redis" | "rediss", rest))
            if !rest.contains('#') && redis::Client::open(url.as_str()).is_ok() =>
        {
            Ok(Some(Redis { url: SecretString::from(url), tls }))
        }
        Some((scheme, _)) => Err(bad("REDIS_URL", &format!("{scheme}://…"), allowed)),
        None => Err(bad("REDIS_URL", "without a scheme", allowed)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(url: &str, ca: Option<&str>) -> Result<Option<Redis>, BadSetting> {
        read(&|name| match name {
            "REDIS_URL" => Some(url.to_owned()),
            "REDIS_CA" => ca.map(str::to_owned),
            _ => None,
        })
    }

    #[test]
    fn the_password_of_redis_is_not_printed() {
        for url in ["redis://natter:hunter2@redis:6379/1", "rediss://:hunter2@redis"] {
            let redis = of(url, None).expect("an address").expect("it is set");
            assert!(!format!("{redis:?}").contains("hunter2"));
        }
    }

    #[test]
    fn certificates_are_for_addresses_with_tls_and_are_always_checked() {
        assert!(of("rediss://redis", Some("/ca.pem")).is_ok());
        for (url, ca) in
            [("redis://:hunter2@redis", Some("/ca.pem")), ("rediss://:hunter2@redis/#insecure", None)]
        {
            let error = of(url, ca).expect_err("not allowed").to_string();
            assert!(error.starts_with("REDIS_URL") && !error.contains("hunter2"), "{error}");
        }
    }
}
