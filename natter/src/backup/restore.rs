//! `natter restore`: a backup becomes a deployment again, in a new epoch.

use std::{fs, path::Path, process::ExitCode};

use anyhow::{Context, bail, ensure};
use natter_nats::{
    apply,
    async_nats::{Client, jetstream},
    connect::Purpose,
    snapshot,
};
use natter_runtime::config::Strictness;
use natter_schemas::id::EventKey;
use natter_store::Database;
use tokio::{fs::File, io::BufReader};

use super::{
    files::{DATABASE, EVENT_KEY, JWT_SECRET, beside, print, sync, write},
    manifest::{Manifest, SavedStream},
    place::Place,
};
use crate::{
    bootstrap::{self, Backends},
    cli::backup::RestoreArgs,
    settings,
};

pub async fn run(args: &RestoreArgs) -> anyhow::Result<ExitCode> {
    let manifest = Manifest::read(&args.folder)?;
    if args.check {
        print(&format!("{}: {manifest}; every file is as it was written", args.folder.display()));
        return Ok(ExitCode::SUCCESS);
    }
    match &args.data_dir {
        None => {
            let backends = Backends::read(&[], Strictness::Tokenless)?;
            put_back(&backends, &manifest, &args.folder).await?;
        }
        Some(data_dir) => {
            ensure!(!data_dir.exists(), "{} is there already", data_dir.display());
            let partial = beside(data_dir, "partial");
            let place = Place::started(&partial).await?;
            let done = put_back(&place.backends, &manifest, &args.folder).await;
            place.leave().await;
            done?;
            if manifest.has(JWT_SECRET) && !partial.join(JWT_SECRET).exists() {
                write(&partial.join(JWT_SECRET), &fs::read(args.folder.join(JWT_SECRET))?)?;
            }
            // Under its name it is whole.
            fs::rename(&partial, data_dir)?;
        }
    }
    print(&format!("restored {}: {manifest}", args.folder.display()));
    Ok(ExitCode::SUCCESS)
}

/// In an order in which a deployment that is half restored does not start: the bucket comes last.
async fn put_back(backends: &Backends, manifest: &Manifest, folder: &Path) -> anyhow::Result<()> {
    let (wanted, had) = (backends.settings.partitions, manifest.partitions);
    ensure!(wanted == had, "the backup has {had} partitions, and PARTITIONS is {wanted}: set it to {had}");
    let database = settings::need_database(&backends.settings)?;
    let client = backends.client(Purpose::Provision).await?;
    let js = jetstream::new(client.clone());
    ensure!(!apply::is_deployed(&js).await?, "a deployment is there already");
    restore_database(&database, manifest, folder)?;
    for stream in &manifest.streams {
        let name = stream.name();
        restore_stream(&client, stream, folder)
            .await
            .with_context(|| format!("stream {name} cannot be restored"))?;
    }
    let key: [u8; 32] = fs::read(folder.join(EVENT_KEY))?.try_into().ok().context("event.key is no key")?;
    apply::adopt_event_key(&js, &backends.topology(), &EventKey(key)).await?;
    let store = database.open().await?;
    // A log that the backup has is not made again: a store beside it that has more is of a later moment.
    let provisioned = match backends.check_reach(&js, &*store).await {
        Ok(()) => backends.provision(&*store, true).await,
        Err(behind) => Err(behind),
    };
    bootstrap::close_store(&*store).await;
    provisioned.map(drop)
}

fn restore_database(database: &Database, manifest: &Manifest, folder: &Path) -> anyhow::Result<()> {
    match (database, manifest.has(DATABASE)) {
        (Database::Sqlite(path), true) => {
            if path.exists() {
                // Of a restore that was interrupted after it.
                let same = same_bytes(path, &folder.join(DATABASE))?;
                ensure!(same, "{} is there already, and is not the one of the backup", path.display());
                return Ok(());
            }
            let partial = beside(path, "partial");
            fs::copy(folder.join(DATABASE), &partial).with_context(|| partial.display().to_string())?;
            sync(&partial)?;
            fs::rename(&partial, path)?;
            Ok(())
        }
        // A cluster is restored from its own snapshot.
        (Database::Scylla(_), false) => Ok(()),
        (Database::Sqlite(_), false) => {
            bail!("the backup is of a deployment with a CQL cluster, and DATABASE_URL is a file")
        }
        (Database::Scylla(_), true) => {
            bail!("the backup has a SQLite file, and DATABASE_URL is a CQL cluster")
        }
    }
}

fn same_bytes(one: &Path, other: &Path) -> anyhow::Result<bool> {
    let digest = |path: &Path| -> anyhow::Result<_> {
        let mut hasher = blake3::Hasher::new();
        std::io::copy(&mut fs::File::open(path)?, &mut hasher)?;
        Ok(hasher.finalize())
    };
    Ok(digest(one)? == digest(other)?)
}

async fn restore_stream(client: &Client, stream: &SavedStream, folder: &Path) -> anyhow::Result<()> {
    if let Some(is_same) = snapshot::is_there(client, &stream.described).await? {
        // Of a restore that was interrupted: the server makes a stream whole or not at all.
        ensure!(is_same, "another one of its name is there");
        return Ok(());
    }
    let file = File::open(folder.join(&stream.file)).await?;
    Ok(snapshot::put_back(client, &stream.described, BufReader::new(file)).await?)
}
