//! Many scenarios, one after the other, as a committed file of command lines has them; their results are
//! written into documents between markers, and compared with the gate.

use std::{
    fmt::Write as _,
    path::{Path, PathBuf},
    time::Instant,
};

use anyhow::{Context as _, bail};
use clap::Parser;
use serde::Serialize;

use crate::{
    Scenario,
    bench::Bench,
    gate::{self, Gate, NoiseAllowance},
    outcome::Outcome,
    print,
    results::Measurement,
    scenarios, table,
};

/// Names the place in a document that this program writes.
const MARKER: &str = "bench";

#[derive(Debug, Clone, clap::Args)]
pub struct Args {
    /// A scenario and its flags a line; `#` begins a comment.
    pub lines: PathBuf,
    /// Only lines that begin so; documents stay as they are.
    #[arg(long)]
    pub only: Option<String>,
    /// Ratios that must not get worse by more than the noise of this run.
    #[arg(long)]
    pub gate: Option<PathBuf>,
    /// Ratios and figures that are to be reached: reported with the rest, and not a failure.
    #[arg(long)]
    pub targets: Option<PathBuf>,
    /// Write what this run found into the gate instead.
    #[arg(long, requires = "gate")]
    pub renew_gate: bool,
    /// A document whose text between `<!-- bench -->` and `<!-- /bench -->` becomes the tables.
    #[arg(long)]
    pub document: Option<PathBuf>,
    /// The same with the measurements that --short-list names, an id a line.
    #[arg(long, requires = "short_list")]
    pub short: Option<PathBuf>,
    #[arg(long)]
    pub short_list: Option<PathBuf>,
    /// Date, commit and machine, for the documents.
    #[arg(long, default_value = "date and commit unknown")]
    pub provenance: String,
}

#[derive(Debug, Parser)]
#[command(no_binary_name = true)]
struct SuiteLine {
    #[command(subcommand)]
    scenario: Scenario,
}

/// One line and its result.
#[derive(Debug, Serialize)]
struct LineResult {
    line: String,
    #[serde(flatten)]
    outcome: Outcome,
    /// It could not be run to its end.
    error: Option<String>,
}

/// Whether Natter is without violations everywhere, every line ran, and the gate holds.
pub fn run(bench: &Bench, args: &Args) -> anyhow::Result<bool> {
    let lines = lines(&read(&args.lines)?, args.only.as_deref())?;
    let (mut done, began) = (Vec::new(), Instant::now());
    for (nth, (line, scenario)) in (1..).zip(&lines) {
        bench.print_status(&format!("\n[{nth} of {}, {} s] {line}", lines.len(), began.elapsed().as_secs()));
        keep(&mut done, run_line(bench, line, scenario));
    }
    if let Some(path) = &bench.options.json {
        write(path, &serde_json::to_string_pretty(&done)?)?;
    }
    let reached = reached(args, &done)?;
    print(&reached);
    documents(args, &done, &reached)?;
    let whole = done.iter().all(|done| done.error.is_none() && done.outcome.holds());
    Ok(gate_holds(args, &done)? && whole)
}

fn run_line(bench: &Bench, line: &str, scenario: &Scenario) -> LineResult {
    let (outcome, error) = match scenarios::run(bench, scenario) {
        Ok(outcome) => (outcome, None),
        Err(error) => (Outcome::of("not run to its end"), Some(format!("{error:#}"))),
    };
    match &error {
        None => print(&outcome.to_string()),
        Some(error) => bench.print_status(&format!("FAILED: {error}")),
    }
    outcome.steps.first().inspect(|_| bench.print_status(""));
    LineResult { line: line.to_owned(), outcome, error }
}

/// A line that stands twice is measured from two starts of the same servers, whatever the first result was, and
/// judged by the rounds of both: from one start to the next more moves than from round to round.
fn keep(done: &mut Vec<LineResult>, new: LineResult) {
    match done.iter_mut().find(|done| done.line == new.line) {
        Some(done) => {
            done.outcome.add(new.outcome);
            done.error = done.error.take().or(new.error);
        }
        None => done.push(new),
    }
}

/// What is wanted, and what this run found.
fn reached(args: &Args, done: &[LineResult]) -> anyhow::Result<String> {
    let Some(path) = &args.targets else { return Ok(String::new()) };
    let wanted: Vec<Gate> = serde_json::from_str(&read(path)?)?;
    let measurements: Vec<Measurement> = measurements(done).cloned().collect();
    let mut judged = gate::judge(&wanted, &measurements, NoiseAllowance::Not);
    // Only lines that ran are expected.
    judged.retain(|judged| judged.found.is_some() || args.only.is_none());
    Ok(format!("\n### Targets\n\n{}", gate::markdown(&judged, &measurements)))
}

