//! `natter dev` in a folder of its own, on ports of its own.

use std::{
    fs,
    path::{Path, PathBuf},
    process::{Child, Command, ExitStatus, Stdio},
    time::Instant,
};

use nix::{
    sys::signal::{self, Signal},
    unistd::Pid,
};
use tempfile::TempDir;

use super::{LOOK, PATIENCE, until};

pub struct Natter {
    /// `http://127.0.0.1:port`
    pub http: String,
    admin: String,
    child: Child,
    arguments: Vec<&'static str>,
    settings: Vec<(&'static str, &'static str)>,
    data: PathBuf,
    // Dropped last: the processes write into it.
    home: TempDir,
}

/// The program with these settings and none of the surroundings'.
pub fn command(settings: &[(&str, &str)]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_natter"));
    command.env_clear().stdin(Stdio::null());
    for kept in ["PATH", "NATTER_NATS_SERVER"] {
        if let Some(value) = std::env::var_os(kept) {
            command.env(kept, value);
        }
    }
    command.envs(settings.iter().copied());
    command
}

impl Natter {
    pub async fn start() -> Self {
        Self::with(&[]).await
    }

    pub async fn with(settings: &[(&'static str, &'static str)]) -> Self {
        Self::new(settings, &[]).await
    }

    pub async fn new(settings: &[(&'static str, &'static str)], arguments: &[&'static str]) -> Self {
        let home = tempfile::tempdir().unwrap();
        let data = home.path().join("data");
        Self::launch(home, data, settings, arguments).await
    }

    /// With its data in that folder.
    pub async fn at(data: PathBuf, settings: &[(&'static str, &'static str)]) -> Self {
        Self::launch(tempfile::tempdir().unwrap(), data, settings, &[]).await
    }

    async fn launch(
        home: TempDir,
        data: PathBuf,
        settings: &[(&'static str, &'static str)],
        arguments: &[&'static str],
    ) -> Self {
        let (settings, arguments) = (settings.to_vec(), arguments.to_vec());
        let child = spawn(&home, &data, &settings, &arguments);
        let (http, admin) = (String::new(), String::new());
        let mut natter = Self { http, admin, child, arguments, settings, data, home };
        natter.read_banner().await;
        natter
    }

    /// The same folder again, after the process ended. The ports are others.
    pub async fn start_again(&mut self) {
        self.child = spawn(&self.home, &self.data, &self.settings, &self.arguments);
        self.read_banner().await;
    }

    /// The same, from now on with this argument.
    pub async fn start_again_with(&mut self, argument: &'static str) {
        self.arguments.push(argument);
        self.start_again().await;
    }

    async fn read_banner(&mut self) {
        let begun = Instant::now();
        while !self.banner().contains("Ctrl-C") {
            let ended = self.child.try_wait().unwrap();
            assert!(ended.is_none(), "natter dev ended: {ended:?}\n{}", self.log());
            assert!(begun.elapsed() < PATIENCE, "natter dev is not ready\n{}", self.log());
            tokio::time::sleep(LOOK).await;
        }
        let banner = self.banner();
        let word = |name: &str| {
            let line = banner.lines().find(|line| line.trim_start().starts_with(name)).unwrap();
            line.split_whitespace().nth(1).unwrap().to_owned()
        };
        self.http = word("http");
        self.admin = word("metrics");
    }

    pub fn banner(&self) -> String {
        fs::read_to_string(self.home.path().join("out")).unwrap()
    }

    pub fn log(&self) -> String {
        fs::read_to_string(self.home.path().join("err")).unwrap()
    }

    pub fn data(&self) -> PathBuf {
        self.data.clone()
    }

    pub fn pid(&self) -> i32 {
        i32::try_from(self.child.id()).unwrap()
    }

    /// Of its nats-server; `None` while that has not written it.
    pub fn nats_pid(&self) -> Option<i32> {
        fs::read_to_string(self.data().join("nats/nats-server.pid")).ok()?.trim().parse().ok()
    }

    pub fn signal(&self, signal: Signal) {
        signal::kill(Pid::from_raw(self.pid()), signal).unwrap();
    }

    pub fn signal_nats(&self, signal: Signal) {
        signal::kill(Pid::from_raw(self.nats_pid().unwrap()), signal).unwrap();
    }

    /// Waits for its end.
    pub async fn ended(&mut self) -> ExitStatus {
        let begun = Instant::now();
        loop {
            if let Some(status) = self.child.try_wait().unwrap() {
                return status;
            }
            assert!(begun.elapsed() < PATIENCE, "natter dev does not end\n{}", self.log());
            tokio::time::sleep(LOOK).await;
        }
    }

    /// kill -9; returns when its nats-server is gone too.
    pub async fn kill9(&mut self) {
        let nats = self.nats_pid().unwrap();
        self.signal(Signal::SIGKILL);
        self.ended().await;
        until("nats-server ends with natter", async || !alive(nats)).await;
    }

    /// Ctrl-C.
    pub async fn stop(&mut self) -> ExitStatus {
        self.signal(Signal::SIGINT);
        self.ended().await
    }

    /// A metric, summed over its labels; 0 when nothing was counted yet.
    pub async fn metric(&self, name: &str) -> f64 {
        let client = reqwest::Client::builder().no_proxy().timeout(PATIENCE).build().unwrap();
        let text = client.get(&self.admin).send().await.unwrap().text().await.unwrap();
        let values = text.lines().filter_map(|line| {
            let rest = line.strip_prefix(name)?;
            rest.starts_with(['{', ' ']).then(|| rest.rsplit(' ').next()?.parse::<f64>().ok())?
        });
        values.sum()
    }

    /// Every hole that was found was filled.
    pub async fn expect_gaps_filled(&self) {
        until("every gap found is filled", async || {
            let found = self.metric("natter_gaps_found_total").await;
            (found - self.metric("natter_gaps_filled_total").await).abs() < 0.5
        })
        .await;
    }

    /// A line of `/proc/<pid>/status` in KiB, such as `VmRSS`.
    pub fn memory_kib(&self, line: &str) -> u64 {
        let status = fs::read_to_string(format!("/proc/{}/status", self.pid())).unwrap();
        let found = status.lines().find(|text| text.starts_with(line)).unwrap();
        found.split_whitespace().nth(1).unwrap().parse().unwrap()
    }
}

impl Drop for Natter {
    #[expect(clippy::disallowed_methods, reason = "a drop cannot await, and the test is over")]
    #[expect(clippy::print_stderr, reason = "who reads of the failure wants the log")]
    fn drop(&mut self) {
        let nats = self.nats_pid();
        let _ = self.child.kill();
        let _ = self.child.wait();
        // It dies with its parent; its files must not outlive it in a folder that is being removed.
        let begun = Instant::now();
        while nats.is_some_and(alive) && begun.elapsed() < PATIENCE {
            std::thread::sleep(LOOK);
        }
        if std::thread::panicking() {
            eprintln!("the log of natter:\n{}", self.log());
        }
    }
}

fn spawn(home: &TempDir, data: &Path, settings: &[(&str, &str)], arguments: &[&str]) -> Child {
    let out = fs::File::create(home.path().join("out")).unwrap();
    let err = fs::File::options().create(true).append(true).open(home.path().join("err")).unwrap();
    let mut command = command(settings);
    command.args(["dev", "--port", "0", "--admin-port", "0", "--data-dir"]).arg(data);
    command.args(arguments).stdout(out).stderr(err).spawn().unwrap()
}

/// Whether a process runs; a zombie does not.
pub fn alive(pid: i32) -> bool {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
    stat.rsplit_once(')').is_some_and(|(_, rest)| !rest.trim_start().starts_with('Z'))
}
