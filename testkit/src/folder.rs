//! A temporary folder that goes even when the test process is killed.

use std::{
    os::unix::process::CommandExt,
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
};

/// Waits for the end of its input, which is the end of the test process or the drop of the folder. The last writes
/// of a server that was killed may come after the first attempt.
const REMOVE: &str =
    r#"read -r _; for i in 1 2 3 4 5 6 7 8 9 10; do rm -rf -- "$1" 2>/dev/null && exit; sleep 0.2; done"#;

/// Removed when it is dropped, and when this process ends in any way: values in statics are never dropped, and a
/// killed process drops nothing.
pub struct Folder {
    path: PathBuf,
    remover: Child,
}

impl Folder {
    #[expect(clippy::new_without_default, reason = "it makes a folder and starts a process")]
    pub fn new() -> Self {
        let made = tempfile::Builder::new().prefix("natter-test-").tempdir();
        let path = made.expect("a temporary folder can be made").keep();
        let mut shell = Command::new("sh");
        shell.args(["-c", REMOVE, "sh"]).arg(&path);
        shell.stdin(Stdio::piped()).stdout(Stdio::null()).stderr(Stdio::null());
        // A group of its own: Ctrl-C in a terminal ends the tests, and this afterwards.
        shell.process_group(0);
        let remover = shell.spawn().expect("there is a shell");
        Self { path, remover }
    }

    pub fn path(&self) -> &Path {
        &self.path
    }

    pub fn file(&self, name: &str) -> PathBuf {
        self.path.join(name)
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        drop(self.remover.stdin.take());
        let _ = self.remover.wait();
    }
}
