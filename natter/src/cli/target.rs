//! Which deployment a command works on.

use std::path::PathBuf;

use clap::{Args, Subcommand};

#[derive(Debug, Clone, Default, Args)]
pub struct Target {
    /// The data folder of a running `natter dev`, in place of `NATS_URL`, `DATABASE_URL` and secrets
    #[arg(long, value_name = "FOLDER", global = true)]
    pub data_dir: Option<PathBuf>,
}

/// Commands of one kind, all of which work on a deployment.
#[derive(Debug, Args)]
pub struct On<C: Subcommand> {
    #[command(subcommand)]
    pub command: C,
    #[command(flatten)]
    pub target: Target,
}
