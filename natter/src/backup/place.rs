//! The deployment that is saved or restored: the one of the settings, or that of a data folder.

use std::path::{Path, PathBuf};

use natter_nats::{
    connect::Address,
    server::{self, Server},
};
use natter_runtime::config::Strictness;

use crate::{
    bootstrap::Backends,
    dev::{self, Folder},
    settings,
};

pub struct Place {
    pub backends: Backends,
    pub data_dir: Option<PathBuf>,
    /// Started here, in a folder that no other natter uses, which stays so.
    started: Option<(Server, Folder)>,
}

impl Place {
    /// One that exists. A data folder's server is used when it is running, else it is started.
    pub async fn running(data_dir: Option<&Path>) -> anyhow::Result<Self> {
        let Some(data_dir) = data_dir else {
            return Ok(Self {
                backends: Backends::read(&[], Strictness::Tokenless)?,
                data_dir: None,
                started: None,
            });
        };
        anyhow::ensure!(
            data_dir.join("nats").is_dir(),
            "{} is no data folder of natter dev",
            data_dir.display()
        );
        if let Some(url) = server::running(&data_dir.join("nats")) {
            let backends = backends(data_dir, url)?;
            return Ok(Self { backends, data_dir: Some(data_dir.to_owned()), started: None });
        }
        Self::started(data_dir).await
    }

    /// A data folder whose server is started here.
    pub async fn started(data_dir: &Path) -> anyhow::Result<Self> {
        let folder = Folder::open(data_dir)?;
        let nats = dev::start_nats(&dev_settings(data_dir)?, &folder).await?;
        let backends = backends(data_dir, nats.url().to_owned())?;
        Ok(Self { backends, data_dir: Some(data_dir.to_owned()), started: Some((nats, folder)) })
    }

    pub async fn leave(self) {
        if let Some((nats, _folder)) = self.started {
            nats.stop().await;
        }
    }
}

fn backends(data_dir: &Path, url: String) -> anyhow::Result<Backends> {
    Ok(Backends { settings: dev_settings(data_dir)?, nats: Address::new(url) })
}

fn dev_settings(data_dir: &Path) -> anyhow::Result<natter_runtime::config::Settings> {
    let database = format!("sqlite:{}", data_dir.join(super::files::DATABASE).display());
    settings::read(&[("DATABASE_URL", Some(database))], Strictness::Dev)
}
