//! Children that never outlive the test process, however it ends: each is watched by a shell that reads from
//! its parent, and kills when there is nobody left to read from.

use std::{
    fs::File,
    io::{BufRead, BufReader},
    os::unix::process::CommandExt,
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
};

/// Says the pid, which stays taken until the shell ends.
const WATCH: &str = r#""$@" >/dev/null & echo $!; read -r _; kill -9 $! 2>/dev/null; wait"#;
const CLEAN: &str = r#"read -r _; until rm -rf -- "$1" 2>/dev/null; do sleep 0.1; done"#;

pub struct Process {
    watch: Watch,
    pid: u32,
}

impl Process {
    /// What it says on stderr is added to the file.
    pub fn start(command: &Command, log: &Path) -> Self {
        let log = File::options().create(true).append(true).open(log).unwrap();
        let mut shell = Command::new("sh");
        shell.args(["-c", WATCH, "sh"]).arg(command.get_program()).args(command.get_args());
        shell.env_clear().envs(command.get_envs().filter_map(|(name, value)| Some((name, value?))));
        if let Some(path) = std::env::var_os("PATH") {
            shell.env("PATH", path);
        }
        // A Ctrl-C is the test's business, and through it the children's.
        shell.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(log).process_group(0);
        let mut child = shell.spawn().unwrap();
        let mut line = String::new();
        BufReader::new(child.stdout.take().unwrap()).read_line(&mut line).unwrap();
        Self { watch: Watch(child), pid: line.trim().parse().unwrap() }
    }

    /// kill -9, and it is gone.
    pub fn kill9(self) {
        drop(self.watch);
    }

    pub fn pid(&self) -> u32 {
        self.pid
    }
}

/// A shell that acts when it can read no more.
struct Watch(Child);

impl Drop for Watch {
    fn drop(&mut self) {
        drop(self.0.stdin.take());
        let _ = self.0.wait();
    }
}

/// A folder that is removed when the test process ends, or before.
pub struct Home {
    pub path: PathBuf,
    _cleaner: Watch,
}

impl Home {
    pub fn new() -> Self {
        let path = tempfile::tempdir().unwrap().keep();
        let mut shell = Command::new("sh");
        shell.args(["-c", CLEAN, "sh"]).arg(&path).process_group(0).stdin(Stdio::piped());
        Self { path, _cleaner: Watch(shell.spawn().unwrap()) }
    }

    pub fn file(&self, name: &str) -> PathBuf {
        self.path.join(name)
    }
}
