//! The deployment that is saved or restored: the one of the settings, or that of a data folder.

use std::path::{Path, PathBuf};

use natter_nats::server::Server;
use natter_runtime::config::Strictness;

use crate::{
    bootstrap::Backends,
    dev::{self, Folder},
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
        if let Some(backends) = dev::running::find(data_dir)? {
            return Ok(Self { backends, data_dir: Some(data_dir.to_owned()), started: None });
        }
        Self::started(data_dir).await
    }

    /// A data folder whose server is started here.
    pub async fn started(data_dir: &Path) -> anyhow::Result<Self> {
        let folder = Folder::open(data_dir)?;
        let nats = dev::start_nats(&dev::running::settings(data_dir)?, &folder).await?;
        let backends = dev::running::backends(data_dir, nats.url().to_owned())?;
        Ok(Self { backends, data_dir: Some(data_dir.to_owned()), started: Some((nats, folder)) })
    }

    pub async fn leave(self) {
        if let Some((nats, _folder)) = self.started {
            nats.stop().await;
        }
    }
}
