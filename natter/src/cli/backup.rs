//! A deployment saved to a folder, and put back from it.

use std::path::PathBuf;

use clap::Args;

#[derive(Debug, Args)]
#[command(
    after_help = "The store is copied first, then the log, while both are in use: everything that was acked before the start is in \
    the backup. Of a CQL cluster only the log is saved; take a snapshot of the cluster before it. Needs NATS_URL of a user \
    that may snapshot streams (`provision`) and DATABASE_URL, or --data-dir."
)]
pub struct BackupArgs {
    /// The folder to make; it must not exist
    pub folder: PathBuf,
    /// The data folder of `natter dev`, whether it is running or not
    #[arg(long)]
    pub data_dir: Option<PathBuf>,
    /// Also save keys: the records that open sealed texts, as the root wraps them, and `jwt.secret` of a data folder
    #[arg(long)]
    pub with_keys: bool,
}

#[derive(Debug, Args)]
#[command(
    after_help = "Nothing that is there is overwritten. What was acked after the backup is lost: a new epoch begins, and clients \
    load everything again. Run again after it was interrupted, it continues. Needs NATS_URL (user `provision`), DATABASE_URL \
    and PARTITIONS as they were, or --data-dir."
)]
pub struct RestoreArgs {
    /// What `natter backup` made
    pub folder: PathBuf,
    /// The data folder to make for `natter dev`
    #[arg(long, conflicts_with = "check")]
    pub data_dir: Option<PathBuf>,
    /// Only read the backup and compare every file with its digest
    #[arg(long)]
    pub check: bool,
}
