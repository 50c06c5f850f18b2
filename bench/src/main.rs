//! Load with proof, on Natter and on what it is compared with: a target that lost, doubled or disordered a
//! message has no figures.

#![cfg_attr(test, allow(clippy::unwrap_used))]

mod suite; // many scenarios, into documents and past a gate
mod scenarios; // what is put to a target

mod bench; // what every scenario is given
mod target_run; // one target under load: server, people, generator
mod targets; // what can be measured
mod seed; // people and rooms before a run, history after it

mod dialect; // how a target is spoken to
mod load; // the generator: thousands of sockets, one thread
mod schedule; // when each thing is due, whatever the server does
mod oracle; // the oracle

mod latency; // times in a histogram
mod usage; // what processes cost: CPU time and memory
mod capacity; // the highest rate a server keeps up with
mod results; // figures of all rounds: medians, spreads, ratios
mod outcome; // the result of a scenario
mod table; // the same for people
mod gate; // ratios that must not get worse

mod bare; // the floor of any server: a relay that stores nothing

use std::process::ExitCode;

use anyhow::Context as _;
use clap::Parser;

use bench::{Bench, Options};
use scenarios::Scenario;

/// Puts load on Natter and its peers, and checks that no guarantee was violated meanwhile.
///
/// Every target is started here, in a folder of its own, and ended. Exits with 1 when Natter violated a guarantee.
#[derive(Debug, Parser)]
#[command(version)]
struct Args {
    #[command(subcommand)]
    command: Command,
    #[command(flatten)]
    options: Options,
}

/// Three targets with 10,000 sockets each, and what else is open.
const FILES: u64 = 65_536;

#[derive(Debug, clap::Subcommand)]
enum Command {
    #[command(flatten)]
    Scenario(Scenario),
    /// Many scenarios from a file, into documents and past a gate.
    Suite(suite::Args),
    /// The relay, as a server: other commands start it.
    #[command(hide = true)]
    Bare {
        #[arg(long)]
        port: u16,
    },
}

fn main() -> anyhow::Result<ExitCode> {
    let Args { command, options } = Args::parse();
    allow_many_sockets()?;
    let holds = match command {
        Command::Scenario(scenario) => {
            let bench = Bench::new(options)?;
            let outcome = scenarios::run(&bench, &scenario)?;
            print(&outcome.to_string());
            if let Some(path) = &bench.options.json {
                let json = serde_json::to_string_pretty(&outcome)?;
                std::fs::write(path, json).with_context(|| format!("writing {}", path.display()))?;
            }
            outcome.holds()
        }
        Command::Suite(args) => suite::run(&Bench::new(options)?, &args)?,
        Command::Bare { port } => {
            let runtime = tokio::runtime::Runtime::new()?;
            runtime.block_on(bare::serve(port))?;
            true
        }
    };
    Ok(if holds { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

fn print(text: &str) {
    use std::io::Write as _;
    // Nothing to be done about a closed terminal.
    let _ = std::io::stdout().lock().write_all(text.as_bytes());
}

/// A socket is a file, and many systems start programs with room for 1,024; root may have more than it is given.
/// Servers that are started here have as many.
fn allow_many_sockets() -> anyhow::Result<()> {
    use nix::sys::resource::{Resource, getrlimit, setrlimit};
    let (_, most) = getrlimit(Resource::RLIMIT_NOFILE)?;
    if most < FILES && setrlimit(Resource::RLIMIT_NOFILE, FILES, FILES).is_ok() {
        return Ok(());
    }
    setrlimit(Resource::RLIMIT_NOFILE, most, most).context("raising the number of open files")
}
