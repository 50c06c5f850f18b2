//! `OIDC_…`, `PASSWORD_LOGIN`, `PUBLIC_URL`: how people log in, and where they reach this deployment.

use std::path::PathBuf;

use secrecy::SecretString;

use super::{
    BadSetting, Source, bad,
    mail::{self, Mail},
    secret, text,
};

/// How people log in.
#[derive(Debug, Clone)]
pub struct LogIns {
    /// Without them accounts are made by the provider alone.
    pub passwords: bool,
    pub provider: Option<Provider>,
    /// Where browsers reach this deployment, `https://chat.example.org`; `None`: not set.
    pub public_url: Option<String>,
    /// `None`: users get no mail.
    pub mail: Option<Mail>,
}

/// An OpenID Connect provider, and this deployment as its client.
#[derive(Debug, Clone)]
pub struct Provider {
    /// As its tokens name it.
    pub issuer: String,
    pub client_id: String,
    /// `None`: a public client.
    pub client_secret: Option<SecretString>,
    /// `openid` among them.
    pub scopes: String,
    /// For people.
    pub name: String,
    /// Certificates (PEM) that sign its own; those of the system by default.
    pub ca: Option<PathBuf>,
}

/// `dev`: where it listens is known later, and is where browsers are.
pub fn read(source: &Source<'_>, dev: bool) -> Result<LogIns, BadSetting> {
    let log_ins = LogIns {
        passwords: passwords(source)?,
        provider: provider(source)?,
        public_url: public_url(source)?,
        mail: mail::read(source)?,
    };
    if !log_ins.passwords && log_ins.provider.is_none() {
        let allowed = "false beside OIDC_ISSUER: otherwise no one could log in";
        return Err(bad("PASSWORD_LOGIN", "false", allowed));
    }
    let needed = log_ins.provider.is_some() || log_ins.mail.is_some();
    if needed && log_ins.public_url.is_none() && !dev {
        return Err(missing("PUBLIC_URL", PUBLIC_URLS));
    }
    Ok(log_ins)
}

const ISSUERS: &str =
    "https://host, with or without a path; http://… of this host alone (localhost, 127.0.0.1, [::1])";
const PUBLIC_URLS: &str = "https://chat.example.org, or http://…, without a path";

pub fn missing(name: &'static str, allowed: &str) -> BadSetting {
    BadSetting { name, wrong: "is missing".to_owned(), allowed: allowed.to_owned() }
}

fn passwords(source: &Source<'_>) -> Result<bool, BadSetting> {
    match text(source, "PASSWORD_LOGIN").as_deref() {
        None | Some("true") => Ok(true),
        Some("false") => Ok(false),
        Some(other) => Err(bad("PASSWORD_LOGIN", other, "true, false")),
    }
}

fn public_url(source: &Source<'_>) -> Result<Option<String>, BadSetting> {
    let Some(given) = text(source, "PUBLIC_URL") else { return Ok(None) };
    let url = given.strip_suffix('/').unwrap_or(&given);
    let host = url.strip_prefix("https://").or_else(|| url.strip_prefix("http://"));
    match host {
        Some(host) if is_authority(host) => Ok(Some(url.to_owned())),
        _ => Err(bad("PUBLIC_URL", &given, PUBLIC_URLS)),
    }
}

fn provider(source: &Source<'_>) -> Result<Option<Provider>, BadSetting> {
    let Some(issuer) = text(source, "OIDC_ISSUER") else { return Ok(None) };
    if !is_issuer(&issuer) {
        // It may have a password in it.
        return Err(bad("OIDC_ISSUER", "of another form", ISSUERS));
    }
    let client_id = text(source, "OIDC_CLIENT_ID")
        .ok_or_else(|| missing("OIDC_CLIENT_ID", "the id that the provider has given to this deployment"))?;
    let scopes = text(source, "OIDC_SCOPES").unwrap_or_else(|| "openid profile email".to_owned());
    let is_scope =
        |scope: &str| scope.bytes().all(|byte| byte.is_ascii_graphic() && !b"\"\\".contains(&byte));
    if !scopes.split(' ').any(|scope| scope == "openid") || !scopes.split(' ').all(is_scope) {
        return Err(bad("OIDC_SCOPES", &scopes, "scopes with a space between them, openid among them"));
    }
    let client_secret = secret(source, "OIDC_CLIENT_SECRET", "OIDC_CLIENT_SECRET_FILE")?;
    let name = text(source, "OIDC_NAME").unwrap_or_else(|| host(&issuer).to_owned());
    if name.chars().count() > 40 || name.chars().any(char::is_control) {
        return Err(bad("OIDC_NAME", &name, "1 to 40 characters"));
    }
    let ca = text(source, "OIDC_CA").map(PathBuf::from);
    Ok(Some(Provider { issuer, client_id, client_secret, scopes, name, ca }))
}

