//! `DATABASE_URL`: which store, and where. It may hold a password, so no sentence repeats it.

use std::{path::PathBuf, str::FromStr, sync::Arc};

use crate::{
    Result, Store,
    migration::Status,
    scylla::{self, ScyllaStore},
    sqlite::{self, SqliteStore},
};

/// Which store, and where.
#[derive(Debug, Clone)]
pub enum Database {
    /// `sqlite:PATH`: the embedded one, in this file.
    Sqlite(PathBuf),
    /// `scylla://…`: a ScyllaDB or Apache Cassandra cluster.
    Scylla(scylla::Options),
}

/// What is wrong with a URL, and what is allowed instead; without the password it may hold.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{wrong}; allowed: {allowed}")]
pub struct BadUrl {
    /// What it is or lacks: "has no keyspace".
    pub wrong: String,
    /// Of which form it may be.
    pub allowed: String,
}

impl BadUrl {
    pub(crate) fn new(wrong: impl Into<String>, allowed: impl Into<String>) -> Self {
        Self { wrong: wrong.into(), allowed: allowed.into() }
    }
}

impl FromStr for Database {
    type Err = BadUrl;

    fn from_str(url: &str) -> std::result::Result<Self, BadUrl> {
        match url.split_once(':') {
            Some(("sqlite", path)) if !path.is_empty() => Ok(Self::Sqlite(PathBuf::from(path))),
            Some(("scylla", rest)) => {
                let rest = rest.strip_prefix("//");
                let rest = rest.ok_or_else(|| BadUrl::new("is not scylla://…", Self::ALLOWED))?;
                scylla::Options::from_url(rest).map(Self::Scylla)
            }
            Some((scheme, _)) => Err(BadUrl::new(format!("is '{scheme}:…'"), Self::ALLOWED)),
            None => Err(BadUrl::new("has no scheme", Self::ALLOWED)),
        }
    }
}

impl Database {
    /// The forms of a URL.
    pub const ALLOWED: &str =
        "sqlite:PATH, scylla://[user:password@]host[:port][,host…]/keyspace[?option=value&…]";

    /// Opens the store. A file is made and migrated if need be; a cluster must have been migrated.
    pub async fn open(&self) -> Result<Arc<dyn Store>> {
        match self {
            Self::Sqlite(path) => Ok(Arc::new(SqliteStore::open(path)?)),
            Self::Scylla(options) => Ok(Arc::new(ScyllaStore::open(options).await?)),
        }
    }

    /// Brings the schema up to date; answers whether anything was applied. `report` is given a line for each step.
    pub async fn migrate(&self, report: impl Fn(&str)) -> Result<bool> {
        match self {
            Self::Sqlite(path) => {
                let all = sqlite::status(path)?;
                // Opening it is migrating it.
                SqliteStore::open(path)?.close().await;
                let open = all.iter().filter(|status| status.state.is_open());
                let applied: Vec<String> = open.map(Status::title).collect();
                for title in &applied {
                    report(&format!("migration {title}: applied"));
                }
                Ok(!applied.is_empty())
            }
            Self::Scylla(options) => Ok(!scylla::migrate::migrate(options, report).await?.is_empty()),
        }
    }

    /// Every migration and its state. Changes nothing.
    pub async fn status(&self) -> Result<Vec<Status>> {
        match self {
            Self::Sqlite(path) => sqlite::status(path),
            Self::Scylla(options) => scylla::migrate::status(options).await,
        }
    }
}
