//! The deployment of a data folder, for commands that work on it beside `natter dev`.

use std::path::Path;

use anyhow::{Context, ensure};
use natter_nats::{connect::Address, server};
use natter_runtime::config::{Settings, Strictness, TokenKeys};

use super::folder::{DATABASE, JWT_SECRET, MESSAGE_KEY, kept_secret};
use crate::{bootstrap::Backends, settings};

/// That of the folder's `natter dev`, whose nats-server runs.
pub fn running(data_dir: &Path) -> anyhow::Result<Backends> {
    find(data_dir)?.with_context(|| {
        let folder = data_dir.display();
        format!("no natter dev is running on {folder}; start one with `natter dev --data-dir {folder}`")
    })
}

/// The same, or `None` if it does not run.
pub fn find(data_dir: &Path) -> anyhow::Result<Option<Backends>> {
    let nats = data_dir.join("nats");
    ensure!(nats.is_dir(), "{} is no data folder of natter dev", data_dir.display());
    server::running(&nats).map(|url| backends(data_dir, url)).transpose()
}

pub fn backends(data_dir: &Path, url: String) -> anyhow::Result<Backends> {
    Ok(Backends { settings: settings(data_dir)?, nats: Address::new(url) })
}

/// What `natter dev` runs with in this folder: its store, and the secrets that it made unless settings name others.
pub fn settings(data_dir: &Path) -> anyhow::Result<Settings> {
    let database = format!("sqlite:{}", data_dir.join(DATABASE).display());
    let mut settings = settings::read(&[("DATABASE_URL", Some(database))], Strictness::Dev)?;
    if !settings.token_keys.can_sign()
        && let Some(secret) = kept_secret(&data_dir.join(JWT_SECRET))
    {
        settings.token_keys.secrets = TokenKeys::unnamed(secret.to_vec()).secrets;
    }
    if let Some(key) = kept_secret(&data_dir.join(MESSAGE_KEY)) {
        settings.encryption = settings.encryption.or_key(key);
    }
    Ok(settings)
}
