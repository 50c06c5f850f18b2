//! A file system of a few MiB, to be filled: what a full disk does is only seen on one.

use std::{
    fs,
    io::{self, Write},
    path::{Path, PathBuf},
    process::Command,
};

use tempfile::TempDir;

/// A tmpfs, unmounted when it is dropped. Limits of file sizes were the alternative without a mount, but they count by
/// process: the server that is restarted would be without one, and they fail with another error than a full disk.
pub struct SmallDisk {
    folder: TempDir,
}

impl SmallDisk {
    /// # Panics
    /// Where nothing may be mounted, with the way out.
    pub fn mount(mebibytes: u32) -> Self {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let options = format!("size={mebibytes}m,mode=0700");
        let mut command = Command::new("mount");
        command.args(["-t", "tmpfs", "-o", &options, "natter-test"]).arg(folder.path());
        let output =
            command.output().expect("this test fills a small file system and needs the command `mount`");
        assert!(
            output.status.success(),
            "this test fills a small file system and may not mount one here ({}); run it as root, or under `unshare \
             --user --map-root-user --mount`",
            String::from_utf8_lossy(&output.stderr).trim()
        );
        Self { folder }
    }

    /// Where it is mounted.
    pub fn path(&self) -> &Path {
        self.folder.path()
    }

    /// Takes all room but about so many bytes.
    pub fn fill(&self, leaving: u64) {
        let mut file =
            fs::File::options().create(true).append(true).open(self.ballast()).expect("the ballast");
        let step = vec![0x5A; 4096];
        while self.free() > leaving {
            match file.write_all(&step) {
                Ok(()) => {}
                Err(error) if error.kind() == io::ErrorKind::StorageFull => return,
                Err(error) => panic!("the ballast cannot be written: {error}"),
            }
        }
    }

    /// Gives back what [`Self::fill`] took.
    pub fn make_room(&self) {
        fs::remove_file(self.ballast()).expect("the ballast is there");
    }

    fn free(&self) -> u64 {
        let found = nix::sys::statvfs::statvfs(self.path()).expect("the file system is there");
        found.blocks_available() * found.fragment_size()
    }

    fn ballast(&self) -> PathBuf {
        self.path().join("ballast")
    }
}

impl Drop for SmallDisk {
    fn drop(&mut self) {
        // Lazily: a server that dies a moment later must not keep the mount.
        let _ = Command::new("umount").arg("--lazy").arg(self.path()).status();
    }
}
