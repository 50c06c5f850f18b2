//! What a backup holds: the file that is written last, and by which all others are checked.

use std::{collections::BTreeMap, fmt, fs, io, path::Path};

use anyhow::{Context, bail, ensure};
use natter_schemas::{event::Timestamp, id::Seq};
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::files::{sync, write};

const FILE: &str = "manifest.json";
/// Of this program's backups; it reads no other.
const FORMAT: u32 = 1;

#[derive(Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Manifest {
    format: u32,
    /// Of the program that made it.
    version: String,
    /// When it was begun: what was acked before is in it.
    created_at: String,
    pub partitions: u16,
    /// The highest seq in the copy of the store, by partition; empty without a copy.
    pub stored: Vec<Seq>,
    pub streams: Vec<SavedStream>,
    /// By name.
    files: BTreeMap<String, SavedFile>,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SavedStream {
    pub file: String,
    /// Config and state, for the server.
    pub described: Value,
}

#[derive(Serialize, Deserialize, PartialEq, Eq)]
#[serde(deny_unknown_fields)]
struct SavedFile {
    bytes: u64,
    blake3: String,
}

impl SavedStream {
    pub fn name(&self) -> &str {
        self.described["config"]["name"].as_str().unwrap_or_default()
    }
}

impl Manifest {
    pub fn new(created_at: Timestamp, partitions: u16) -> Self {
        Self {
            format: FORMAT,
            version: env!("CARGO_PKG_VERSION").to_owned(),
            created_at: created_at.to_string(),
            partitions,
            stored: Vec::new(),
            streams: Vec::new(),
            files: BTreeMap::new(),
        }
    }

    /// A file that is written.
    pub fn add(&mut self, folder: &Path, name: &str) -> anyhow::Result<()> {
        let path = folder.join(name);
        sync(&path)?;
        self.files.insert(name.to_owned(), SavedFile::of(&path)?);
        Ok(())
    }

    pub fn write(&self, folder: &Path) -> anyhow::Result<()> {
        let path = folder.join(FILE);
        write(&path, format!("{}\n", serde_json::to_string_pretty(self)?).as_bytes())?;
        sync(&path)?;
        sync(folder)
    }

    /// Of a backup whose files are as they were written.
    pub fn read(folder: &Path) -> anyhow::Result<Self> {
        let path = folder.join(FILE);
        let named = || format!("{} is no backup of this version", path.display());
        let text = fs::read_to_string(&path).with_context(named)?;
        let format: Value = serde_json::from_str(&text).with_context(named)?;
        ensure!(
            format["format"] == FORMAT,
            "{}: format {} is not {FORMAT}",
            path.display(),
            format["format"]
        );
        let manifest: Self = serde_json::from_str(&text).with_context(named)?;
        for (name, saved) in &manifest.files {
            // Names are files of the folder, whatever is written there.
            ensure!(!name.contains('/'), "{}: a file is called {name}", path.display());
            let found = SavedFile::of(&folder.join(name))?;
            if found != *saved {
                bail!("{name} is damaged: it has {} bytes and another digest than was written", found.bytes);
            }
        }
        for SavedStream { file, .. } in &manifest.streams {
            ensure!(manifest.has(file), "{}: {file} has no digest", path.display());
        }
        Ok(manifest)
    }

    pub fn has(&self, name: &str) -> bool {
        self.files.contains_key(name)
    }
}

impl SavedFile {
    fn of(path: &Path) -> anyhow::Result<Self> {
        let mut hasher = blake3::Hasher::new();
        let mut file = fs::File::open(path).with_context(|| path.display().to_string())?;
        let bytes = io::copy(&mut file, &mut hasher).with_context(|| path.display().to_string())?;
        Ok(Self { bytes, blake3: hasher.finalize().to_hex().to_string() })
    }
}

/// In one line.
impl fmt::Display for Manifest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let messages = |stream: &SavedStream| stream.described["state"]["messages"].as_u64().unwrap_or(0);
        let logs = self.streams.iter().filter(|stream| stream.name().starts_with("CONV_"));
        let bytes: u64 = self.files.values().map(|file| file.bytes).sum();
        write!(
            f,
            "of {}, {} files, {bytes} bytes; {} events in the logs of {} partitions, {}",
            self.created_at,
            self.files.len(),
            logs.map(messages).sum::<u64>(),
            self.partitions,
            if self.stored.is_empty() { "without the store" } else { "with the store" }
        )
    }
}
