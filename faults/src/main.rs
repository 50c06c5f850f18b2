//! Judges logs of clients, and runs deployments in which things break.

use std::{
    fs,
    io::{BufReader, Write as _},
    panic::AssertUnwindSafe,
    path::{Path, PathBuf},
    process::ExitCode,
    time::Duration,
};

use anyhow::{Context as _, bail};
use clap::{Args, Parser};
use futures_util::FutureExt as _;
use natter_faults::{
    log, oracle,
    run::{self, Programs, Report, scenario::Scenario, walk::walk},
};
use tokio::time::timeout;

/// Where scenarios are.
const SCENARIOS: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/scenarios");

/// What a run may take beside its load: the start, every wait, the look at everything, the verdict.
const BESIDE: Duration = Duration::from_mins(10);
/// In a walk.
const FAULTS: usize = 5;

#[derive(Parser)]
#[command(name = "natter-faults", about = "The guarantees of docs/protocol.md, judged")]
enum Command {
    /// Judges a log of clients, one JSON object a line (docs/testing.md); fails when it contradicts a guarantee
    Oracle { log: PathBuf },
    /// Runs scenarios by name, as `faults/scenarios` has them, or by the path of a file; all of them without one
    Fault {
        scenarios: Vec<String>,
        /// And then so many made of seeds, from 1 on
        #[arg(long, default_value_t = 0)]
        walks: u64,
        #[command(flatten)]
        runs: Runs,
    },
    /// Runs scenarios made of seeds
    Walk {
        /// The first seed; the time of day without one
        #[arg(long)]
        seed: Option<u64>,
        /// How many seeds, one after the other
        #[arg(long, default_value_t = 1)]
        seeds: u64,
        /// How many faults in each
        #[arg(long, default_value_t = FAULTS)]
        faults: usize,
        #[command(flatten)]
        runs: Runs,
    },
}

#[derive(Args)]
struct Runs {
    /// The program
    #[arg(long, default_value = "target/debug/natter")]
    natter: PathBuf,
    /// The program of the release before (scripts/build-previous), for scenarios with it
    #[arg(long)]
    previous: Option<PathBuf>,
    /// Writes the results here, as JSON
    #[arg(long)]
    json: Option<PathBuf>,
    /// Writes the results here, as a table
    #[arg(long)]
    table: Option<PathBuf>,
    /// Logs of runs that broke a guarantee are kept below this folder
    #[arg(long, default_value = "target/faults")]
    keep: PathBuf,
}

#[tokio::main]
async fn main() -> anyhow::Result<ExitCode> {
    let holds = match Command::parse() {
        Command::Oracle { log } => judge(&log)?,
        Command::Fault { scenarios, walks, runs } => {
            let mut all = chosen(&scenarios)?;
            all.extend((1..=walks).map(|seed| walk(seed, FAULTS)));
            runs.run(&all).await?
        }
        Command::Walk { seed, seeds, faults, runs } => {
            let first = seed.unwrap_or_else(|| u64::from(std::process::id()));
            let walks: Vec<Scenario> = (0..seeds).map(|n| walk(first.wrapping_add(n), faults)).collect();
            runs.run(&walks).await?
        }
    };
    Ok(if holds { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

fn judge(path: &Path) -> anyhow::Result<bool> {
    let file = fs::File::open(path).with_context(|| format!("opening {}", path.display()))?;
    let verdict = oracle::judge(&log::read(BufReader::new(file))?);
    print(&serde_json::to_string_pretty(&verdict)?)?;
    Ok(verdict.holds())
}

/// Scenarios of these names or paths, or all.
fn chosen(names: &[String]) -> anyhow::Result<Vec<Scenario>> {
    if !names.is_empty() {
        return names.iter().map(|name| read(name)).collect();
    }
    let mut all = Vec::new();
    for entry in fs::read_dir(SCENARIOS).context(SCENARIOS)? {
        all.push(read(&entry?.path().to_string_lossy())?);
    }
    all.sort_by(|a, b| a.name.cmp(&b.name));
    Ok(all)
}

fn read(name: &str) -> anyhow::Result<Scenario> {
    let given = Path::new(name);
    let path =
        if given.is_file() { given.to_owned() } else { Path::new(SCENARIOS).join(format!("{name}.txt")) };
    let text = fs::read_to_string(&path).with_context(|| format!("there is no scenario {name}"))?;
    let Some(name) = path.file_stem() else { bail!("{name} is no file") };
    Scenario::read(&name.to_string_lossy(), &text)
}

impl Runs {
    /// One after the other; whether every guarantee held.
    async fn run(&self, scenarios: &[Scenario]) -> anyhow::Result<bool> {
        let current = self.natter.canonicalize();
        let current =
            current.with_context(|| format!("{} (cargo build -p natter)", self.natter.display()))?;
        let programs = Programs { current, previous: self.previous.clone() };
        let mut reports: Vec<Report> = Vec::new();
        for scenario in scenarios {
            print(&format!("{}: {}", scenario.name, scenario.sentence))?;
            let report = self.run_one(scenario, &programs).await;
            print(&report.to_string())?;
            reports.push(report);
            // After each: a run that cannot go on leaves what was found before.
            if let Some(path) = &self.json {
                fs::write(path, serde_json::to_string_pretty(&reports)?)?;
            }
            if let Some(path) = &self.table {
                fs::write(path, run::table(&reports))?;
            }
        }
        Ok(reports.iter().all(Report::holds))
    }

    /// One that cannot go on ends no other.
    async fn run_one(&self, scenario: &Scenario, programs: &Programs) -> Report {
        let most = scenario.length() + BESIDE;
        let running = timeout(most, run::run(scenario, programs, Some(&self.keep)));
        match AssertUnwindSafe(running).catch_unwind().await {
            Ok(Ok(outcome)) => outcome.report,
            Ok(Err(_)) => Report::failed(scenario, format!("an end within {most:?}")),
            Err(panic) => {
                let text = panic.downcast_ref::<String>().cloned();
                let text = text.or_else(|| panic.downcast_ref::<&str>().map(|text| (*text).to_owned()));
                Report::failed(scenario, text.unwrap_or_else(|| "it panicked".to_owned()))
            }
        }
    }
}

fn print(text: &str) -> std::io::Result<()> {
    writeln!(std::io::stdout().lock(), "{text}")
}
