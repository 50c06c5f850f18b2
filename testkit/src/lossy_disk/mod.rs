//! A disk that forgets what was not synced: a file system in memory (FUSE) whose power can be cut, and that can be full.

mod content; // what is in a file
mod image; // folders and files
#[cfg(target_os = "linux")]
mod calls; // the file system's calls
#[cfg(not(target_os = "linux"))]
#[path = "elsewhere.rs"]
mod calls;

use std::{
    io::Write as _,
    os::unix::process::CommandExt as _,
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    sync::Arc,
};

use parking_lot::Mutex;

use calls::{Session, mount};
use image::Image;
pub use image::Survives;

/// Takes away what a killed process leaves: a mount that answers nothing.
const REMOVE: &str = r#"read -r _; umount -l "$1" 2>/dev/null; rmdir "$1" 2>/dev/null"#;

pub struct LossyDisk {
    image: Arc<Mutex<Image>>,
    /// `None` while the power is gone.
    session: Option<Session>,
    folder: PathBuf,
    remover: Child,
}

impl LossyDisk {
    /// # Panics
    /// Where nothing may be mounted, with the way out.
    #[expect(clippy::new_without_default, reason = "it mounts a file system")]
    pub fn new() -> Self {
        let made = tempfile::Builder::new().prefix("natter-disk-").tempdir();
        let folder = made.expect("a temporary folder can be made").keep();
        let mut shell = Command::new("sh");
        shell.args(["-c", REMOVE, "sh"]).arg(&folder).process_group(0);
        let remover = shell.stdin(Stdio::piped()).stdout(Stdio::null()).stderr(Stdio::null()).spawn();
        let image = Arc::default();
        let session = Some(mount(&image, &folder));
        Self { image, session, folder, remover: remover.expect("there is a shell") }
    }

    pub fn path(&self) -> &Path {
        &self.folder
    }

    /// What was not synced is lost, or most of it. Whoever has files here open must have been killed before.
    pub fn cut_power(&mut self, survives: Survives) {
        // Pages that processes had mapped are written when they are unmapped: no fsync, and lost with the others.
        self.unmount();
        self.image.lock().cut_power(survives);
        self.session = Some(mount(&self.image, &self.folder));
    }

    /// What was written so far is lost no more.
    pub fn sync(&self) {
        self.image.lock().sync_all();
    }

    /// Whether files may grow.
    pub fn set_full(&self, full: bool) {
        self.image.lock().full = full;
    }

    fn unmount(&mut self) {
        let Some(session) = self.session.take() else { return };
        session.join();
    }
}

impl Drop for LossyDisk {
    fn drop(&mut self) {
        // Lazily: a process that ends a moment later must not keep it.
        if let Some(mut input) = self.remover.stdin.take() {
            let _ = input.write_all(b"\n");
        }
        let _ = self.remover.wait();
        drop(self.session.take());
    }
}

#[cfg(test)]
mod tests {
    use std::fs::{self, File};

    use super::*;

    #[test]
    fn a_file_is_after_a_power_cut_as_it_was_at_its_fsync() {
        let mut disk = LossyDisk::new();
        let path = disk.path().join("folder").join("file");
        fs::create_dir(disk.path().join("folder")).unwrap();
        let mut file = File::create(&path).unwrap();
        file.write_all(b"kept").unwrap();
        file.sync_all().unwrap();
        file.write_all(b", lost").unwrap();
        fs::write(disk.path().join("new"), b"lost").unwrap();
        assert_eq!(fs::read(&path).unwrap(), b"kept, lost");
        drop(file);
        disk.cut_power(Survives::Nothing);
        assert_eq!(fs::read(&path).unwrap(), b"kept");
        assert!(!disk.path().join("new").exists());
        fs::write(disk.path().join("new"), b"written").unwrap();
        disk.sync();
        disk.cut_power(Survives::Nothing);
        assert_eq!(fs::read(disk.path().join("new")).unwrap(), b"written");
        disk.set_full(true);
        let refused = fs::write(disk.path().join("newer"), b"no room").unwrap_err();
        assert_eq!(refused.kind(), std::io::ErrorKind::StorageFull);
    }
}
