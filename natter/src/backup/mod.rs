//! `natter backup`: the store and the log of a running deployment, saved to a folder that says what it holds.

mod manifest; // what a backup holds
mod place; // the deployment that is saved or restored
mod restore; // the way back

use std::{
    fs,
    os::unix::fs::{DirBuilderExt, OpenOptionsExt},
    path::{Path, PathBuf},
    process::ExitCode,
};

use anyhow::{Context, ensure};
use natter_nats::{apply, async_nats::jetstream, connect::Purpose, snapshot};
use natter_schemas::{event::Timestamp, id::Partition};
use natter_store::{Database, sqlite};
use tokio::{fs::File, io::BufWriter};

use crate::{bootstrap, cli::backup::BackupArgs, settings};
use manifest::{Manifest, SavedStream};
use place::Place;
pub use restore::run as restore;

/// Of the store.
const DATABASE: &str = "natter.db";
/// Of the bucket: event ids are made with it.
const EVENT_KEY: &str = "event.key";
const JWT_SECRET: &str = "jwt.secret";

pub async fn run(args: &BackupArgs) -> anyhow::Result<ExitCode> {
    ensure!(!args.folder.exists(), "{} is there already", args.folder.display());
    let place = Place::running(args.data_dir.as_deref()).await?;
    let partial = beside(&args.folder, "partial");
    fs::DirBuilder::new().mode(0o700).create(&partial).with_context(|| {
        format!("{} cannot be made; remove what an interrupted backup left", partial.display())
    })?;
    let saved = save(&place, &partial, args.with_secrets).await;
    place.leave().await;
    let manifest = saved?;
    manifest.write(&partial)?;
    // Under its name it is whole.
    fs::rename(&partial, &args.folder)?;
    sync(args.folder.parent().filter(|parent| !parent.as_os_str().is_empty()).unwrap_or(Path::new(".")))?;
    print(&format!("{}: {manifest}", args.folder.display()));
    Ok(ExitCode::SUCCESS)
}

async fn save(place: &Place, folder: &Path, with_secrets: bool) -> anyhow::Result<Manifest> {
    let client = place.backends.client(Purpose::Provision).await?;
    let topology = place.backends.topology();
    let deployment = apply::check(&jetstream::new(client.clone()), &topology).await?;
    let mut manifest = Manifest::new(Timestamp::now(), deployment.partitions);

    // Before the log: a log without an event of the store would give its seq to another one.
    if let Database::Sqlite(path) = settings::need_database(&place.backends.settings)? {
        let to = folder.join(DATABASE);
        tokio::task::spawn_blocking(move || sqlite::copy(&path, &to)).await??;
        manifest.add(folder, DATABASE)?;
        let copied = Database::Sqlite(folder.join(DATABASE)).open().await?;
        for partition in Partition::all(deployment.partitions) {
            manifest.stored.push(copied.highest(partition).await?);
        }
        bootstrap::close_store(&*copied).await;
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
    if let (true, Some(data)) = (with_secrets, &place.data_dir) {
        let secret = fs::read(data.join(JWT_SECRET)).context("the data folder has no jwt.secret")?;
        write(&folder.join(JWT_SECRET), &secret)?;
        manifest.add(folder, JWT_SECRET)?;
    }
    Ok(manifest)
}

fn beside(path: &Path, ending: &str) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(".");
    name.push(ending);
    PathBuf::from(name)
}

/// For its owner alone: it holds what people wrote.
fn create(path: &Path) -> anyhow::Result<File> {
    let file = fs::OpenOptions::new().write(true).create_new(true).mode(0o600).open(path);
    Ok(File::from_std(file.with_context(|| path.display().to_string())?))
}

fn write(path: &Path, bytes: &[u8]) -> anyhow::Result<()> {
    let mut options = fs::OpenOptions::new();
    let mut file = options.write(true).create_new(true).mode(0o600).open(path)?;
    std::io::Write::write_all(&mut file, bytes)?;
    Ok(())
}

/// What has been written is on the disk.
fn sync(path: &Path) -> anyhow::Result<()> {
    fs::File::open(path).and_then(|file| file.sync_all()).with_context(|| path.display().to_string())
}

#[expect(clippy::print_stdout, reason = "what was saved and restored is the command's answer")]
fn print(line: &str) {
    println!("{line}");
}
