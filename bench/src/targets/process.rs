//! A server process of a target: on its core, with its log, and never outliving the bench.

use std::{
    fs::File,
    net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream},
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    time::{Duration, Instant},
};

use anyhow::{Context as _, bail};
use nix::{
    sys::signal::{Signal, kill},
    unistd::Pid,
};

use crate::schedule::sleep;

const ENDS_WITHIN: Duration = Duration::from_secs(15);
const POLL_INTERVAL: Duration = Duration::from_millis(20);
const LOG_SHOWN: usize = 2_000;

#[derive(Debug, Clone)]
pub struct Launch {
    pub program: PathBuf,
    pub args: Vec<String>,
    pub env: Vec<(&'static str, String)>,
    pub dir: Option<PathBuf>,
    pub log: PathBuf,
    /// The only core it may use.
    pub core: Option<usize>,
    /// The user it runs as: some servers refuse to run as root.
    pub user: Option<&'static str>,
    /// The signal that ends it.
    pub stop: Signal,
}

impl Launch {
    pub fn new(program: impl Into<PathBuf>, log: PathBuf) -> Self {
        let (args, env) = (Vec::new(), Vec::new());
        let program = program.into();
        Self { program, args, env, dir: None, log, core: None, user: None, stop: Signal::SIGTERM }
    }

    pub fn args(mut self, args: &[&str]) -> Self {
        self.args.extend(args.iter().map(|arg| (*arg).to_owned()));
        self
    }

    pub fn env(mut self, name: &'static str, value: impl Into<String>) -> Self {
        self.env.push((name, value.into()));
        self
    }

    pub fn core(mut self, core: Option<usize>) -> Self {
        self.core = core;
        self
    }

    /// The whole command line: on Linux `setpriv` ties the process to the bench's life and `taskset` to a core;
    /// both end as the program itself.
    fn line(&self) -> Vec<String> {
        let mut line = Vec::new();
        if cfg!(target_os = "linux") {
            line.extend(["setpriv", "--pdeathsig", self.stop.as_str()].map(str::to_owned));
            if let Some(user) = self.user.filter(|_| nix::unistd::geteuid().is_root()) {
                line.extend(["--reuid", user, "--regid", user, "--init-groups"].map(str::to_owned));
            }
            if let Some(core) = self.core {
                line.extend(["taskset", "-c", &core.to_string()].map(str::to_owned));
            }
        }
        line.push(self.program.display().to_string());
        line.extend(self.args.iter().cloned());
        line
    }

    fn command(&self) -> anyhow::Result<Command> {
        let line = self.line();
        let (program, args) = line.split_first().context("a command line has a program")?;
        let log = File::options().create(true).append(true).open(&self.log);
        let log = log.with_context(|| format!("opening {}", self.log.display()))?;
        let mut command = Command::new(program);
        command.args(args).envs(self.env.iter().map(|(name, value)| (name, value)));
        command.stdin(Stdio::null()).stdout(log.try_clone()?).stderr(log);
        if let Some(dir) = &self.dir {
            command.current_dir(dir);
        }
        Ok(command)
    }

    pub fn start(&self) -> anyhow::Result<Process> {
        let child = self.command()?.spawn();
        let child = child.with_context(|| format!("starting {}", self.program.display()))?;
        Ok(Process { child, stop: self.stop, log: self.log.clone() })
    }

    /// Runs it again and again until it succeeds: some servers have no other sign of readiness.
    pub fn run_until_it_succeeds(&self, within: Duration) -> anyhow::Result<()> {
        let deadline = Instant::now() + within;
        loop {
            match self.run() {
                Err(_) if Instant::now() < deadline => sleep(POLL_INTERVAL),
                outcome => return outcome,
            }
        }
    }

    /// Runs it to its end.
    pub fn run(&self) -> anyhow::Result<()> {
        let status = self.command()?.status();
        let status = status.with_context(|| format!("running {}", self.program.display()))?;
        if !status.success() {
            bail!("{} ended with {status}:\n{}", self.program.display(), tail(&self.log));
        }
        Ok(())
    }
}

pub struct Process {
    child: Child,
    stop: Signal,
    log: PathBuf,
}

impl Process {
    pub fn pid(&self) -> u32 {
        self.child.id()
    }

    /// Until it takes connections there.
    pub fn listens(&mut self, at: SocketAddr, within: Duration) -> anyhow::Result<()> {
        let deadline = Instant::now() + within;
        while TcpStream::connect_timeout(&at, POLL_INTERVAL).is_err() {
            if let Some(status) = self.child.try_wait()? {
                bail!("it ended with {status} before it listened:\n{}", tail(&self.log));
            }
            if Instant::now() > deadline {
                bail!("it does not listen on {at} after {within:?}:\n{}", tail(&self.log));
            }
            sleep(POLL_INTERVAL);
        }
        Ok(())
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        let Ok(pid) = i32::try_from(self.child.id()) else { return };
        // Not reaped yet, so the id is still its own.
        let _ = kill(Pid::from_raw(pid), self.stop);
        let deadline = Instant::now() + ENDS_WITHIN;
        while Instant::now() < deadline {
            if !matches!(self.child.try_wait(), Ok(None)) {
                return;
            }
            sleep(POLL_INTERVAL);
        }
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// A port that is free now.
pub fn free_port() -> anyhow::Result<u16> {
    Ok(TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?.local_addr()?.port())
}

pub fn local(port: u16) -> SocketAddr {
    (Ipv4Addr::LOCALHOST, port).into()
}

fn tail(log: &Path) -> String {
    let text = std::fs::read_to_string(log).unwrap_or_default();
    let start = text.len().saturating_sub(LOG_SHOWN);
    text.get(start..).unwrap_or(&text).to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    #[cfg(target_os = "linux")]
    fn a_process_is_tied_to_the_bench_and_to_its_core() {
        let launch = Launch::new("server", PathBuf::from("log")).args(&["--port", "1"]).core(Some(0));
        let wanted = ["setpriv", "--pdeathsig", "SIGTERM", "taskset", "-c", "0", "server", "--port", "1"];
        assert_eq!(launch.line(), wanted);
    }
}
