//! The files of a backup, for their owner alone: they hold what people wrote.

use std::{
    fs,
    os::unix::fs::OpenOptionsExt,
    path::{Path, PathBuf},
};

use anyhow::Context;

/// Called in a backup as in a data folder.
pub use crate::dev::{DATABASE, JWT_SECRET};

/// Of the bucket: event ids are made with it.
pub const EVENT_KEY: &str = "event.key";

pub fn beside(path: &Path, ending: &str) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(".");
    name.push(ending);
    PathBuf::from(name)
}

pub fn create(path: &Path) -> anyhow::Result<tokio::fs::File> {
    let file = fs::OpenOptions::new().write(true).create_new(true).mode(0o600).open(path);
    Ok(tokio::fs::File::from_std(file.with_context(|| path.display().to_string())?))
}

pub fn write(path: &Path, bytes: &[u8]) -> anyhow::Result<()> {
    let mut options = fs::OpenOptions::new();
    let mut file = options.write(true).create_new(true).mode(0o600).open(path)?;
    std::io::Write::write_all(&mut file, bytes)?;
    Ok(())
}

/// What has been written is on the disk.
pub fn sync(path: &Path) -> anyhow::Result<()> {
    fs::File::open(path).and_then(|file| file.sync_all()).with_context(|| path.display().to_string())
}

#[expect(clippy::print_stdout, reason = "what was saved and restored is the command's answer")]
pub fn print(line: &str) {
    println!("{line}");
}
