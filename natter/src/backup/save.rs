//! `natter backup`: the store and the log of a running deployment, saved to a folder that says what it holds.

use std::{fs, os::unix::fs::DirBuilderExt, path::Path, process::ExitCode};

use anyhow::{Context, ensure};
use natter_nats::{apply, async_nats::jetstream, connect::Purpose, snapshot};
use natter_schemas::{event::Timestamp, id::Partition};
use natter_store::{Database, sqlite};
use tokio::io::BufWriter;

use super::{
    files::{DATABASE, EVENT_KEY, JWT_SECRET, beside, create, print, sync, write},
    manifest::{Manifest, SavedStream},
    place::Place,
};
use crate::{bootstrap, cli::backup::BackupArgs, settings};

pub async fn run(args: &BackupArgs) -> anyhow::Result<ExitCode> {
    ensure!(!args.folder.exists(), "{} is there already", args.folder.display());
    let place = Place::running(args.data_dir.as_deref()).await?;
    let partial = beside(&args.folder, "partial");
    make(&partial)?;
    let saved = save(&place, &partial, args.with_keys).await;
    place.leave().await;
    let manifest = saved?;
    manifest.write(&partial)?;
    // Under its name it is whole.
    fs::rename(&partial, &args.folder)?;
    sync(args.folder.parent().filter(|parent| !parent.as_os_str().is_empty()).unwrap_or(Path::new(".")))?;
    print(&format!("{}: {manifest}", args.folder.display()));
    Ok(ExitCode::SUCCESS)
}

/// A folder for its owner alone; those that it is in are made if they are missing.
fn make(partial: &Path) -> anyhow::Result<()> {
    let (shown, mut folder) = (partial.display(), fs::DirBuilder::new());
    folder.mode(0o700);
    ensure!(!partial.exists(), "{shown} is there: remove what an interrupted backup left");
    let parent = partial.parent().unwrap_or(Path::new(""));
    let made = folder.recursive(true).create(parent).and_then(|()| folder.recursive(false).create(partial));
    made.with_context(|| format!("{shown} cannot be made"))
}

async fn save(place: &Place, folder: &Path, with_keys: bool) -> anyhow::Result<Manifest> {
    let client = place.backends.client(Purpose::Provision).await?;
    let topology = place.backends.topology();
    let deployment = apply::check(&jetstream::new(client.clone()), &topology).await?;
    let mut manifest = Manifest::new(Timestamp::now(), deployment.partitions);

    // Before the log: a log without an event of the store would give its seq to another one.
    if let Database::Sqlite(path) = settings::need_database(&place.backends.settings)? {
        let to = folder.join(DATABASE);
        tokio::task::spawn_blocking(move || sqlite::copy(&path, &to, with_keys)).await??;
        let copied = Database::Sqlite(folder.join(DATABASE)).open().await?;
        for partition in Partition::all(deployment.partitions) {
            manifest.stored.push(copied.highest(partition).await?);
        }
        bootstrap::close_store(&*copied).await;
        manifest.add(folder, DATABASE)?;
    }
    for name in topology.content_streams() {
        let file = format!("{name}.snapshot");
        let described = snapshot::save(&client, &name, BufWriter::new(create(&folder.join(&file))?))
            .await
            .with_context(|| format!("stream {name} cannot be saved"))?;
        manifest.add(folder, &file)?;
        manifest.streams.push(SavedStream { file, described });
    }
    write(&folder.join(EVENT_KEY), &deployment.event_key.0)?;
    manifest.add(folder, EVENT_KEY)?;
    // A folder that was always used with JWT_SECRET has none.
    let secret =
        place.data_dir.as_ref().map(|data| data.join(JWT_SECRET)).filter(|path| with_keys && path.exists());
    if let Some(secret) = secret {
        let secret = fs::read(secret)?;
        write(&folder.join(JWT_SECRET), &secret)?;
        manifest.add(folder, JWT_SECRET)?;
    }
    Ok(manifest)
}
