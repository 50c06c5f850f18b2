//! One binary, by role: `natter dev` runs everything on a laptop; the rest are its tools.

mod cli; // the command line
mod command; // runs what it names
mod settings; // environment and flags become settings

mod dev; // everything in one process, with a nats-server beside it
mod roles; // one role a process
mod bootstrap; // start-up, each step once
mod migrate; // makes NATS and the store what this version needs
mod doctor; // what is missing here, and how to mend it
mod health; // is a running server well

mod operator; // what an operator's command works with
mod keys; // keys that content is sealed with
mod export; // everything that is kept about a user
mod erase; // users' data destroyed, and what proves it
mod mirror; // whether Kafka has what the log has
mod parked; // events no job could use, taken up by a person
mod replay; // the log persisted again
mod verify; // the log against the store
mod trace; // what became of one message
mod top; // all nodes on one screen
mod backup; // store and log to a folder, and back
mod audit; // whether the audit log is whole
mod reset_password; // a link for a user who has forgotten theirs
mod token; // an access token for scripts and support

mod progress; // how far a long command is
mod client; // a small client of the public API
mod connect; // a socket on the command line
mod seed; // data of any size, to try the server with

use std::process::ExitCode;

use clap::Parser;

// glibc keeps what hashing passwords freed (19 MiB each) in the arena of every thread that ever hashed: with it
// a thousand log-ins leave a gigabyte behind.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> ExitCode {
    natter_tls::use_ring();
    let cli = cli::Cli::parse();
    let runtime = match tokio::runtime::Builder::new_multi_thread().enable_all().build() {
        Ok(runtime) => runtime,
        Err(error) => return fail(&anyhow::anyhow!("cannot start threads: {error}")),
    };
    let done = runtime.block_on(command::run(cli.command));
    // Hashing and disk work that no caller waits for any more must not hold up the exit.
    runtime.shutdown_timeout(std::time::Duration::from_secs(1));
    match done {
        Ok(code) => code,
        Err(error) => fail(&error),
    }
}

#[expect(clippy::print_stderr, reason = "the one sentence a failed command prints")]
fn fail(error: &anyhow::Error) -> ExitCode {
    eprintln!("natter: {error:#}");
    ExitCode::FAILURE
}
