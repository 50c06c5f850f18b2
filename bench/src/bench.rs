//! What every scenario is given: where things are, how progress is shown, how a target is waited for.

use std::{
    cell::{Cell, RefCell},
    path::{Path, PathBuf},
    time::Duration,
};

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use serde::Serialize;
use tokio::runtime::Runtime;

use crate::{
    load::Stats,
    target_run::Cores,
    targets::{Kind, LaunchContext},
};

/// Where things are.
#[derive(Debug, Clone, clap::Args)]
pub struct Options {
    /// The natter program; beside this one by default.
    #[arg(long, global = true)]
    pub natter: Option<PathBuf>,
    /// Folder with nats-server, Kafka's jars and the nats command, as scripts/fetch-peers fills it.
    #[arg(long, global = true, default_value = ".deps")]
    pub deps: PathBuf,
    /// Folder of the seed node, its modules installed.
    #[arg(long, global = true)]
    pub seed_node: Option<PathBuf>,
    /// Centrifugo's program.
    #[arg(long, global = true)]
    pub centrifugo: Option<PathBuf>,
    /// Where targets keep their data while they run: on the disk whose speed counts.
    #[arg(long, global = true, default_value = "target/natter-bench")]
    pub scratch: PathBuf,
    /// Rooms whose history is compared after a run.
    #[arg(long, global = true, default_value_t = 100)]
    pub history_rooms: usize,
    /// Also write everything measured as JSON.
    #[arg(long, global = true)]
    pub json: Option<PathBuf>,
}

/// A step as it went, for the JSON.
#[derive(Debug, Clone, Serialize)]
pub struct Step {
    pub target: String,
    pub what: String,
    #[serde(flatten)]
    pub stats: Stats,
}

pub struct Bench {
    pub options: Options,
    runtime: Runtime,
    started: Cell<u32>,
    steps: RefCell<Vec<Step>>,
}

impl Bench {
    pub fn new(options: Options) -> anyhow::Result<Self> {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        sweep(&options.scratch);
        Ok(Self { options, runtime, started: Cell::new(0), steps: RefCell::default() })
    }

    pub fn wait_for<T>(&self, future: impl Future<Output = T>) -> T {
        self.runtime.block_on(future)
    }

    /// Whether this target can be started here.
    pub fn has(&self, kind: Kind) -> bool {
        match kind {
            Kind::SeedNode => self.options.seed_node.is_some(),
            Kind::Centrifugo => self.options.centrifugo.is_some(),
            Kind::Natter(_) | Kind::Sealed | Kind::Traced(_) | Kind::Cluster(_) | Kind::Bare => true,
        }
    }

    /// A place of its own for a target that is about to start.
    pub fn context(&self, kind: Kind, cores: Cores) -> LaunchContext {
        self.context_for(&kind.to_string(), cores)
    }

    pub fn context_for(&self, what: &str, cores: Cores) -> LaunchContext {
        let Options { natter, deps, seed_node, centrifugo, scratch, .. } = self.options.clone();
        let nth = self.started.get();
        self.started.set(nth + 1);
        let here = std::env::current_dir().unwrap_or_default();
        let beside = std::env::current_exe().unwrap_or_default().with_file_name("natter");
        LaunchContext {
            scratch: here.join(scratch).join(format!("{}-{nth}-{what}", std::process::id())),
            core: (cores == Cores::Split).then_some(Cores::SERVER),
            deps: here.join(deps),
            natter: natter.map_or(beside, |natter| here.join(natter)),
            seed_node: seed_node.map(|folder| here.join(folder)),
            centrifugo: centrifugo.map(|program| here.join(program)),
        }
    }

    #[expect(clippy::unused_self, reason = "only a run that measures has progress to show")]
    pub fn bar(&self, what: &str, length: u64) -> ProgressBar {
        let style = ProgressStyle::with_template("{msg:<44} {wide_bar} {pos}/{len} {elapsed:>4}");
        let bar = ProgressBar::with_draw_target(Some(length), ProgressDrawTarget::stderr_with_hz(5));
        bar.set_style(style.unwrap_or_else(|_| ProgressStyle::default_bar()));
        bar.set_message(what.to_owned());
        bar
    }

    #[expect(clippy::unused_self, reason = "as above")]
    pub fn with_spinner<T>(&self, what: &str, task: impl FnOnce() -> T) -> T {
        let bar = ProgressBar::new_spinner().with_message(what.to_owned());
        bar.enable_steady_tick(Duration::from_millis(200));
        let outcome = task();
        bar.finish_and_clear();
        outcome
    }

    /// Keeps a step for the JSON, and prints it at once.
    pub fn note(&self, target: &str, what: &str, stats: &Stats) {
        let Stats { planned_per_second, acked_per_second, delivered_per_second, .. } = stats;
        let cpu = stats.cpu_us_per_message().unwrap_or(0.0);
        let bench = stats.bench_us_per_message().unwrap_or(0.0);
        self.print_status(&format!(
            "  {target:<16} {what:<24} {planned_per_second:>7.0}/s planned {acked_per_second:>7.0}/s acked \
             {delivered_per_second:>8.0}/s shown  ack p99 {:>7.1}  last p99 {:>7.1} ms  late p99 {:>5.1} ms  \
             {cpu:>6.1} µs/message (bench {bench:.1})",
            stats.ack_ms.p99, stats.last_ms.p99, stats.lateness_ms.p99
        ));
        let step = Step { target: target.to_owned(), what: what.to_owned(), stats: stats.clone() };
        self.steps.borrow_mut().push(step);
    }

    /// To the terminal, not to the report.
    #[expect(clippy::unused_self, reason = "as above")]
    #[expect(clippy::print_stderr, reason = "how far the bench is; the report goes to stdout")]
    pub fn print_status(&self, text: &str) {
        eprintln!("{text}");
    }

    pub fn take_steps(&self) -> Vec<Step> {
        self.steps.take()
    }
}

/// Folders of runs that were killed: their names begin with the id of a process that is no more.
fn sweep(scratch: &Path) {
    for entry in std::fs::read_dir(scratch).into_iter().flatten().flatten() {
        let name = entry.file_name();
        let pid = name.to_str().and_then(|name| name.split('-').next()?.parse::<u32>().ok());
        if pid.is_some_and(|pid| !Path::new(&format!("/proc/{pid}")).exists()) {
            let _ = std::fs::remove_dir_all(entry.path());
        }
    }
}
