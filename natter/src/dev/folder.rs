//! The data folder: one natter at a time, and its secrets, readable by its owner only.

use std::{
    fs::{self, File, OpenOptions, TryLockError},
    io::{Read, Write},
    os::unix::fs::{DirBuilderExt, OpenOptionsExt},
    path::{Path, PathBuf},
};

use anyhow::{Context, bail};

/// The store.
pub const DATABASE: &str = "natter.db";
/// Signs access tokens, unless a setting names another.
pub const JWT_SECRET: &str = "jwt.secret";
/// The root of keys, unless a setting names another.
pub const MESSAGE_KEY: &str = "message.key";

pub struct Folder {
    path: PathBuf,
    /// Locked while this exists; the kernel unlocks it however the process ends.
    _lock: File,
}

impl Folder {
    pub fn open(path: &Path) -> anyhow::Result<Self> {
        let named = || format!("the data folder {} cannot be used", path.display());
        fs::DirBuilder::new().recursive(true).mode(0o700).create(path).with_context(named)?;
        let path = path.canonicalize().with_context(named)?;
        let lock = lock(&path.join("natter.lock")).with_context(named)?;
        Ok(Self { path, _lock: lock })
    }

    pub fn join(&self, name: &str) -> PathBuf {
        self.path.join(name)
    }

    /// A random secret of 32 bytes, made at first use.
    pub fn secret(&self, name: &str) -> anyhow::Result<[u8; SECRET]> {
        let path = self.join(name);
        let named = || format!("the secret {} cannot be used", path.display());
        if let Some(secret) = kept_secret(&path) {
            return Ok(secret);
        }
        let mut secret = [0; SECRET];
        getrandom::fill(&mut secret).map_err(|error| anyhow::anyhow!("no randomness: {error}"))?;
        // Written whole under another name: a crash leaves either no secret or all of it.
        let fresh = path.with_extension("new");
        let mut file = OpenOptions::new()
            .write(true)
            .create(true)
            .truncate(true)
            .mode(0o600)
            .open(&fresh)
            .with_context(named)?;
        file.write_all(&secret).and_then(|()| file.sync_all()).with_context(named)?;
        fs::rename(&fresh, &path).with_context(named)?;
        Ok(secret)
    }
}

const SECRET: usize = 32;

/// A secret that was made before.
pub fn kept_secret(path: &Path) -> Option<[u8; SECRET]> {
    fs::read(path).ok()?.try_into().ok()
}

fn lock(path: &Path) -> anyhow::Result<File> {
    let mut file = OpenOptions::new().read(true).write(true).create(true).truncate(false).open(path)?;
    match file.try_lock() {
        Ok(()) => {}
        Err(TryLockError::WouldBlock) => {
            let mut owner = String::new();
            file.read_to_string(&mut owner)?;
            bail!("another natter (pid {}) is using it; stop that one or choose --data-dir", owner.trim());
        }
        Err(TryLockError::Error(error)) => return Err(error.into()),
    }
    file.set_len(0)?;
    write!(file, "{}", std::process::id())?;
    Ok(file)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_folder_serves_one_natter_and_keeps_its_secrets() {
        let folder = tempfile::tempdir().expect("a folder");
        let first = Folder::open(folder.path()).expect("opens");
        let error = Folder::open(folder.path()).map(|_| ()).expect_err("is locked");
        assert!(format!("{error:#}").contains(&format!("pid {}", std::process::id())), "{error:#}");
        let secret = first.secret("s").expect("is made");
        drop(first);
        let again = Folder::open(folder.path()).expect("is free again");
        assert_eq!(again.secret("s").expect("is read"), secret);
    }
}