fn documents(args: &Args, done: &[LineResult], reached: &str) -> anyhow::Result<()> {
    if args.only.is_some() {
        return Ok(());
    }
    if let Some(path) = &args.document {
        let mut text = format!("{}.\n{reached}", args.provenance);
        for LineResult { line, outcome, error } in done {
            let _ = write!(text, "\n### {}\n\n`natter-bench {line}`\n", outcome.scenario);
            match error {
                None => drop(write!(text, "\n{}", table::markdown(&outcome.results.measurements))),
                Some(_) => text.push_str("\nNot run to its end.\n"),
            }
            for report in outcome.reports.iter().filter(|report| report.violation_count > 0) {
                let _ = writeln!(text, "\n{}: void, {} violations.", report.target, report.violation_count);
            }
        }
        put(path, &text)?;
    }
    if let (Some(path), Some(list)) = (&args.short, &args.short_list) {
        let ids = read(list)?;
        let chosen: Vec<Measurement> = ids.lines().filter_map(|id| find(done, id.trim())).cloned().collect();
        put(path, &format!("{}.\n\n{}", args.provenance, table::brief(&chosen)))?;
    }
    Ok(())
}

fn gate_holds(args: &Args, done: &[LineResult]) -> anyhow::Result<bool> {
    let Some(path) = &args.gate else { return Ok(true) };
    let gates: Vec<Gate> = serde_json::from_str(&read(path)?)?;
    let measurements: Vec<Measurement> = measurements(done).cloned().collect();
    if args.renew_gate {
        let mut text = serde_json::to_string_pretty(&gate::renewed(&gates, &measurements))?;
        text.push('\n');
        write(path, &text)?;
        return Ok(true);
    }
    let judged = gate::judge(&gates, &measurements, NoiseAllowance::Allowed);
    for judged in &judged {
        print(&format!("{judged}\n"));
    }
    Ok(judged.iter().all(|judged| judged.passes))
}

fn measurements(done: &[LineResult]) -> impl Iterator<Item = &Measurement> {
    done.iter().flat_map(|done| &done.outcome.results.measurements)
}

fn find<'a>(done: &'a [LineResult], id: &str) -> Option<&'a Measurement> {
    measurements(done).find(|measurement| measurement.id == id)
}

fn lines(text: &str, only: Option<&str>) -> anyhow::Result<Vec<(String, Scenario)>> {
    let lines = text.lines().map(|line| line.split('#').next().unwrap_or_default().trim());
    let chosen = lines.filter(|line| !line.is_empty() && only.is_none_or(|only| line.starts_with(only)));
    let parsed: Vec<_> = chosen
        .map(|line| {
            let SuiteLine { scenario } = SuiteLine::try_parse_from(line.split_whitespace())?;
            anyhow::Ok((line.to_owned(), scenario))
        })
        .collect::<Result<_, _>>()?;
    if parsed.is_empty() {
        bail!("no line to run");
    }
    Ok(parsed)
}

fn put(path: &Path, text: &str) -> anyhow::Result<()> {
    let document = table::between_markers(&read(path)?, MARKER, text);
    write(
        path,
        &document.with_context(|| format!("{} has no place for it: <!-- {MARKER} -->", path.display()))?,
    )
}

fn read(path: &Path) -> anyhow::Result<String> {
    std::fs::read_to_string(path).with_context(|| format!("reading {}", path.display()))
}

fn write(path: &Path, text: &str) -> anyhow::Result<()> {
    std::fs::write(path, text).with_context(|| format!("writing {}", path.display()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::results::Metric;

    fn committed(name: &str) -> String {
        read(&Path::new(env!("CARGO_MANIFEST_DIR")).join(name)).unwrap()
    }

    #[test]
    fn the_committed_lines_are_commands() {
        for name in ["full.txt", "quick.txt", "seal.txt", "traces.txt"] {
            assert!(!lines(&committed(name), None).unwrap().is_empty());
        }
    }

    #[test]
    fn the_committed_gate_and_targets_are_read() {
        for name in ["gate.json", "targets.json", "seal.json", "traces.json"] {
            assert!(!serde_json::from_str::<Vec<Gate>>(&committed(name)).unwrap().is_empty());
        }
    }

    #[test]
    fn a_line_that_stands_twice_is_judged_by_all_its_rounds_and_fails_with_either() {
        let done = |line: &str, cpu, error: Option<&str>| {
            let mut outcome = Outcome::of("ack");
            outcome.results.add(("ack", line), Metric::lower("cpu", "", ""), "natter", cpu);
            LineResult { line: line.to_owned(), outcome, error: error.map(str::to_owned) }
        };
        for errors in [[None, None], [Some("x"), None], [None, Some("x")]] {
            let mut all = Vec::new();
            keep(&mut all, done("a", 1.0, errors[0]));
            keep(&mut all, done("b", 7.0, None));
            keep(&mut all, done("a", 2.0, errors[1]));
            let [a, b] = &all[..] else { panic!("{all:?}") };
            assert_eq!(a.outcome.results.measurements[0].values["natter"], [1.0, 2.0]);
            assert_eq!(a.error.is_some(), errors != [None, None]);
            assert_eq!(b.outcome.results.measurements[0].values["natter"], [7.0]);
        }
    }

    #[test]
    fn lines_are_chosen_by_how_they_begin_and_comments_are_no_lines() {
        let text = "# first\nack --bytes 128\n\nidle # why\n";
        let names = |only| lines(text, only).unwrap().into_iter().map(|(line, _)| line).collect::<Vec<_>>();
        assert_eq!(names(None), ["ack --bytes 128", "idle"]);
        assert_eq!(names(Some("idle")), ["idle"]);
        assert!(lines(text, Some("soak")).is_err());
        assert!(lines("dance", None).is_err());
    }
}