/// Whether requests to it are safe from who is on the way: only on this host they need no TLS.
fn is_issuer(issuer: &str) -> bool {
    let plain = issuer.strip_prefix("http://");
    let Some(rest) = plain.or_else(|| issuer.strip_prefix("https://")) else { return false };
    let authority = rest.split('/').next().unwrap_or_default();
    let whole = !rest.contains(['?', '#', ' ', '\\']) && is_authority(authority);
    whole && (plain.is_none() || is_this_host(authority))
}

/// Whether a host, with or without a port, is the one that this runs on.
pub fn is_this_host(authority: &str) -> bool {
    let host = match authority.rsplit_once(':') {
        Some((host, port)) if port.bytes().all(|byte| byte.is_ascii_digit()) => host,
        _ => authority,
    };
    matches!(host, "localhost" | "127.0.0.1" | "[::1]")
}

/// `host` or `host:port`, and nothing else.
fn is_authority(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || b".-:[]".contains(&byte))
}

fn host(issuer: &str) -> &str {
    let rest = issuer.split_once("://").map_or(issuer, |(_, rest)| rest);
    rest.split('/').next().unwrap_or(rest)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(pairs: &[(&str, &str)]) -> Result<LogIns, BadSetting> {
        of_role(pairs, false)
    }

    fn of_role(pairs: &[(&str, &str)], dev: bool) -> Result<LogIns, BadSetting> {
        read(&|name| pairs.iter().find(|(key, _)| *key == name).map(|(_, value)| (*value).to_owned()), dev)
    }

    const CLIENT: (&str, &str) = ("OIDC_CLIENT_ID", "natter");
    const PUBLIC: (&str, &str) = ("PUBLIC_URL", "https://chat.example/");

    #[test]
    fn a_provider_needs_an_issuer_and_a_client_id() {
        let nothing = of(&[CLIENT]).expect("nothing is needed");
        assert!(nothing.passwords && nothing.provider.is_none());
        let set = of(&[("OIDC_ISSUER", "https://id.example/realms/a"), CLIENT, PUBLIC]).expect("enough");
        assert_eq!(set.public_url.as_deref(), Some("https://chat.example"));
        let provider = set.provider.expect("a provider");
        assert_eq!(
            (provider.name.as_str(), provider.scopes.as_str()),
            ("id.example", "openid profile email")
        );
        assert!(provider.client_secret.is_none());
        let secret =
            [("OIDC_ISSUER", "http://127.0.0.1:8080"), CLIENT, PUBLIC, ("OIDC_CLIENT_SECRET", "hunter2")];
        assert!(!format!("{:?}", of(&secret).expect("on this host")).contains("hunter2"));
        assert!(of_role(&secret[..2], true).expect("known later in dev").public_url.is_none());
    }

    #[test]
    fn what_would_not_be_safe_or_let_no_one_in_is_refused() {
        let id = ("OIDC_ISSUER", "https://id.example");
        for (name, wrong) in [
            ("OIDC_ISSUER", vec![("OIDC_ISSUER", "http://id.example"), CLIENT, PUBLIC]),
            ("OIDC_ISSUER", vec![("OIDC_ISSUER", "http://localhost.example"), CLIENT, PUBLIC]),
            ("OIDC_ISSUER", vec![("OIDC_ISSUER", "http://127.0.0.1@id.example"), CLIENT, PUBLIC]),
            ("OIDC_ISSUER", vec![("OIDC_ISSUER", "https://a:hunter2@id.example"), CLIENT, PUBLIC]),
            ("OIDC_ISSUER", vec![("OIDC_ISSUER", "https://id.example?a=b"), CLIENT, PUBLIC]),
            ("OIDC_ISSUER", vec![("OIDC_ISSUER", "id.example"), CLIENT, PUBLIC]),
            ("OIDC_CLIENT_ID", vec![id, PUBLIC]),
            ("OIDC_SCOPES", vec![id, CLIENT, PUBLIC, ("OIDC_SCOPES", "profile email")]),
            (
                "OIDC_NAME",
                vec![id, CLIENT, PUBLIC, ("OIDC_NAME", "a name that is longer than what a button has")],
            ),
            ("PUBLIC_URL", vec![id, CLIENT]),
            ("PUBLIC_URL", vec![("PUBLIC_URL", "chat.example")]),
            ("PUBLIC_URL", vec![("PUBLIC_URL", "https://chat.example/path")]),
            ("PASSWORD_LOGIN", vec![("PASSWORD_LOGIN", "no")]),
            ("PASSWORD_LOGIN", vec![("PASSWORD_LOGIN", "false")]),
        ] {
            let error = of(&wrong).expect_err(name).to_string();
            assert!(error.starts_with(name) && error.contains("allowed: "), "{error}");
            assert!(!error.contains("hunter2"), "{error}");
        }
        assert!(!of(&[id, CLIENT, PUBLIC, ("PASSWORD_LOGIN", "false")]).expect("allowed").passwords);
    }
}
