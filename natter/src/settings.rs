//! Environment and flags become settings; a flag wins.

use std::{cell::RefCell, env::VarError};

use anyhow::{Context, bail};
use natter_runtime::config::{BadSetting, Settings, Strictness, meant_by};
use natter_store::{BadUrl, Database};
use secrecy::ExposeSecret;
use tracing::warn;

/// A flag as the setting it stands for.
pub type Flag = (&'static str, Option<String>);

pub fn read(flags: &[Flag], strictness: Strictness) -> anyhow::Result<Settings> {
    let not_text = RefCell::new(None);
    let source = |name: &str| {
        let flag = flags.iter().find(|(flag, _)| *flag == name).and_then(|(_, value)| value.clone());
        flag.or_else(|| match std::env::var(name) {
            Ok(value) => Some(value),
            Err(VarError::NotPresent) => None,
            Err(VarError::NotUnicode(_)) => {
                not_text.borrow_mut().get_or_insert(name.to_owned());
                None
            }
        })
    };
    let settings = Settings::read(&source, strictness);
    // Taken for absent, it would be replaced by a default in silence.
    if let Some(name) = not_text.into_inner() {
        bail!("{name} is not text; allowed: UTF-8");
    }
    let settings = settings?;
    database(&settings)?;
    Ok(settings)
}

/// The store that `DATABASE_URL` names.
pub fn database(settings: &Settings) -> Result<Option<Database>, BadSetting> {
    let url = settings.database_url.as_ref().map(|url| url.expose_secret().parse());
    url.transpose().map_err(|BadUrl { wrong, allowed }| BadSetting { name: "DATABASE_URL", wrong, allowed })
}

/// The store of a command that cannot work without one.
pub fn need_database(settings: &Settings) -> anyhow::Result<Database> {
    database(settings)?.with_context(|| format!("DATABASE_URL is missing; allowed: {}", Database::ALLOWED))
}

/// A misspelled name would be replaced by a default in silence.
pub fn warn_of_misspelled() {
    for (name, _) in std::env::vars_os() {
        if let Some((name, setting)) = name.to_str().and_then(|name| Some((name, meant_by(name)?))) {
            warn!("{name} is not a setting, and is ignored; did you mean {setting}?");
        }
    }
}
