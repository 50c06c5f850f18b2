//! Load with proof, on Natter and on what it is compared with: a target that lost, doubled or disordered a
//! message has no figures.

#![cfg_attr(test, allow(clippy::unwrap_used))]

mod scenarios; // what is put to a target

mod bench; // what every scenario is given
mod side; // one target under load: server, people, generator
mod targets; // what can be measured
mod seed; // people and rooms before a run, history after it

mod dialect; // how a target is spoken to
mod load; // the generator: thousands of sockets, one thread
mod pace; // when each thing is due, whatever the server does
mod check; // the oracle

mod latency; // times in a histogram
mod proc; // what processes cost: CPU time and memory
mod capacity; // the highest rate a server keeps up with
mod sheet; // figures of all rounds: medians, spreads, ratios
mod outcome; // what a scenario came to
mod table; // the same for people
mod gate; // ratios that must not get worse

mod bare; // the floor of any server: a relay that stores nothing

use std::process::ExitCode;

use anyhow::Context as _;
use clap::Parser;

use bench::{Bench, Options};
use outcome::Outcome;

/// Puts load on Natter and its peers, and proves that no promise was broken meanwhile.
///
/// Every target is started here, in a folder of its own, and ended. Exits with 1 when Natter broke a promise.
#[derive(Debug, Parser)]
#[command(version)]
struct Args {
    #[command(subcommand)]
    command: Command,
    #[command(flatten)]
    options: Options,
}

#[derive(Debug, clap::Subcommand)]
enum Command {
    #[command(flatten)]
    Scenario(Scenario),
    /// The relay, as a server: other commands start it.
    #[command(hide = true)]
    Bare {
        #[arg(long)]
        port: u16,
    },
}

#[derive(Debug, clap::Subcommand)]
enum Scenario {
    /// Direct rooms: messages a second, time to the ack.
    Ack(scenarios::ack::Args),
    /// Rooms of many: CPU a delivery, time to the last receiver.
    Fanout(scenarios::fanout::Args),
    /// Sockets that say nothing: memory and CPU of each.
    Idle(scenarios::idle::Args),
    /// Rooms of all sizes, typing, read marks, history.
    Mixed(scenarios::mixed::Args),
    /// Everybody comes back at once and is sent what they missed.
    Storm(scenarios::storm::Args),
    /// Some stop reading: do the others notice?
    Slow(scenarios::slow::Args),
    /// Messages over HTTP.
    Http(scenarios::http::Args),
    /// The mixed load for half an hour: does memory grow?
    Soak(scenarios::soak::Args),
    /// The same load on one edge, two and four.
    Scale(scenarios::scale::Args),
    /// A storm of log-ins beside a conversation.
    Login(scenarios::login::Args),
}

fn main() -> anyhow::Result<ExitCode> {
    let Args { command, options } = Args::parse();
    allow_many_sockets()?;
    let scenario = match command {
        Command::Scenario(scenario) => scenario,
        Command::Bare { port } => {
            let runtime = tokio::runtime::Runtime::new()?;
            return runtime.block_on(bare::serve(port)).map(|()| ExitCode::SUCCESS);
        }
    };
    let bench = Bench::new(options)?;
    let outcome = run(&bench, &scenario)?;
    print(&outcome.to_string());
    if let Some(path) = &bench.options.json {
        let json = serde_json::to_string_pretty(&outcome)?;
        std::fs::write(path, json).with_context(|| format!("writing {}", path.display()))?;
    }
    Ok(if outcome.holds() { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

fn run(bench: &Bench, scenario: &Scenario) -> anyhow::Result<Outcome> {
    match scenario {
        Scenario::Ack(args) => scenarios::ack::run(bench, args),
        Scenario::Fanout(args) => scenarios::fanout::run(bench, args),
        Scenario::Idle(args) => scenarios::idle::run(bench, args),
        Scenario::Mixed(args) => scenarios::mixed::run(bench, args),
        Scenario::Storm(args) => scenarios::storm::run(bench, args),
        Scenario::Slow(args) => scenarios::slow::run(bench, args),
        Scenario::Http(args) => scenarios::http::run(bench, args),
        Scenario::Soak(args) => scenarios::soak::run(bench, args),
        Scenario::Scale(args) => scenarios::scale::run(bench, args),
        Scenario::Login(args) => scenarios::login::run(bench, args),
    }
}

fn print(text: &str) {
    use std::io::Write as _;
    // Nothing to be done about a closed terminal.
    let _ = std::io::stdout().lock().write_all(text.as_bytes());
}

/// A socket is a file, and many systems start programs with room for 1,024.
fn allow_many_sockets() -> anyhow::Result<()> {
    use nix::sys::resource::{Resource, getrlimit, setrlimit};
    let (_, most) = getrlimit(Resource::RLIMIT_NOFILE)?;
    setrlimit(Resource::RLIMIT_NOFILE, most, most).context("raising the number of open files")
}
