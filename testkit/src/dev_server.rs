//! `natter dev` in a folder of its own, on ports of its own.

use std::{
    fs,
    path::PathBuf,
    process::{Command, ExitStatus, Stdio},
    time::{Duration, Instant},
};

use nix::{
    sys::signal::{self, Signal},
    unistd::Pid,
};
use tempfile::TempDir;

use crate::{PATIENCE, Process, until, until_some};

const LOOK: Duration = Duration::from_millis(10);

pub struct DevServer {
    /// `http://127.0.0.1:port`
    pub http: String,
    admin: String,
    process: Process,
    launch: Launch,
    // Dropped last: the processes write into it.
    home: TempDir,
}

/// Name and value.
type Setting = (&'static str, &'static str);

struct Launch {
    program: &'static str,
    data: PathBuf,
    settings: Vec<Setting>,
    arguments: Vec<&'static str>,
}

impl Launch {
    fn new(program: &'static str, data: PathBuf, settings: &[Setting], arguments: &[&'static str]) -> Self {
        Self { program, data, settings: settings.to_vec(), arguments: arguments.to_vec() }
    }

    fn spawn(&self, home: &TempDir) -> Process {
        let out = fs::File::create(home.path().join("out")).unwrap();
        let log = home.path().join("err");
        let err = fs::File::options().create(true).append(true).open(&log).unwrap();
        let mut command = command(self.program, &self.settings);
        command.args(["dev", "--port", "0", "--admin-port", "0", "--data-dir"]).arg(&self.data);
        command.args(&self.arguments).stdout(out).stderr(err);
        Process::spawn(command, &log)
    }
}

/// The program with these settings and none of this process's.
pub fn command(program: &str, settings: &[(&str, &str)]) -> Command {
    let mut command = Command::new(program);
    command.env_clear().stdin(Stdio::null());
    for kept in ["PATH", "NATTER_NATS_SERVER"] {
        if let Some(value) = std::env::var_os(kept) {
            command.env(kept, value);
        }
    }
    command.envs(settings.iter().copied());
    command
}

impl DevServer {
    /// The program with these settings.
    pub async fn start(program: &'static str, settings: &[Setting]) -> Self {
        Self::start_with(program, settings, &[]).await
    }

    /// And these arguments.
    pub async fn start_with(program: &'static str, settings: &[Setting], arguments: &[&'static str]) -> Self {
        let home = tempfile::tempdir().unwrap();
        let data = home.path().join("data");
        Self::launch(home, Launch::new(program, data, settings, arguments)).await
    }

    /// With its data in that folder.
    pub async fn start_in(program: &'static str, data: PathBuf, settings: &[Setting]) -> Self {
        Self::launch(tempfile::tempdir().unwrap(), Launch::new(program, data, settings, &[])).await
    }

    /// One that is only begun: it has no addresses yet.
    pub fn begin(program: &'static str, settings: &[Setting], arguments: &[&'static str]) -> Self {
        let home = tempfile::tempdir().unwrap();
        let data = home.path().join("data");
        Self::spawn(home, Launch::new(program, data, settings, arguments))
    }

    fn spawn(home: TempDir, launch: Launch) -> Self {
        let process = launch.spawn(&home);
        let (http, admin) = (String::new(), String::new());
        Self { http, admin, process, launch, home }
    }

    async fn launch(home: TempDir, launch: Launch) -> Self {
        let mut server = Self::spawn(home, launch);
        server.read_banner().await;
        server
    }

    /// The same folder again, after the process ended. The ports are others.
    pub async fn start_again(&mut self) {
        self.process = self.launch.spawn(&self.home);
        self.read_banner().await;
    }

    /// From the next start on, with this setting.
    pub fn set(&mut self, name: &'static str, value: &'static str) {
        self.launch.settings.retain(|(set, _)| *set != name);
        self.launch.settings.push((name, value));
    }

    /// The same, from now on with this argument.
    pub async fn start_again_with(&mut self, argument: &'static str) {
        self.launch.arguments.push(argument);
        self.start_again().await;
    }

    async fn read_banner(&mut self) {
        let begun = Instant::now();
        while !self.banner().contains("Ctrl-C") {
            let ended = self.process.exit_status();
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
        self.launch.data.clone()
    }

    pub fn pid(&self) -> i32 {
        self.process.pid()
    }

    /// Of its nats-server; `None` while that has not written it.
    pub fn nats_pid(&self) -> Option<i32> {
        fs::read_to_string(self.data().join("nats/nats-server.pid")).ok()?.trim().parse().ok()
    }

    pub fn signal(&self, signal: Signal) {
        self.process.signal(signal);
    }

    pub fn signal_nats(&self, signal: Signal) {
        signal::kill(Pid::from_raw(self.nats_pid().unwrap()), signal).unwrap();
    }

    /// Waits for its end.
    pub async fn ended(&mut self) -> ExitStatus {
        until_some("natter dev ends", async || self.process.exit_status()).await
    }

    /// kill -9; returns when its nats-server is gone too.
    pub async fn kill9(&mut self) {
        let nats = self.nats_pid().unwrap();
        self.signal(Signal::SIGKILL);
        self.ended().await;
        until("nats-server ends with natter", async || !is_alive(nats)).await;
    }

    /// Ctrl-C.
    pub async fn stop(&mut self) -> ExitStatus {
        self.signal(Signal::SIGINT);
        self.ended().await
    }

    async fn metrics(&self) -> String {
        let client = reqwest::Client::builder().no_proxy().timeout(PATIENCE).build().unwrap();
        client.get(&self.admin).send().await.unwrap().text().await.unwrap()
    }

    /// How many time series it has.
    pub async fn series(&self) -> usize {
        self.metrics().await.lines().filter(|line| !line.starts_with('#') && !line.is_empty()).count()
    }

    /// A metric, summed over its labels; 0 when nothing was counted yet.
    pub async fn metric(&self, name: &str) -> f64 {
        let text = self.metrics().await;
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

    /// From here `VmHWM` is the peak since now.
    pub fn reset_peak_memory(&self) {
        self.process.reset_peak_memory();
    }

    /// A line of `/proc/<pid>/status` in KiB, such as `VmRSS`.
    pub fn memory_kib(&self, line: &str) -> u64 {
        self.process.memory_kib(line)
    }
}

impl Drop for DevServer {
    #[expect(clippy::disallowed_methods, reason = "a drop cannot await, and the test is over")]
    #[expect(clippy::print_stderr, reason = "who reads of the failure wants the log")]
    fn drop(&mut self) {
        let nats = self.nats_pid();
        self.process.kill();
        // It dies with its parent; its files must not outlive it in a folder that is being removed.
        let begun = Instant::now();
        while nats.is_some_and(is_alive) && begun.elapsed() < PATIENCE {
            std::thread::sleep(LOOK);
        }
        if std::thread::panicking() {
            eprintln!("the log of natter:\n{}", self.log());
        }
    }
}

/// Whether a process runs; a zombie does not.
pub fn is_alive(pid: i32) -> bool {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
    stat.rsplit_once(')').is_some_and(|(_, rest)| !rest.trim_start().starts_with('Z'))
}
