//! The command that the command line names.

use std::process::ExitCode;

use clap::CommandFactory;

use crate::{
    audit, backup,
    cli::{Cli, Command},
    connect, dev, doctor, erase, export, health, keys, migrate, mirror, parked, replay, reset_password,
    roles, seed, token, top, trace, verify,
};

pub async fn run(command: Command) -> anyhow::Result<ExitCode> {
    match command {
        Command::Dev(args) => succeeded(Box::pin(dev::run(&args)).await),
        Command::Edge(args) => succeeded(roles::edge(&args).await),
        Command::Worker(args) => succeeded(roles::worker(&args).await),
        Command::Migrate(args) => migrate::run(&args).await,
        Command::Doctor(args) => doctor::run(&args).await,
        Command::Health(args) => health::run(&args).await,
        Command::Parked(on) => parked::run(&on.command, &on.target).await,
        Command::Replay(args) => replay::run(&args).await,
        Command::Verify(args) => verify::run(&args).await,
        Command::Trace(args) => Box::pin(trace::run(&args)).await,
        Command::Top(args) => top::run(&args).await,
        Command::Keys(on) => keys::run(&on.command, &on.target).await,
        Command::Audit(command) => audit::run(&command),
        Command::Erase(on) => erase::run(&on.command, &on.target).await,
        Command::Export(on) => export::run(&on.command, &on.target).await,
        Command::ResetPassword(args) => reset_password::run(&args).await,
        Command::Token(args) => token::run(&args).await,
        Command::Mirror(on) => mirror::run(&on.command, &on.target).await,
        Command::Backup(args) => backup::save(&args).await,
        Command::Restore(args) => backup::restore(&args).await,
        Command::Connect(args) => succeeded(connect::run(&args).await),
        Command::Seed(args) => succeeded(seed::run(&args).await),
        Command::Completions { shell } => {
            clap_complete::generate(shell, &mut Cli::command(), "natter", &mut std::io::stdout());
            Ok(ExitCode::SUCCESS)
        }
    }
}

fn succeeded(done: anyhow::Result<()>) -> anyhow::Result<ExitCode> {
    done.map(|()| ExitCode::SUCCESS)
}
