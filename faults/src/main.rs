//! `natter-faults oracle <log>`: which guarantees a log of clients contradicts.

use std::{
    fs::File,
    io::{BufReader, Write as _},
    path::PathBuf,
    process::ExitCode,
};

use anyhow::Context as _;
use clap::Parser;
use natter_faults::{log, oracle};

#[derive(Parser)]
#[command(name = "natter-faults", about = "The guarantees of docs/protocol.md, judged")]
enum Command {
    /// Judges a log of clients, one JSON object a line (docs/testing.md); fails when it contradicts a guarantee
    Oracle { log: PathBuf },
}

fn main() -> anyhow::Result<ExitCode> {
    match Command::parse() {
        Command::Oracle { log } => judge(&log),
    }
}

fn judge(path: &PathBuf) -> anyhow::Result<ExitCode> {
    let file = File::open(path).with_context(|| format!("opening {}", path.display()))?;
    let verdict = oracle::judge(&log::read(BufReader::new(file))?);
    let json = serde_json::to_string_pretty(&verdict)?;
    writeln!(std::io::stdout().lock(), "{json}")?;
    Ok(if verdict.holds() { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}
